"""Models of scikit-learn, and others like them, from a file of joblib or pickle."""

import warnings
from pathlib import Path
from typing import Any

import joblib
import kserve
import numpy as np
import pandas as pd
from kserve.errors import InvalidInput
from kserve.utils.utils import get_predict_response
from sklearn.exceptions import InconsistentVersionWarning

from fastkf.base.errors import FastkfError, first_line
from fastkf.serving.model import ServedModel
from fastkf.serving.tensors import read_tensor


class PickledModel(ServedModel):
    """A model with a method `predict`, which takes a table of named columns or an array."""

    def __init__(self, name: str, path: Path):
        super().__init__(name, path.parent)
        self.estimator, self.warnings = load_estimator(path)
        self.columns = [str(column) for column in getattr(self.estimator, "feature_names_in_", [])]
        takes = f"columns {', '.join(self.columns)}" if self.columns else "arrays"
        self.description = f"{type(self.estimator).__name__} from {path.name}, takes {takes}"

    def get_input_types(self) -> list[dict]:
        width = getattr(self.estimator, "n_features_in_", None)
        if self.columns or width is None:  # the columns' types are not recorded in the model
            return []
        return [{"name": "input-0", "datatype": "FP64", "shape": [-1, width]}]

    def answer(self, request):
        if isinstance(request, kserve.InferRequest):
            rows = self.read_v2(request)
        else:
            rows = self.read_v1(request)
        try:
            result = np.asarray(self.estimator.predict(rows))
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"{self.name}: {first_line(error)}{self.advise(rows)}") from error
        self.check_result(result)
        if result.dtype.kind == "U":
            result = result.astype(object)
        return get_predict_response(request, result, self.name)

    def advise(self, rows) -> str:
        if self.columns and not isinstance(rows, pd.DataFrame):
            return f" Send rows as objects: {{column: value}}, with {', '.join(self.columns)}"
        return ""

    def read_v1(self, request: dict) -> pd.DataFrame | np.ndarray:
        rows = request.get("instances", request.get("inputs"))
        if not isinstance(rows, list) or not rows:
            raise InvalidInput('"instances" is missing: a list with at least one row')
        if isinstance(rows[0], dict):
            return self.check_columns(as_table(rows))
        try:
            return np.array(rows)
        except ValueError as error:
            raise InvalidInput("instances: rows of different lengths") from error

    def read_v2(self, request: kserve.InferRequest) -> pd.DataFrame | np.ndarray:
        if not request.inputs:
            raise InvalidInput('"inputs" is empty: it takes at least one tensor')
        asks_for_table = (request.parameters or {}).get("content_type") == "pd"
        if not asks_for_table and len(request.inputs) == 1 and not self.columns:
            return read_tensor(request.inputs[0])
        columns = {tensor.name: read_column(tensor) for tensor in request.inputs}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise InvalidInput(f"inputs of different lengths: {lengths}")
        return self.check_columns(pd.DataFrame(columns))

    def check_columns(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the model's columns in the model's order.

        Raises:
            InvalidInput: a column is missing.
        """
        if missing := [column for column in self.columns if column not in table]:
            raise InvalidInput(
                f"{self.name}: missing {', '.join(missing)}; it takes {', '.join(self.columns)}"
            )
        return table[self.columns] if self.columns else table


def load_estimator(path: Path) -> tuple[Any, list[str]]:
    """What is in the file, and warnings in words.

    Raises:
        FastkfError: it cannot be loaded here, or is no model.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator = joblib.load(path)
        except Exception as error:
            raise FastkfError(
                f"{path}: does not load ({type(error).__name__}: {first_line(error)})",
                "it may be damaged, or need other versions of packages than are here: train it "
                "again here",
            ) from error
    if not callable(getattr(estimator, "predict", None)):
        raise FastkfError(f"{path}: holds a {type(estimator).__name__}, which cannot predict")
    versions = {
        (warning.message.original_sklearn_version, warning.message.current_sklearn_version)
        for warning in caught
        if isinstance(warning.message, InconsistentVersionWarning)
    }
    return estimator, [
        f"{path}: made by scikit-learn {old}, loaded by {new}; its answers may be wrong"
        for old, new in sorted(versions)
    ]


def as_table(rows: list) -> pd.DataFrame:
    """Rows as objects: {column: value}, or {column: [values]} as kserve's own server wants it.

    Raises:
        InvalidInput: rows of another form.
    """
    if not all(isinstance(row, dict) and row for row in rows):
        raise InvalidInput("instances: some rows are objects and some are not")
    try:
        if any(isinstance(value, list | dict) for row in rows for value in row.values()):
            table = pd.concat([pd.DataFrame(row) for row in rows], ignore_index=True)
        else:
            table = pd.DataFrame(rows)
    except ValueError as error:
        raise InvalidInput(f"instances: {first_line(error)}") from error
    return pd.DataFrame({column: fill_gaps(table[column]) for column in table})


def read_column(tensor: kserve.InferInput) -> list:
    """One value a row, from a tensor of shape [rows] or [rows, 1]; null where it is missing."""
    if tensor.data is not None and len(tensor.shape) in (1, 2) and None in tensor.data:
        values = np.array(tensor.data, dtype=object)
        if values.size != np.prod(tensor.shape, dtype=int):
            raise InvalidInput(f"{tensor.name}: its shape does not fit its {values.size} values")
    else:
        values = read_tensor(tensor)
    if values.ndim not in (1, 2) or values.size != len(values):
        raise InvalidInput(f"{tensor.name}: a column has the shape [rows] or [rows, 1]")
    words = (v.decode() if isinstance(v, bytes) else v for v in values.ravel().tolist())
    return fill_gaps(words)


def fill_gaps(values) -> list:
    """JSON's null as what pandas and scikit-learn take for a missing value."""
    return [np.nan if value is None else value for value in values]
