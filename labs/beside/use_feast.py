"""Features from a store: what was known of an airline's delays when a flight was planned.

python use_feast.py writes use_feast.yaml, the package that Kubeflow Pipelines takes.
"""

import sys

from kfp import compiler, dsl
from kfp.dsl import Dataset, Output

TABLES = ["pandas==2.3.3", "pyarrow==26.0.1"]
FEAST = ["feast==0.67.0", *TABLES]
LEARNING = ["scikit-learn>=1.9,<1.10", *TABLES]


@dsl.component(base_image="python:3.12", packages_to_install=FEAST)
def join_features(data_dir: str, month: int, rows: int, training: Output[Dataset]) -> dict:
    """Describes a feature, joins it to flights as of their departure, and looks one up online.

    The feature is the mean delay of an airline at an airport on a day, and is known when that day
    has ended. Joined as of a flight's departure, it is that of the day before, or of an earlier
    one. The column `same_day_delay` is what a careless join would give: that of the day itself.
    """
    import tempfile
    from datetime import timedelta
    from pathlib import Path

    import pandas as pd
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
    from feast.types import Float32, String

    flights = pd.read_parquet(f"{data_dir}/2013-{month:02}.parquet").dropna(subset=["arr_delay"])
    flights["day"] = pd.to_datetime(flights[["year", "month", "day"]], utc=True)
    flights["line"] = flights["carrier"] + "-" + flights["origin"]
    daily = flights.groupby(["line", "day"], as_index=False)["arr_delay"].mean()
    daily = daily.rename(columns={"arr_delay": "mean_delay"})
    daily["known_from"] = daily["day"] + timedelta(days=1)

    folder = Path(tempfile.mkdtemp())
    daily.to_parquet(folder / "daily.parquet")
    store = FeatureStore(
        config=RepoConfig(
            project="flights",
            provider="local",
            registry=str(folder / "registry.db"),
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            offline_store={"type": "file"},
            entity_key_serialization_version=3,
        )
    )
    line = Entity(name="line", join_keys=["line"], value_type=ValueType.STRING)
    delays = FeatureView(
        name="delays",
        entities=[line],
        ttl=timedelta(days=7),
        schema=[Field(name="mean_delay", dtype=Float32), Field(name="line", dtype=String)],
        source=FileSource(path=str(folder / "daily.parquet"), timestamp_field="known_from"),
    )
    store.apply([line, delays])

    wanted = flights.sample(rows, random_state=1).reset_index(drop=True)
    wanted = wanted.merge(daily[["line", "day", "mean_delay"]], on=["line", "day"])
    wanted = wanted.rename(columns={"mean_delay": "same_day_delay"})
    wanted["event_timestamp"] = wanted["day"] + pd.to_timedelta(wanted["hour"], unit="h")
    wanted["late"] = (wanted["arr_delay"] > 15).astype(int)
    wanted = wanted[["line", "event_timestamp", "hour", "same_day_delay", "late"]]
    asked = wanted[["line", "event_timestamp"]].drop_duplicates()  # Feast answers each pair once
    known = store.get_historical_features(asked, features=["delays:mean_delay"]).to_df()
    joined = wanted.merge(known, on=["line", "event_timestamp"])
    joined.sort_values("event_timestamp", kind="stable").to_parquet(training.path)

    first, last = (getattr(daily["known_from"], end)() for end in ("min", "max"))
    store.materialize(first, last)
    now = store.get_online_features(["delays:mean_delay"], [{"line": "UA-EWR"}]).to_dict()
    newest = daily[(daily["line"] == "UA-EWR") & (daily["known_from"] == last)]["mean_delay"]
    return {
        "rows": len(joined),
        "without_feature": int(joined["mean_delay"].isna().sum()),
        "online_ua_ewr": round(now["mean_delay"][0], 2),
        "newest_ua_ewr": round(float(newest.iloc[0]), 2),
    }


@dsl.component(base_image="python:3.12", packages_to_install=LEARNING)
def measure(training: dsl.Input[Dataset], metrics: Output[dsl.Metrics]):
    """The AUC of a model with the joined feature, and of one with the careless join."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    table = pd.read_parquet(training.path).dropna()
    cut = int(len(table) * 0.7)  # in order of time: the model is tested on later flights
    for name in ("mean_delay", "same_day_delay"):
        columns = ["hour", name]
        model = LogisticRegression().fit(table[columns][:cut], table["late"][:cut])
        scores = model.predict_proba(table[columns][cut:])[:, 1]
        metrics.log_metric(
            f"auc_{name}", round(float(roc_auc_score(table["late"][cut:], scores)), 4)
        )


@dsl.pipeline(name="features-from-feast")
def features_from_feast(data_dir: str, month: int = 6, rows: int = 5000):
    joined = join_features(data_dir=data_dir, month=month, rows=rows)
    measure(training=joined.outputs["training"])


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "use_feast.yaml"
    compiler.Compiler().compile(features_from_feast, target)
