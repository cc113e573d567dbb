"""What the components of this lab share; each image gets a copy of this file."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import joblib
import pandas as pd
from sklearn.model_selection import StratifiedKFold, cross_val_score

LABEL = "malignant"
FOLDS = 5


class InputError(Exception):
    """What was given cannot be worked with; the text says what, and what to do."""


def call(main: Callable[[], None]) -> None:
    """Calls a program's main function; an InputError becomes one line and exit code 1."""
    try:
        main()
    except InputError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


def positive_int(text: str) -> int:
    """For argparse: an int above 0."""
    if int(text) < 1:
        raise ValueError
    return int(text)


def positive_float(text: str) -> float:
    """For argparse: a float above 0."""
    if not float(text) > 0:
        raise ValueError
    return float(text)


def read_table(path: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Reads a table: its measurements, and its column `malignant`, 0 or 1.

    Raises:
        InputError: there is no such table, or it has other columns than these.
    """
    try:
        table = pd.read_csv(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: not a CSV file ({error})") from error
    if LABEL not in table:
        raise InputError(f"{path}: no column {LABEL!r}; fetch_data.py makes such a table")
    wrong = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    if wrong or table.isna().any(axis=None):
        raise InputError(f"{path}: every value must be a number; look at {wrong or 'empty cells'}")
    return table.drop(columns=LABEL), table[LABEL]


def training_parser(description: str) -> argparse.ArgumentParser:
    """The arguments that every training program has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--input", type=Path, required=True, help="table to learn from (CSV)")
    parser.add_argument("--output", type=Path, required=True, help="model to write (joblib)")
    parser.add_argument("--metrics", type=Path, required=True, help="metrics to write (JSON)")
    parser.add_argument("--random-state", type=int, default=42, help="seed [42]")
    add_executor_input(parser)
    return parser


def add_executor_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--executor-input", type=json.loads, default={}, help="Kubeflow Pipelines' {{$}} (JSON)"
    )


def train(model, arguments: argparse.Namespace) -> None:
    """Measures a model by cross-validation, fits it on the whole table, and writes both.

    Raises:
        InputError: the table cannot be learned from.
    """
    features, labels = read_table(arguments.input)
    if labels.nunique() < 2 or labels.value_counts().min() < FOLDS:
        raise InputError(f"{arguments.input}: fewer than {FOLDS} rows of a kind, too few to learn")
    folds = StratifiedKFold(n_splits=FOLDS, shuffle=True, random_state=arguments.random_state)
    accuracy = cross_val_score(model, X=features, y=labels, cv=folds).mean()
    write_model(model.fit(X=features, y=labels), arguments.output)
    metrics = {"cv_accuracy": round(float(accuracy), 4)}
    write_metrics(metrics, arguments.metrics, arguments.executor_input)
    print(f"{len(features)} rows, accuracy in cross-validation {accuracy:.4f}")


def write_model(model, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, path)


def write_metrics(metrics: dict[str, float], path: Path, executor_input: dict) -> None:
    """Writes metrics to a file, and tells Kubeflow Pipelines, which keeps them as metadata.

    Args:
        metrics: name to value.
        path: the JSON file.
        executor_input: what KFP passes for `{{$}}`; it names the file that KFP reads afterwards,
            and the outputs of this task. Empty when the program does not run in a pipeline.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(metrics, indent=2) + "\n")
    if executor_input:
        outputs = executor_input["outputs"]
        outputs["artifacts"]["metrics"]["artifacts"][0]["metadata"] = metrics
        message = Path(outputs["outputFile"])
        message.parent.mkdir(parents=True, exist_ok=True)
        message.write_text(json.dumps({"artifacts": outputs["artifacts"]}))
