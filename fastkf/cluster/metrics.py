"""The metrics of a run: what its steps logged to artifacts of the type system.Metrics.

Kubeflow Pipelines up to 2.17 keeps them in ML Metadata only. fastkf's own server answers
`GET /apis/v2beta1/artifacts/ID`.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import ClusterError
from fastkf.cluster.metadata import Store
from fastkf.engine.results import METRICS

ARTIFACTS = "/apis/v2beta1/artifacts"
METRIC_TYPES = (METRICS, "Metric")
MOST_ARTIFACTS = 200


def fetch_metrics(
    connection: Connection, run_id: str, artifacts: Sequence[str]
) -> dict[str, float]:
    """The metrics of a run, by name, from wherever they are.

    Args:
        artifacts: the ids of the artifacts that the API lists for the run's tasks.

    Raises:
        ClusterError: this server does not let them be read; the text says why.
    """
    if artifacts:
        return _join(_read_artifact(connection, id) for id in artifacts[:MOST_ARTIFACTS])
    known = Store(connection, run_id).read_artifacts().values()
    return _join(_name_metrics(one.metadata) for one in known if one.type in METRIC_TYPES)


def _join(metrics: Iterable[dict[str, float]]) -> dict[str, float]:
    return {name: value for one in metrics for name, value in one.items()}


def _read_artifact(connection: Connection, id: str) -> dict[str, float]:
    answer = connection.request_page("GET", f"{connection.host}{ARTIFACTS}/{id}")
    if answer.status_code != 200:
        raise ClusterError(f"{ARTIFACTS}/{id} answers {answer.status_code}")
    try:
        artifact = json.loads(answer.text)
        if artifact.get("type") not in METRIC_TYPES:
            return {}
        values = dict(artifact.get("metadata") or {})
        if "number_value" in artifact:
            values[artifact["name"]] = artifact["number_value"]
        return _name_metrics(values)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ClusterError(f"{ARTIFACTS}/{id} answers no artifact") from error


def _name_metrics(values: dict[str, Any]) -> dict[str, float]:
    """The numbers, named as in the notebook: Kale writes a dash for an underscore."""
    numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
    return {name.replace("-", "_"): value for name, value in numbers.items()}
