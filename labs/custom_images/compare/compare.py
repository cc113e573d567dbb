"""Chooses the model that did best in cross-validation, and tests that one."""

import argparse
import html
import json
from pathlib import Path

import joblib
from shared import InputError, add_executor_input, call, read_table, write_metrics, write_model
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Models compared</title></head><body>
<h2>{best} is chosen</h2>
<table><thead><tr><th>model</th><th>accuracy in cross-validation</th></tr></thead><tbody>
{rows}
</tbody></table>
<p>On the {count} test rows: accuracy {accuracy:.4f}. Of {sick} malignant tumours it finds {found};
of {well} benign ones it takes {wrong} for malignant.</p>
</body></html>
"""


def parse_arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, required=True, help="table to test on (CSV)")
    parser.add_argument(
        "--candidate",
        nargs=3,
        action="append",
        required=True,
        metavar=("NAME", "MODEL", "METRICS"),
        help="a model's name, the model (joblib) and its metrics (JSON); may be repeated",
    )
    parser.add_argument("--output", type=Path, required=True, help="the best model, to write")
    parser.add_argument("--metrics", type=Path, required=True, help="metrics to write (JSON)")
    parser.add_argument("--report", type=Path, required=True, help="page to write (HTML)")
    parser.add_argument("--best", type=Path, required=True, help="file for the best model's name")
    add_executor_input(parser)
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    arguments = parse_arguments(words)
    features, labels = read_table(arguments.input)
    accuracies = {name: read_accuracy(Path(path)) for name, _, path in arguments.candidate}
    best = max(accuracies, key=accuracies.get)  # the first of equals
    model = read_model(next(Path(path) for name, path, _ in arguments.candidate if name == best))
    predicted = model.predict(features)
    metrics = {
        "test_accuracy": round(float(accuracy_score(labels, predicted)), 4),
        "test_recall": round(float(recall_score(labels, predicted)), 4),
    }
    write_model(model, arguments.output)
    page = describe(best, accuracies, labels, predicted, metrics["test_accuracy"])
    for path, text in [(arguments.best, best), (arguments.report, page)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    write_metrics(metrics, arguments.metrics, arguments.executor_input)
    print(f"{best} is the best of {len(accuracies)}; test accuracy {metrics['test_accuracy']}")


def read_accuracy(path: Path) -> float:
    """The accuracy in cross-validation, from what a training program has written."""
    try:
        return float(json.loads(path.read_text())["cv_accuracy"])
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not the metrics of a training program") from error


def read_model(path: Path):
    """Loads a model. joblib runs code from the file: load only what your own pipeline has made."""
    try:
        return joblib.load(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except Exception as error:  # whatever unpickling a damaged file comes to
        raise InputError(f"{path}: not a model ({type(error).__name__}: {error})") from error


def describe(best: str, accuracies: dict, labels, predicted, accuracy: float) -> str:
    """The comparison as a page."""
    (right, wrong), (missed, found) = confusion_matrix(labels, predicted, labels=[0, 1])
    rows = "\n".join(
        f"<tr><td>{html.escape(name)}</td><td>{value:.4f}</td></tr>"
        for name, value in sorted(accuracies.items(), key=lambda item: -item[1])
    )
    return PAGE.format(
        best=html.escape(best),
        rows=rows,
        count=len(labels),
        accuracy=accuracy,
        sick=missed + found,
        found=found,
        well=right + wrong,
        wrong=wrong,
    )


if __name__ == "__main__":
    call(main)
