"""What requests hold, as arrays."""

import numpy as np
from kserve import InferInput
from kserve.errors import InvalidInput
from kserve.utils.numpy_codec import to_np_dtype

KINDS = {"b": "true or false", "i": "integers", "u": "integers", "f": "numbers", "U": "strings"}


def as_array(values, dtype: np.dtype, name: str) -> np.ndarray:
    """Nested lists as an array.

    Raises:
        InvalidInput: the lists differ in length, or hold what the type cannot.
    """
    dtype = np.dtype(dtype)
    try:
        found = np.asarray(values)
    except ValueError as error:
        raise InvalidInput(f"{name}: its lists differ in length or depth") from error
    if dtype.kind == "O":
        return found.astype(object)
    if not np.can_cast(found.dtype, dtype, casting="same_kind") and not _fits(found, dtype):
        kind = KINDS.get(found.dtype.kind, "a mixture, or null")
        raise InvalidInput(f"{name}: takes {dtype.name}, and was given {kind}")
    with np.errstate(over="ignore"):
        return found.astype(dtype)


def read_tensor(tensor: InferInput) -> np.ndarray:
    """A tensor of a V2 request.

    Raises:
        InvalidInput: an unknown datatype, or data of another type or shape than it says.
    """
    dtype = to_np_dtype(tensor.datatype)
    if dtype is None:
        raise InvalidInput(
            f"{tensor.name}: no datatype {tensor.datatype}; there are BOOL, BYTES, INT8 to INT64, "
            "UINT8 to UINT64, FP16, FP32 and FP64"
        )
    if tensor.data is not None:  # else it came as bytes behind the JSON
        values = as_array(tensor.data, dtype, tensor.name)
    else:
        try:
            values = tensor.as_numpy()
        except ValueError as error:
            raise InvalidInput(f"{tensor.name}: {error}") from error
    if any(size < 0 for size in tensor.shape) or values.size != np.prod(tensor.shape, dtype=int):
        raise InvalidInput(
            f"{tensor.name}: its shape {tensor.shape} does not fit its {values.size} values"
        )
    return values.reshape(tensor.shape)


def check_finite(values: np.ndarray, message: str) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InvalidInput(message)


def _fits(found: np.ndarray, dtype: np.dtype) -> bool:
    """Whether integers are within the range of another type of integers."""
    if found.dtype.kind not in "iu" or dtype.kind not in "iu" or not found.size:
        return False
    limits = np.iinfo(dtype)
    return limits.min <= found.min() and found.max() <= limits.max
