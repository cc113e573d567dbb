"""Trials written down in MLflow: a loop of trainings, and the best of them.

python use_mlflow.py writes use_mlflow.yaml, the package that Kubeflow Pipelines takes.
"""

import sys

from kfp import compiler, dsl

MLFLOW = ["mlflow==3.17.2"]
LEARNING = [*MLFLOW, "pandas==2.3.3", "pyarrow==25.0.1", "scikit-learn>=1.9,<1.10"]


@dsl.component(base_image="python:3.12", packages_to_install=MLFLOW)
def begin(tracking_uri: str, name: str) -> str:
    """Makes the experiment where there is none; answers its number.

    A step of its own: two steps at once would both make it.
    """
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    return mlflow.set_experiment(name).experiment_id


@dsl.component(base_image="python:3.12", packages_to_install=LEARNING)
def train(tracking_uri: str, experiment: str, run: str, data_dir: str, depth: int) -> float:
    """Trains on June's first twenty days, measures on the others, and writes both down."""
    import mlflow
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    flights = pd.read_parquet(f"{data_dir}/2013-06.parquet").dropna(subset=["arr_delay"])
    features, late = flights[["hour", "distance", "day"]], flights["arr_delay"] > 15
    tested = flights["day"] > 20
    columns = ["hour", "distance"]
    mlflow.set_tracking_uri(tracking_uri)
    with mlflow.start_run(experiment_id=experiment, run_name=f"depth {depth}"):
        mlflow.set_tag("pipeline_run", run)
        mlflow.log_params({"max_depth": depth, "columns": columns})
        model = HistGradientBoostingClassifier(max_depth=depth, random_state=1)
        model.fit(features[~tested][columns], late[~tested])
        scores = model.predict_proba(features[tested][columns])[:, 1]
        auc = round(float(roc_auc_score(late[tested], scores)), 4)
        mlflow.log_metric("auc", auc)
    return auc


@dsl.component(base_image="python:3.12", packages_to_install=MLFLOW)
def find_best(tracking_uri: str, experiment: str, run: str, results: list) -> str:
    """Asks MLflow for the best trial of this run of the pipeline."""
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    [best] = mlflow.search_runs(
        [experiment],
        filter_string=f"tags.pipeline_run = '{run}'",
        order_by=["metrics.auc DESC"],
        max_results=1,
        output_format="list",
    )
    print(f"{len(results)} trials, the best AUC is {best.data.metrics['auc']}")
    return best.info.run_name


@dsl.pipeline(name="trials-in-mlflow")
def trials_in_mlflow(
    tracking_uri: str,
    data_dir: str,
    depths: list = [1, 3, 8],  # noqa: B006  KFP reads the default, and copies it
):
    run = dsl.PIPELINE_JOB_ID_PLACEHOLDER
    experiment = begin(tracking_uri=tracking_uri, name="late-flights").output
    with dsl.ParallelFor(depths, parallelism=2) as depth:
        trained = train(
            tracking_uri=tracking_uri,
            experiment=experiment,
            run=run,
            data_dir=data_dir,
            depth=depth,
        )
    find_best(
        tracking_uri=tracking_uri,
        experiment=experiment,
        run=run,
        results=dsl.Collected(trained.output),
    )


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "use_mlflow.yaml"
    compiler.Compiler().compile(trials_in_mlflow, target)
