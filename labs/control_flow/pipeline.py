"""The pipeline of lab 09: will a flight be late? Asked for each airport, in a loop.

python pipeline.py writes pipeline.yaml, the package that Kubeflow Pipelines takes.
"""

import sys

from components import (
    always_on_time,
    compare_airports,
    load_flights,
    take_better,
    tell_end,
    test_model,
    train,
)
from kfp import compiler, dsl
from kfp.dsl import Dataset, Input, Model


@dsl.pipeline(name="two-models")
def two_models(flights: Input[Dataset], first_test_day: int) -> Model:
    """A pipeline to be used inside another one: trains two models, returns the better one."""
    logistic = train(flights=flights, kind="logistic", first_test_day=first_test_day)
    boosting = train(flights=flights, kind="boosting", first_test_day=first_test_day)
    logistic.set_display_name("train logistic")
    boosting.set_display_name("train boosting")
    return take_better(
        logistic=logistic.outputs["model"],
        boosting=boosting.outputs["model"],
        logistic_auc=logistic.outputs["Output"],
        boosting_auc=boosting.outputs["Output"],
    ).outputs["chosen"]


@dsl.pipeline(name="late-flights", description="Will a flight be late? One model for each airport")
def late_flights(
    data_dir: str = "../data/flights",
    airports: list = ["EWR", "JFK", "LGA"],  # noqa: B006  KFP reads the default, and copies it
    month: int = 6,
    first_test_day: int = 24,
    least_flights: int = 8500,
):
    with dsl.ExitHandler(tell_end(month=month)):
        with dsl.ParallelFor(airports, parallelism=2) as airport:
            loaded = load_flights(data_dir=data_dir, airport=airport, month=month)
            loaded.set_retry(num_retries=2)
            with dsl.If(loaded.outputs["Output"] >= least_flights, name="enough flights"):
                better = two_models(
                    flights=loaded.outputs["flights"], first_test_day=first_test_day
                )
            with dsl.Else(name="too few"):
                baseline = always_on_time(
                    flights=loaded.outputs["flights"], first_test_day=first_test_day
                )
            tested = test_model(
                flights=loaded.outputs["flights"],
                model=dsl.OneOf(better.output, baseline.outputs["model"]),
                first_test_day=first_test_day,
            )
        compare_airports(results=dsl.Collected(tested.outputs["Output"]))


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "pipeline.yaml"
    compiler.Compiler().compile(late_flights, target)
