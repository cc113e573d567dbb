"""Makes the pipeline's recurring run on a Kubeflow Pipelines, and keeps what the server answers.

fastkf compile late_flights.ipynb -o late-flights.yaml
fastkf server --port 8090
python schedule.py http://127.0.0.1:8090 late-flights.yaml data_dir=/where/the/flights/are \\
    --token-file ~/.local/share/fast-kubeflow/server/token
"""

import argparse
import json
from pathlib import Path

from kfp import Client

KEPT = Path(__file__).with_name("evidence") / "recurring_run.json"
FIRST_OF_MONTH = "0 0 3 1 * *"  # second, minute, hour, day of the month, month, day of the week


def read_words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("endpoint")
    parser.add_argument("package")
    parser.add_argument(
        "places",
        nargs="+",
        metavar="NAME=PLACE",
        help="where the steps find files, and where they leave them: absolute paths, or s3://...",
    )
    parser.add_argument("--token-file", type=Path, help="the token of a fastkf server")
    parser.add_argument(
        "--seconds", type=int, help="a run each so many seconds, to try it: nothing is kept"
    )
    return parser.parse_args()


def main() -> None:
    words = read_words()
    token = words.token_file.read_text().strip() if words.token_file else None
    client = Client(host=words.endpoint, existing_token=token)
    experiment = client.create_experiment("late-flights")
    run = client.create_recurring_run(
        experiment_id=experiment.experiment_id,
        job_name="late-flights-monthly",
        cron_expression=None if words.seconds else FIRST_OF_MONTH,
        interval_second=words.seconds,
        max_concurrency=1,
        no_catchup=True,
        pipeline_package_path=words.package,
        params=dict(word.split("=", 1) for word in words.places),
    )
    if words.seconds:
        return
    answer = client.get_recurring_run(run.recurring_run_id).to_dict()
    # The package itself is in the notebook; of it, the name is enough.
    package_spec = answer["pipeline_spec"]["pipeline_spec"]
    answer["pipeline_spec"] = {"pipelineInfo": package_spec["pipelineInfo"]}
    KEPT.write_text(json.dumps(answer, indent=1, default=str) + "\n")


if __name__ == "__main__":
    main()
