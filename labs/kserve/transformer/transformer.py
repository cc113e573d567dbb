"""A KServe transformer for the Titanic model: from passengers to the features it was trained on.

It takes passengers as the lists of the ship have them, computes the features as the lab does,
sends them to the predictor, and passes its answer on. V1 protocol.

    python transformer.py --model_name titanic --predictor_host 127.0.0.1:8080 --http_port 8090
"""

import argparse
import re

import httpx
import kserve
from kserve import model_server
from kserve.errors import InvalidInput

NEEDED = ("name", "passenger_class", "sex", "age", "siblings_spouses", "parents_children", "fare")
TITLES = {"Mlle": "Miss", "Ms": "Miss", "Mme": "Mrs"}


def make_features(passenger: dict) -> dict:
    """The features of one passenger.

    Raises:
        InvalidInput: a fact about the passenger is missing, or of the wrong type.
    """
    if missing := [fact for fact in NEEDED if fact not in passenger]:
        raise InvalidInput(f"a passenger lacks {', '.join(missing)}")
    title = re.search(r", ([^.]+)[.]", str(passenger["name"]))
    if title is None:
        raise InvalidInput(f'a name is written "Family, Title. First", not {passenger["name"]!r}')
    try:
        family_size = 1 + passenger["siblings_spouses"] + passenger["parents_children"]
        fare_per_person = passenger["fare"] / family_size
    except (TypeError, ZeroDivisionError) as error:
        raise InvalidInput("siblings_spouses, parents_children and fare are numbers") from error
    return {
        "passenger_class": passenger["passenger_class"],
        "sex": passenger["sex"],
        "age": passenger["age"],
        "deck": passenger.get("deck") or "unknown",
        "title": TITLES.get(title[1], title[1]),
        "family_size": family_size,
        "fare_per_person": fare_per_person,
    }


class TitanicTransformer(kserve.Model):
    """`preprocess` is ours; kserve's own `predict` asks the predictor, under the same name."""

    def __init__(self, name: str):
        super().__init__(name)
        self.ready = True

    async def preprocess(self, payload, headers=None):
        passengers = payload.get("instances") if isinstance(payload, dict) else None
        if not passengers or not all(isinstance(passenger, dict) for passenger in passengers):
            raise InvalidInput('send {"instances": [{"name": "Miller, Mrs. John", ...}]} (V1)')
        rows = [make_features(passenger) for passenger in passengers]
        # A list for each column: the form that KServe's scikit-learn server takes.
        return {"instances": [{column: [row[column] for row in rows] for column in rows[0]}]}

    async def predict(self, payload, headers=None, response_headers=None):
        try:
            return await super().predict(payload, headers, response_headers)
        except httpx.HTTPStatusError as error:
            if error.response.is_client_error:
                raise InvalidInput(read_error(error.response)) from error
            raise


def read_error(answer: httpx.Response) -> str:
    """What the predictor says is wrong."""
    try:
        return str(answer.json()["error"])
    except (KeyError, TypeError, ValueError):
        return answer.text


class ModelServer(kserve.ModelServer):
    """kserve's server listens on all interfaces; this one can be told where to listen."""

    host = "127.0.0.1"

    async def _serve(self):
        self._rest_server.config.host = self.host
        await super()._serve()


def main():
    parser = argparse.ArgumentParser(parents=[model_server.parser], description=__doc__)
    parser.add_argument("--host", default=ModelServer.host, help="0.0.0.0 in a container")
    arguments = parser.parse_args()
    server = ModelServer(enable_grpc=False)
    server.host = arguments.host
    server.start([TitanicTransformer(arguments.model_name)])


if __name__ == "__main__":
    main()
