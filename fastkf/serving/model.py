"""What the kinds of models have in common."""

import asyncio
from abc import abstractmethod
from pathlib import Path

import kserve
import numpy as np
from kserve.errors import InvalidInput

from fastkf.serving.tensors import check_finite


class ServedModel(kserve.Model):
    """A loaded model that answers V1 requests (dictionaries) and V2 requests (InferRequest)."""

    description = ""

    def __init__(self, name: str, folder: Path):
        super().__init__(name)
        self.folder = folder
        self.warnings: list[str] = []
        self.ready = True

    @abstractmethod
    def answer(self, request: dict | kserve.InferRequest) -> dict | kserve.InferResponse:
        """Raises InvalidInput when the request is wrong."""

    def of_version(self, version: str) -> "ServedModel | None":
        """One version of the model; None when there is no such version."""
        return None

    def describe_status(self) -> dict:
        """What TensorFlow Serving tells of a model, beside what kserve does."""
        return {}

    def describe_signatures(self) -> dict:
        """TensorFlow Serving's metadata; raises InvalidInput when there are none."""
        raise InvalidInput(f"{self.name}: only a SavedModel has signatures")

    def read_bytes(self, payload: bytes) -> object:
        """What stands in a request that is not said to be JSON; `curl --data` calls it a form.

        Raises:
            InvalidInput: on a cluster, the server of this kind of model would not read it.
        """
        raise InvalidInput(
            f"{self.name}: the request is not said to be JSON, and KServe's server reads no other "
            "(there: Expected 2D array); send the header content-type: application/json"
        )

    async def preprocess(self, payload, headers=None):
        if isinstance(payload, bytes):
            payload = self.read_bytes(payload)
        if not isinstance(payload, dict | kserve.InferRequest):
            raise InvalidInput('a request is a JSON object: {"instances": [...]}')
        return payload

    async def predict(self, payload, headers=None, response_headers=None):
        return await asyncio.to_thread(self.answer, payload)

    def check_result(self, values: np.ndarray) -> None:
        check_finite(values, f"{self.name}: the result is not a finite number; look for huge input")
