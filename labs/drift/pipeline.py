"""The pipeline of lab 10: a month of flights has arrived. Is the model still right?

python pipeline.py writes pipeline.yaml, the package that Kubeflow Pipelines takes.
"""

import sys

from components import (
    check_data,
    compare,
    find_champion,
    measure_drift,
    promote,
    register,
    train,
)
from kfp import compiler, dsl


@dsl.pipeline(name="late-flights-monthly", description="Is the model of late flights still right?")
def monthly(
    data_dir: str,
    models_dir: str,
    registry: str,
    month: int = 0,
    drift_limit: float = 0.1,
):
    # Each of these two reads something that changes without the knowledge of the cache.
    data = check_data(data_dir=data_dir, month=month).set_caching_options(False)
    champion = find_champion(registry=registry).set_caching_options(False)
    drift = measure_drift(
        data_dir=data_dir,
        months=champion.outputs["Output"],
        champion=champion.outputs["model"],
        flights=data.outputs["flights"],
    )
    with dsl.If(drift.outputs["Output"] > drift_limit, name="it drifts"):
        challenger = train(data_dir=data_dir, newest=data.outputs["Output"])
        challenger.set_caching_options(False)
        compared = compare(
            flights=data.outputs["flights"],
            champion=champion.outputs["model"],
            challenger=challenger.outputs["model"],
            months=champion.outputs["Output"],
        )
        registered = register(
            registry=registry,
            models_dir=models_dir,
            newest=data.outputs["Output"],
            months=challenger.outputs["Output"],
            gain_low=compared.outputs["Output"],
            challenger=challenger.outputs["model"],
        )
        with dsl.If(compared.outputs["Output"] > 0.0, name="it is better"):
            promote(registry=registry, models_dir=models_dir, version=registered.output)


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "pipeline.yaml"
    compiler.Compiler().compile(monthly, target)
