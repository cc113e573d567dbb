"""The components of lab 09: each loads, trains, tests or tells, and knows of no other."""

from kfp import dsl
from kfp.dsl import HTML, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output

IMAGE = "python:3.12"
PACKAGES = ["pandas>=2.2,<4", "pyarrow==26.0.1", "scikit-learn>=1.9,<1.10"]


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def load_flights(data_dir: str, airport: str, month: int, flights: Output[Dataset]) -> int:
    """The flights of one airport in one month, with the weather of their hour."""
    import pandas as pd

    table = pd.read_parquet(f"{data_dir}/2013-{month:02}.parquet")
    table = table[table["origin"] == airport].dropna(subset=["arr_delay"])
    weather = pd.read_parquet(f"{data_dir}/weather.parquet")
    weather = weather[["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]]
    table = table.merge(weather, on=["origin", "time_hour"], how="left")
    table["late"] = (table["arr_delay"] > 15).astype(int)
    columns = ["day", "hour", "carrier", "dest", "distance", "temp", "wind_speed", "precip"]
    table[[*columns, "visib", "late"]].to_parquet(flights.path)
    flights.metadata.update(airport=airport, month=month, rows=len(table))
    return len(table)


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def train(flights: Input[Dataset], kind: str, first_test_day: int, model: Output[Model]) -> float:
    """Trains on the days before the test; returns the ROC AUC on the last seven of them."""
    import joblib
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    table = pd.read_parquet(flights.path)
    words = ["carrier", "dest"]
    numbers = ["hour", "distance", "temp", "wind_speed", "precip", "visib"]
    if kind == "logistic":
        prepare = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", min_frequency=20), words),
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        )
        classifier = LogisticRegression(max_iter=1000)
    else:
        unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
        prepare = make_column_transformer(
            (OrdinalEncoder(**unknown), words), remainder="passthrough"
        )
        classifier = HistGradientBoostingClassifier(max_depth=4, max_iter=50, random_state=0)
    known = table[table["day"] < first_test_day]
    earlier, later = (
        known[known["day"] < first_test_day - 7],
        known[known["day"] >= first_test_day - 7],
    )
    fitted = make_pipeline(prepare, classifier).fit(earlier[words + numbers], earlier["late"])
    score = roc_auc_score(later["late"], fitted.predict_proba(later[words + numbers])[:, 1])
    fitted.fit(known[words + numbers], known["late"])
    joblib.dump(fitted, model.path)
    # Above it lie as many of these flights as were late: the most likely ones.
    probability = pd.Series(fitted.predict_proba(known[words + numbers])[:, 1])
    threshold = float(probability.quantile(1 - known["late"].mean()))
    model.metadata.update(kind=kind, auc=round(float(score), 3), threshold=threshold)
    return round(float(score), 3)


@dsl.component(base_image=IMAGE)
def take_better(
    logistic: Input[Model], boosting: Input[Model], logistic_auc: float, boosting_auc: float,
    chosen: Output[Model],
) -> str:  # fmt: skip
    """Copies the model with the higher score."""
    import shutil

    better = boosting if boosting_auc > logistic_auc else logistic
    shutil.copyfile(better.path, chosen.path)
    chosen.metadata.update({name: better.metadata[name] for name in ("kind", "auc", "threshold")})
    return better.metadata["kind"]


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def always_on_time(flights: Input[Dataset], first_test_day: int, model: Output[Model]):
    """The baseline: gives each flight the share late before the test, and calls none late."""
    import joblib
    import pandas as pd
    from sklearn.dummy import DummyClassifier

    table = pd.read_parquet(flights.path)
    known = table[table["day"] < first_test_day]
    baseline = DummyClassifier(strategy="prior").fit(known[["hour"]], known["late"])
    joblib.dump(baseline, model.path)
    threshold = float(baseline.predict_proba(known[["hour"]].head(1))[0, 1])  # none is above it
    model.metadata.update(kind="baseline", auc=0.5, threshold=threshold)


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def test_model(
    flights: Input[Dataset], model: Input[Model], first_test_day: int,
    metrics: Output[Metrics], curve: Output[ClassificationMetrics],
) -> dict:  # fmt: skip
    """Scores a model on the last days of the month; draws its ROC curve, its confusion matrix."""
    import joblib
    import pandas as pd
    from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve

    table = pd.read_parquet(flights.path)
    table = table[table["day"] >= first_test_day]
    probability = joblib.load(model.path).predict_proba(table)[:, 1]
    auc = round(float(roc_auc_score(table["late"], probability)), 3)
    false_alarms, found, thresholds = roc_curve(table["late"], probability)
    last = len(thresholds) - 1  # the end of the curve belongs to it, too
    some = sorted({*range(0, last, max(1, last // 50)), last})
    curve.log_roc_curve(
        [float(false_alarms[i]) for i in some],
        [float(found[i]) for i in some],
        [min(float(thresholds[i]), 1.0) for i in some],
    )
    # The threshold comes with the model, from the days before; these flights have no say in it.
    matrix = confusion_matrix(table["late"], probability > model.metadata["threshold"])
    curve.log_confusion_matrix(["on time", "late"], matrix.tolist())
    metrics.log_metric("auc", auc)
    metrics.log_metric("late_share", round(float(table["late"].mean()), 4))
    airport = flights.metadata["airport"]
    return {"airport": airport, "flights": len(table), "kind": model.metadata["kind"], "auc": auc}


@dsl.component(base_image=IMAGE)
def compare_airports(results: list, table: Output[Markdown], page: Output[HTML]) -> str:
    """One row for each airport, as Markdown and as a page; returns the easiest airport."""
    import html

    rows = sorted(results, key=lambda row: row["auc"], reverse=True)
    names = ["airport", "flights", "kind", "auc"]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    lines += [f"| {' | '.join(str(row[name]) for name in names)} |" for row in rows]
    with open(table.path, "w") as file:
        file.write("\n".join(lines) + "\n")
    bars = "".join(
        f"<p>{html.escape(row['airport'])} <meter min='0.5' max='1' value='{float(row['auc'])}'>"
        f"</meter> {float(row['auc']):.3f}</p>"
        for row in rows
    )
    with open(page.path, "w") as file:
        file.write(f"<h1>ROC AUC by airport</h1>{bars}")
    return rows[0]["airport"]


@dsl.component(base_image=IMAGE)
def tell_end(status: dsl.PipelineTaskFinalStatus, month: int):
    """Runs at the end, whatever happened; a real one would write to a chat or a pager."""
    print(f"month {month}: {status.state}")
    if status.error_message:
        print(status.error_message)
