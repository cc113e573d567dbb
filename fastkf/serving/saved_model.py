"""TensorFlow's SavedModels, asked as TensorFlow Serving and KServe are asked.

The REST requests of TensorFlow Serving: https://www.tensorflow.org/tfx/serving/api_rest
"""

from pathlib import Path

import kserve
import numpy as np
import orjson
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from kserve.errors import InvalidInput
from kserve.utils.numpy_codec import from_np_dtype
from kserve.utils.utils import generate_uuid
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as SavedModelFile

from fastkf.base.errors import FastkfError, first_line
from fastkf.serving.folders import SAVED_MODEL
from fastkf.serving.model import ServedModel
from fastkf.serving.tensors import as_array, check_finite, read_tensor

SIGNATURE = "serving_default"


class SavedModel(ServedModel):
    """One version of a SavedModel; it knows the folders of the others."""

    def __init__(self, name: str, versions: dict[int, Path], version: int | None = None):
        self.version = max(versions) if version is None else version
        super().__init__(name, versions[self.version].parent)
        self.folders = versions
        self.loaded = load(versions[self.version])
        self.others: dict[int, SavedModel] = {}
        takes = ", ".join(
            f"{i['name']} {i['datatype']} {i['shape']}" for i in self.get_input_types()
        )
        self.description = f"SavedModel, version {self.version}, takes {takes}"

    def of_version(self, version: str) -> "SavedModel | None":
        """The model of a version; one that is not the newest is loaded when first asked for."""
        number = int(version) if version.isascii() and version.isdigit() else None
        if number == self.version:
            return self
        if number in self.folders and number not in self.others:
            self.others[number] = SavedModel(self.name, self.folders, number)
        return None if number is None else self.others.get(number)

    def get_input_types(self) -> list[dict]:
        return [describe(name, spec) for name, spec in inputs_of(self.signature()).items()]

    def get_output_types(self) -> list[dict]:
        outputs = self.signature().structured_outputs
        return [describe(name, spec) for name, spec in sorted(outputs.items())]

    def signature(self, name: str = SIGNATURE):
        """One of the model's functions.

        Raises:
            InvalidInput: there is none of that name.
        """
        if name not in self.loaded.signatures:
            known = ", ".join(self.loaded.signatures)
            raise InvalidInput(f"{self.name}: no signature {name}; there are: {known}")
        return self.loaded.signatures[name]

    def read_bytes(self, payload: bytes) -> object:
        """TensorFlow Serving reads JSON of any content type."""
        try:
            return orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise InvalidInput(f"not JSON: {error}") from error

    def describe_status(self) -> dict:
        return {
            "model_version_status": [
                {
                    "version": str(version),
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
                for version in sorted(self.folders, reverse=True)
            ]
        }

    def describe_signatures(self) -> dict:
        path = self.folders[self.version] / SAVED_MODEL
        signatures = SavedModelFile.FromString(path.read_bytes()).meta_graphs[0].signature_def
        shown = {name: as_json(signatures[name]) for name in self.loaded.signatures}
        return {
            "model_spec": {
                "name": self.name,
                "signature_name": "",
                "version": str(self.version),
            },
            "metadata": {"signature_def": {"signature_def": shown}},
        }

    def answer(self, request):
        if isinstance(request, kserve.InferRequest):
            return self.answer_v2(request)
        signature = self.signature(str(request.get("signature_name", SIGNATURE)))
        if ("instances" in request) == ("inputs" in request):
            raise InvalidInput('a request has either "instances" (rows) or "inputs" (columns)')
        if "inputs" in request:
            outputs = self.call(signature, read_columns(request["inputs"], signature))
            return {"outputs": as_lists(outputs)}
        outputs = self.call(signature, read_rows(request["instances"], signature))
        return {"predictions": as_rows(outputs)}

    def answer_v2(self, request: kserve.InferRequest) -> kserve.InferResponse:
        signature = self.signature()
        tensors = {tensor.name: read_tensor(tensor) for tensor in request.inputs}
        outputs = [
            kserve.InferOutput(name, list(values.shape), from_np_dtype(values.dtype), values)
            for name, values in self.call(signature, tensors).items()
        ]
        return kserve.InferResponse(
            response_id=request.id or generate_uuid(),
            model_name=self.name,
            model_version=str(self.version),
            infer_outputs=outputs,
            use_binary_outputs=request.use_binary_outputs,
            requested_outputs=request.request_outputs,
        )

    def call(self, signature, values: dict) -> dict[str, np.ndarray]:
        specs = inputs_of(signature)
        if set(values) != set(specs):
            given = ", ".join(values) or "something else"
            raise InvalidInput(f"{self.name}: takes {', '.join(specs)}, and was given {given}")
        tensors = {name: as_tensor(values[name], specs[name], name) for name in specs}
        try:
            outputs = signature(**tensors)
        except tf.errors.InvalidArgumentError as error:
            raise InvalidInput(f"{self.name}: {read_cause(error)}") from error
        arrays = {name: output.numpy() for name, output in outputs.items()}
        for array in arrays.values():
            self.check_result(array)
        return arrays


def load(folder: Path):
    """Raises FastkfError when TensorFlow cannot load it, or it can only be trained on."""
    try:
        loaded = tf.saved_model.load(str(folder))
    except Exception as error:
        raise FastkfError(
            f"{folder}: does not load ({type(error).__name__}: {first_line(error)})",
            "it may be damaged, or made by a newer TensorFlow: export it again here",
        ) from error
    if SIGNATURE not in loaded.signatures:
        raise FastkfError(
            f"{folder}: has no signature {SIGNATURE}, so it cannot be served",
            "export it with Keras's model.export()",
        )
    return loaded


def read_cause(error: tf.errors.InvalidArgumentError) -> str:
    """The line that says what is wrong, between the graph's trace and the name of the node."""
    before_node = str(error).partition("[[{{node")[0]
    return before_node.strip().rpartition("\n")[2]


def inputs_of(signature) -> dict[str, tf.TensorSpec]:
    return dict(sorted(signature.structured_input_signature[1].items()))


def describe(name: str, spec: tf.TensorSpec) -> dict:
    """A tensor in the words of the V2 protocol; -1 stands for any size."""
    shape = [] if spec.shape.rank is None else [-1 if n is None else n for n in spec.shape]
    datatype = from_np_dtype(np.dtype(spec.dtype.as_numpy_dtype)) or spec.dtype.name
    return {"name": name, "datatype": datatype, "shape": shape}


def as_tensor(values, spec: tf.TensorSpec, name: str) -> tf.Tensor:
    """Raises InvalidInput when the values do not fit the type or the shape."""
    array = as_array(values, np.dtype(spec.dtype.as_numpy_dtype), name)
    check_finite(array, f"{name}: NaN, or a number too large for {spec.dtype.name}")
    if not spec.shape.is_compatible_with(array.shape):
        wanted = describe(name, spec)["shape"]
        raise InvalidInput(f"{name}: takes the shape {wanted}, and was given {list(array.shape)}")
    if array.size and spec.dtype == tf.string and not isinstance(array.flat[0], str | bytes):
        raise InvalidInput(f"{name}: takes strings")
    return tf.constant(array, dtype=spec.dtype)


def read_rows(rows, signature) -> dict:
    """The row form: a list with an element for each example."""
    if not isinstance(rows, list) or not rows:
        raise InvalidInput('"instances" is a list with at least one row')
    names = list(inputs_of(signature))
    if not isinstance(rows[0], dict):
        return {names[0]: rows} if len(names) == 1 else {}
    if any(not isinstance(row, dict) or set(row) != set(rows[0]) for row in rows):
        raise InvalidInput("instances: all rows name the same inputs")
    return {name: [row[name] for row in rows] for name in rows[0]}


def read_columns(columns, signature) -> dict:
    """The column form: a tensor for each input, or the tensor alone when there is one input."""
    names = list(inputs_of(signature))
    if isinstance(columns, dict):
        return columns
    return {names[0]: columns} if len(names) == 1 else {}


def as_lists(outputs: dict[str, np.ndarray]):
    lists = {name: decode(array.tolist()) for name, array in outputs.items()}
    return next(iter(lists.values())) if len(lists) == 1 else lists


def as_rows(outputs: dict[str, np.ndarray]) -> list:
    lists = as_lists(outputs)
    if len(outputs) == 1:
        return lists
    rows = zip(*lists.values(), strict=True)
    return [dict(zip(lists, row, strict=True)) for row in rows]


def as_json(message) -> dict:
    return MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def decode(values):
    """Bytes in nested lists as text."""
    if isinstance(values, list):
        return [decode(value) for value in values]
    return values.decode(errors="replace") if isinstance(values, bytes) else values
