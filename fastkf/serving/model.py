"""What the kinds of models have in common."""

import asyncio
from abc import abstractmethod
from pathlib import Path

import kserve
import numpy as np
import orjson
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

    async def preprocess(self, payload, headers=None):
        """Takes JSON of any content type, as TensorFlow Serving does: `curl -d` names a form."""
        if isinstance(payload, bytes):
            try:
                payload = orjson.loads(payload)
            except orjson.JSONDecodeError as error:
                raise InvalidInput(f"not JSON: {error}") from error
        if not isinstance(payload, dict | kserve.InferRequest):
            raise InvalidInput('a request is a JSON object: {"instances": [...]}')
        return payload

    async def predict(self, payload, headers=None, response_headers=None):
        return await asyncio.to_thread(self.answer, payload)

    def check_result(self, values: np.ndarray) -> None:
        check_finite(values, f"{self.name}: the result is not a finite number; look for huge input")
