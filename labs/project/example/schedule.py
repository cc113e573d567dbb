"""Makes the pipeline's recurring run on a Kubeflow Pipelines, and keeps what the server answers.

fastkf compile late_flights.ipynb -o late-flights.yaml
fastkf server --port 8090 --no-token --in-container    # only on a laptop that nobody else uses
python schedule.py http://127.0.0.1:8090 late-flights.yaml
"""

import json
import sys
from pathlib import Path

from kfp import Client

KEPT = Path(__file__).with_name("evidence") / "recurring_run.json"
FIRST_OF_MONTH = "0 0 3 1 * *"  # second, minute, hour, day of the month, month, day of the week


def main(endpoint: str, package: str) -> None:
    client = Client(host=endpoint)
    experiment = client.create_experiment("late-flights")
    run = client.create_recurring_run(
        experiment_id=experiment.experiment_id,
        job_name="late-flights-monthly",
        cron_expression=FIRST_OF_MONTH,
        pipeline_package_path=package,
        no_catchup=True,
    )
    answer = client.get_recurring_run(run.recurring_run_id).to_dict()
    # The package itself is in the notebook; of it, the name is enough.
    package_spec = answer["pipeline_spec"]["pipeline_spec"]
    answer["pipeline_spec"] = {"pipelineInfo": package_spec["pipelineInfo"]}
    KEPT.write_text(json.dumps(answer, indent=1, default=str) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
