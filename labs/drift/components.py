"""The components of lab 10: check, measure, train, compare, register, promote."""

from flights import find_faults, lose, measure_psi, read_months, resample_days
from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Markdown, Metrics, Model, Output
from registry import find_champion_of, open_hub, read_versions, write_version

IMAGE = "python:3.12"
PACKAGES = ["pandas>=2.2,<4", "pyarrow==26.0.1", "scikit-learn>=1.9,<1.10", "fsspec>=2025"]
CHECKS = [*PACKAGES, "pandera[pandas]>=0.35,<1", "scipy>=1.17,<2"]
REGISTRY = [*PACKAGES, "model-registry>=0.3.18,<0.4"]
REGISTRY_FUNCTIONS = [open_hub, read_versions, write_version, find_champion_of]


@dsl.component(
    base_image=IMAGE, packages_to_install=CHECKS, additional_funcs=[read_months, find_faults]
)  # fmt: skip
def check_data(
    data_dir: str, month: int, flights: Output[Dataset], report: Output[Markdown]
) -> int:
    """Reads a month and checks it: what is wrong stops the run, what is unusual is reported.

    Month 0 is the newest that has arrived. Returns the month.
    """
    import fsspec

    store, folder = fsspec.core.url_to_fs(data_dir)
    arrived = [int(path[-10:-8]) for path in store.glob(f"{folder}/2013-*.parquet")]
    month = month or max(arrived, default=0)
    if month < 2:
        raise ValueError(f"{data_dir}: no month after January has arrived, so none can be judged")
    table = read_months(data_dir, [month])
    faults = find_faults(table)
    if faults:
        raise ValueError(f"month {month}: {len(faults)} values cannot be: {'; '.join(faults[:5])}")
    missing = table["late"].isna().mean()
    table.to_parquet(flights.path)
    flights.metadata.update(month=month, rows=len(table))
    word = "**unusual**" if missing >= 0.05 else "usual"
    with open(report.path, "w") as file:
        file.write(f"{len(table)} flights of month {month}; {missing:.1%} never arrived: {word}\n")
    return month


@dsl.component(
    base_image=IMAGE, packages_to_install=REGISTRY, additional_funcs=REGISTRY_FUNCTIONS
)  # fmt: skip
def find_champion(registry: str, model: Output[Model]) -> list:
    """Copies the model of the champion; returns the months it has learned from, [] without one."""
    import fsspec

    champion = find_champion_of(read_versions(registry))
    if champion is None:
        open(model.path, "w").close()
        return []
    uri = f"{champion['artifact']['uri']}/model.joblib"
    with fsspec.open(uri, "rb") as source, open(model.path, "wb") as target:
        target.write(source.read())
    model.metadata.update(version=champion["name"])
    return [int(month) for month in champion["custom_properties"]["months"].split()]


@dsl.component(
    base_image=IMAGE, packages_to_install=CHECKS, additional_funcs=[read_months, measure_psi]
)  # fmt: skip
def measure_drift(
    data_dir: str, months: list, champion: Input[Model], flights: Input[Dataset],
    table: Output[Markdown],
) -> float:  # fmt: skip
    """Compares a month with the months that the champion knows; returns the PSI of its score."""
    import joblib
    import pandas as pd
    from scipy.stats import ks_2samp

    if not months:
        return 99.0  # there is no champion: more than any limit
    old, new = read_months(data_dir, months), pd.read_parquet(flights.path)
    model = joblib.load(champion.path)
    for part in (old, new):
        part["score"] = model.predict_proba(part)[:, 1]
    lines = ["| column | PSI | KS |", "|---|---|---|"]
    for name in ("carrier", "dest", "hour", "distance", "temp", "wind_speed", "precip", "visib",
                 "score"):  # fmt: skip
        psi, distance = measure_psi(old[name], new[name]), ""
        if pd.api.types.is_numeric_dtype(old[name]):
            distance = f"{ks_2samp(old[name].dropna(), new[name].dropna()).statistic:.3f}"
        lines.append(f"| {name} | {psi:.3f} | {distance} |")
    with open(table.path, "w") as file:
        file.write("\n".join(lines) + "\n")
    return round(psi, 3)


@dsl.component(
    base_image=IMAGE, packages_to_install=PACKAGES, additional_funcs=[read_months]
)  # fmt: skip
def train(data_dir: str, newest: int, model: Output[Model]) -> list:
    """Trains on all months before the newest one; returns those months."""
    import joblib
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    months = list(range(1, newest))
    flights = read_months(data_dir, months).dropna(subset=["late"])
    words = ["origin", "carrier", "dest"]
    amounts = ["hour", "distance", "temp", "wind_speed", "precip", "visib"]
    prepare = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", min_frequency=50), words),
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), amounts),
    )
    challenger = make_pipeline(prepare, LogisticRegression(solver="newton-cholesky"))
    joblib.dump(challenger.fit(flights[words + amounts], flights["late"]), model.path)
    model.metadata.update(months=months)
    return months


@dsl.component(
    base_image=IMAGE, packages_to_install=PACKAGES, additional_funcs=[lose, resample_days]
)  # fmt: skip
def compare(
    flights: Input[Dataset], champion: Input[Model], challenger: Input[Model], months: list,
    metrics: Output[Metrics],
) -> float:  # fmt: skip
    """Returns the lower end of what the challenger gains, in log loss a flight, with 95 %.

    Without a champion nothing is measured: it returns 1.0, so that the challenger is promoted.
    """
    import joblib
    import pandas as pd
    from sklearn.metrics import roc_auc_score

    table = pd.read_parquet(flights.path).dropna(subset=["late"])
    new = joblib.load(challenger.path)
    metrics.log_metric(
        "auc_challenger",
        round(float(roc_auc_score(table["late"], new.predict_proba(table)[:, 1])), 4),
    )
    if not months:
        return 1.0  # there is no champion to beat
    old = joblib.load(champion.path)
    gain = lose(old, table) - lose(new, table)
    low, high = resample_days(gain, table["day"])
    metrics.log_metric(
        "auc_champion",
        round(float(roc_auc_score(table["late"], old.predict_proba(table)[:, 1])), 4),
    )
    for name, value in (("gain", gain.mean()), ("gain_low", low), ("gain_high", high)):
        metrics.log_metric(name, round(float(value), 4))
    return round(low, 4)


@dsl.component(
    base_image=IMAGE, packages_to_install=REGISTRY, additional_funcs=REGISTRY_FUNCTIONS
)  # fmt: skip
def register(
    registry: str, models_dir: str, newest: int, months: list, gain_low: float,
    challenger: Input[Model],
) -> str:  # fmt: skip
    """Keeps the challenger under the name of the month it was tested on, and registers it."""
    import fsspec
    import sklearn

    name = f"2013-{newest:02}"
    champion = find_champion_of(read_versions(registry))
    if champion and champion["name"] == name:
        return name  # this month has decided already, and the same months make the same model
    uri = f"{models_dir}/{name}"
    with (
        open(challenger.path, "rb") as source,
        fsspec.open(f"{uri}/model.joblib", "wb", auto_mkdir=True) as target,
    ):
        target.write(source.read())
    properties = {"stage": "challenger", "months": " ".join(map(str, months))}
    if champion:  # without one there was nothing to compare with
        properties["gain_low"] = gain_low
    artifact = {
        "uri": uri,
        "model_format_name": "sklearn",
        "model_format_version": sklearn.__version__,
    }
    version = {"name": name, "state": "LIVE", "custom_properties": properties, "artifact": artifact}
    write_version(registry, version)
    return name


@dsl.component(
    base_image=IMAGE, packages_to_install=REGISTRY, additional_funcs=REGISTRY_FUNCTIONS
)  # fmt: skip
def promote(registry: str, models_dir: str, version: str, service: Output[Artifact]):
    """Makes a version the champion, switches what is served here, writes the manifest for KServe.

    The file in `models_dir/late-flights` is replaced as a whole, as a server may read it meanwhile.
    """
    import json

    import fsspec

    versions = read_versions(registry)
    old, new = find_champion_of(versions), next(one for one in versions if one["name"] == version)
    uri = new["artifact"]["uri"]
    store, served = fsspec.core.url_to_fs(f"{models_dir}/late-flights")
    store.makedirs(served, exist_ok=True)
    with (
        fsspec.open(f"{uri}/model.joblib", "rb") as source,
        store.open(f"{served}/model.joblib.new", "wb") as target,
    ):
        target.write(source.read())
    store.mv(f"{served}/model.joblib.new", f"{served}/model.joblib")
    new["custom_properties"]["stage"] = "champion"
    write_version(registry, new)
    if old and old["name"] != version:
        old["custom_properties"]["stage"], old["state"] = "replaced", "ARCHIVED"
        write_version(registry, old)
    model = {"modelFormat": {"name": "sklearn"}, "protocolVersion": "v1", "storageUri": uri}
    predictor = {"serviceAccountName": "models-reader", "model": model}
    if old and old["name"] != version:
        predictor["canaryTrafficPercent"] = 10
    manifest = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "late-flights"},
        "spec": {"predictor": predictor},
    }
    with open(service.path, "w") as file:
        json.dump(manifest, file, indent=2)
