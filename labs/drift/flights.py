"""What several steps of lab 10 need: they are written into each component that names them."""


def read_months(data_dir, months):
    """The flights of some months of 2013 with the weather at their departure, and what was late.

    `late` is 1 or 0, and missing where a flight never arrived.
    """
    import pandas as pd

    weather = pd.read_parquet(f"{data_dir}/weather.parquet")
    weather = weather[["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]]
    tables = [pd.read_parquet(f"{data_dir}/2013-{month:02}.parquet") for month in months]
    flights = pd.concat(tables).merge(weather, on=["origin", "time_hour"], how="left")
    arrived = flights["arr_delay"].notna()
    flights["late"] = (flights["arr_delay"] > 15).astype(float).where(arrived)
    return flights


def find_faults(table, names=None):
    """What cannot be in the columns of a table, each as a text; by default in those of flights."""
    import pandera.pandas as pa

    limits = {"hour": (0, 23), "distance": (10, 6000), "arr_delay": (-120, 2000)}
    limits |= {"temp": (-40, 130), "wind_speed": (0, 150), "precip": (0, 15), "visib": (0, 10)}
    columns = {}
    for name in names or limits:
        inside, may_miss = pa.Check.in_range(*limits[name]), name not in ("hour", "distance")
        columns[name] = pa.Column(float, inside, nullable=may_miss, coerce=True)
    try:
        pa.DataFrameSchema(columns).validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases[["column", "check", "failure_case"]]
        return [f"{column}: {check}, found {case}" for column, check, case in cases.to_numpy()]
    return []


def measure_psi(old, new, bins=10):
    """The population stability index of one column: 0 where old and new have equal shares."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_numeric_dtype(old):
        edges = np.unique(old.quantile(np.linspace(0, 1, bins + 1)[1:-1]))
        parts = [np.searchsorted(edges, part.dropna(), side="right") for part in (old, new)]
        old, new = pd.Series(parts[0]), pd.Series(parts[1])
    counts = pd.DataFrame({"old": old.value_counts(), "new": new.value_counts()})
    shares = counts.fillna(0) + 0.5  # half a flight, so that no share is 0
    shares = shares / shares.sum()
    return float(((shares["new"] - shares["old"]) * np.log(shares["new"] / shares["old"])).sum())


def lose(model, flights):
    """The log loss of each flight: how surprised the model was by what happened."""
    import numpy as np

    late = model.predict_proba(flights)[:, 1]
    return -np.log(np.where(flights["late"] == 1, late, 1 - late))


def resample_days(gain, days, times=2000, seed=0):
    """A 95 % confidence interval of the mean gain of a flight, by drawing whole days anew."""
    import numpy as np
    import pandas as pd

    by_day = pd.Series(np.asarray(gain)).groupby(np.asarray(days)).agg(["sum", "size"]).to_numpy()
    chance = np.random.default_rng(seed)
    drawn = by_day[chance.integers(0, len(by_day), size=(times, len(by_day)))].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    return float(low), float(high)
