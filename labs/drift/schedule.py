"""Lets a Kubeflow Pipelines run the pipeline of lab 10 on a schedule.

python schedule.py --host http://127.0.0.1:8080 --token-file .../server/token \\
    --cron "0 0 6 1 * *" data_dir=... models_dir=... registry=...
"""

import argparse
import json
from pathlib import Path

import kfp
import yaml

NAME = "late-flights-monthly"
PACKAGE = Path(__file__).parent / "pipeline.yaml"


def read_words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", help="the server; inside a cluster it is found")
    parser.add_argument("--token-file", type=Path, help="the token of a fastkf server")
    when = parser.add_mutually_exclusive_group(required=True)
    when.add_argument(
        "--cron", help='second, minute, hour, day, month, day of the week: "0 0 6 1 * *"'
    )
    when.add_argument("--seconds", type=int, help="a run each so many seconds, to try it")
    parser.add_argument("parameters", nargs="+", metavar="NAME=VALUE")
    return parser.parse_args()


def read_parameters(words: list[str]) -> dict:
    """NAME=VALUE as the package's own types want them: only a string is left as it is."""
    known = yaml.safe_load(PACKAGE.read_text())["root"]["inputDefinitions"]["parameters"]
    values = dict(word.split("=", 1) for word in words)
    texts = {name for name, one in known.items() if one["parameterType"] == "STRING"}
    return {name: text if name in texts else json.loads(text) for name, text in values.items()}


def make_recurring_run(words: argparse.Namespace) -> str:
    """Makes the recurring run, and returns its id."""
    token = words.token_file.read_text().strip() if words.token_file else None
    client = kfp.Client(host=words.host, existing_token=token)
    made = client.create_recurring_run(
        experiment_id=client.create_experiment(NAME).experiment_id,
        job_name=NAME,
        cron_expression=words.cron,
        interval_second=words.seconds,
        max_concurrency=1,
        no_catchup=True,
        pipeline_package_path=str(PACKAGE),
        params=read_parameters(words.parameters),
    )
    return made.recurring_run_id


if __name__ == "__main__":
    print(make_recurring_run(read_words()))
