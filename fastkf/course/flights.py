"""The recipe of the flights: one Parquet file for each month, and their weather, planes, airports.

Parquet keeps types and missing values, and a month is read without reading the year. The bytes of a
file depend on the release of pyarrow that writes it, so pyproject.toml names one.
"""

import io
import zipfile
from importlib.util import find_spec
from typing import Any

from fastkf.base.errors import FastkfError

MONTHS = range(1, 13)
TABLES = ("weather", "planes", "airports", "airlines")
MISSING = "NA"


def make_flights(members: list[bytes]) -> dict[str, bytes]:
    """The five tables of the package; the flights by month, in the order of the source.

    Raises:
        FastkfError: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise FastkfError(
            "flights: the files are written with pyarrow, which is not installed",
            "install what the steps of the labs need: pip install 'fastkf[steps]'",
        )
    import pyarrow.compute as compute

    with zipfile.ZipFile(io.BytesIO(members[0])) as packed:
        flights = read_table(packed.read("flights.csv"))
    files = {f"{name}.parquet": read_table(member) for name, member in named(members[1:])}
    months = {
        f"2013-{month:02}.parquet": flights.filter(compute.equal(flights["month"], month))
        for month in MONTHS
    }
    return {name: write_parquet(table) for name, table in {**months, **files}.items()}


def named(members: list[bytes]) -> list[tuple[str, bytes]]:
    return list(zip(TABLES, members, strict=True))


def read_table(text: bytes) -> Any:
    """A CSV table with the types that its columns have: whole numbers, numbers, strings, times."""
    from pyarrow import csv

    convert = csv.ConvertOptions(
        null_values=[MISSING],
        strings_can_be_null=True,
        timestamp_parsers=["%Y-%m-%dT%H:%M:%SZ"],
    )
    # One block: a type is inferred from the first, where a column may be empty by chance.
    read = csv.ReadOptions(block_size=max(len(text), 1), use_threads=False)
    return csv.read_csv(io.BytesIO(text), read_options=read, convert_options=convert)


def write_parquet(table: Any) -> bytes:
    """The table as the bytes of a Parquet file, in one group of rows."""
    from pyarrow import parquet

    written = io.BytesIO()
    parquet.write_table(
        table.combine_chunks(),
        written,
        compression="zstd",
        row_group_size=max(table.num_rows, 1),
        store_schema=False,
    )
    return written.getvalue()
