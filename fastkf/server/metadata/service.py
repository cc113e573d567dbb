"""The calls of ML Metadata that clients of Kubeflow Pipelines 2.17 make, answered from the runs."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from sqlalchemy import ColumnElement, Integer, Select, literal_column, select
from sqlalchemy.orm import Session

from fastkf.server import database as db
from fastkf.server.errors import ApiError, Code, invalid
from fastkf.server.executions import read_executions
from fastkf.server.metadata import contents
from fastkf.server.metadata.contents import OF_RUN, Contents, describe_run
from fastkf.server.metadata.messages import MESSAGES, make
from fastkf.server.settings import Settings
from fastkf.server.specs import read_spec
from fastkf.server.tree import build_tree

NUMBER: ColumnElement[int] = literal_column("runs.rowid", Integer())
MOST_AT_ONCE, MOST_RUNS = 1000, 200


class Service:
    """The metadata of a server's runs, as one request sees them."""

    def __init__(self, settings: Settings, session: Session):
        self._settings, self._session = settings, session
        self._methods: dict[str, Callable[[Any], Any]] = {
            "GetContextByTypeAndName": self._find_context,
            "GetContextsByExecution": lambda asked: self._contexts(asked.execution_id),
            "GetContextsByArtifact": lambda asked: self._contexts(asked.artifact_id),
            "GetExecutionsByContext": lambda asked: {
                "executions": self._of_context(asked).executions.values()
            },
            "GetArtifactsByContext": lambda asked: {
                "artifacts": self._of_context(asked).artifacts.values()
            },
            "GetExecutionsByID": lambda asked: {"executions": self._executions(asked)},
            "GetArtifactsByID": lambda asked: {"artifacts": self._artifacts(asked)},
            "GetEventsByExecutionIDs": lambda asked: self._events(
                "execution_id", asked.execution_ids
            ),
            "GetEventsByArtifactIDs": lambda asked: self._events("artifact_id", asked.artifact_ids),
            "GetExecutions": lambda asked: self._list(asked, "executions"),
            "GetArtifacts": lambda asked: self._list(asked, "artifacts"),
            "GetArtifactTypes": lambda asked: _types("artifact", contents.ARTIFACT_TYPES, 0),
            "GetExecutionTypes": lambda asked: _types("execution", contents.EXECUTION_TYPES, 10),
            "GetContextTypes": lambda asked: _types("context", contents.CONTEXT_TYPES, 20),
        }

    def answer(self, method: str, request: bytes) -> bytes:
        """The message that answers a call.

        Raises:
            ApiError: there is no such method here, or what it is asked for.
        """
        if method not in self._methods:
            raise ApiError(Code.UNIMPLEMENTED, f"this server does not answer {method[:60]}")
        try:
            asked = MESSAGES[f"{method}Request"].FromString(request)
        except DecodeError as error:
            raise invalid(f"no {method}Request") from error
        fields = self._methods[method](asked)
        return bytes(make(f"{method}Response", **fields).SerializeToString())

    def _find_context(self, asked: Any) -> dict[str, Any]:
        if asked.type_name == contents.CONTEXT:
            for found in self._read(select(db.Run, NUMBER).where(db.Run.id == asked.context_name)):
                return {"context": found.context}
        return {}

    def _of_context(self, asked: Any) -> Contents:
        for found in self._read(select(db.Run, NUMBER).where(asked.context_id == NUMBER)):
            return found
        return Contents(None, {}, {}, [])

    def _contexts(self, id: int) -> dict[str, Any]:
        return {"contexts": [found.context for found in self._of_things([id])]}

    def _executions(self, asked: Any) -> list[Any]:
        ids = set(asked.execution_ids)
        runs = self._of_things(ids)
        return [one for run in runs for id, one in run.executions.items() if id in ids]

    def _artifacts(self, asked: Any) -> list[Any]:
        ids = set(asked.artifact_ids)
        runs = self._of_things(ids)
        return [one for run in runs for id, one in run.artifacts.items() if id in ids]

    def _events(self, field: str, ids: Iterable[int]) -> dict[str, Any]:
        wanted = set(ids)
        runs = self._of_things(wanted)
        return {
            "events": [one for run in runs for one in run.events if getattr(one, field) in wanted]
        }

    def _list(self, asked: Any, kind: str) -> dict[str, Any]:
        """Those of the newest runs; a page ends with a run, and its token is that run's number."""
        options = asked.options
        if options.filter_query:
            raise invalid("filter_query is not read here")
        size = min(options.max_result_size or 20, MOST_AT_ONCE)
        query = select(db.Run, NUMBER).order_by(NUMBER.desc()).limit(MOST_RUNS)
        if options.next_page_token:
            if not options.next_page_token.isdecimal() or len(options.next_page_token) > 18:
                raise invalid("next_page_token: not one that this server has given")
            query = query.where(int(options.next_page_token) > NUMBER)
        found: list[Any] = []
        token = ""
        for run in self._read(query):
            found += getattr(run, kind).values()
            token = str(run.context.id)
            if len(found) >= size:
                break
        return {kind: found, "next_page_token": token if found else ""}

    def _of_things(self, ids: Iterable[int]) -> Iterator[Contents]:
        numbers = {id >> OF_RUN for id in ids}
        if len(numbers) > MOST_RUNS:
            raise invalid(f"of more than {MOST_RUNS} runs")
        return self._read(select(db.Run, NUMBER).where(NUMBER.in_(numbers)))

    def _read(self, query: Select[db.Run, int]) -> Iterator[Contents]:
        for row, number in self._session.execute(query):
            executions = read_executions(self._settings, row)
            tree = build_tree(read_spec(self._settings, row), executions)
            numbers = self._number_runs({one.step.cached_from for one in executions} - {None})
            yield describe_run(number, row, executions, tree, numbers)

    def _number_runs(self, ids: Collection[str | None]) -> dict[str, int]:
        if not ids:
            return {}
        query = select(db.Run.id, NUMBER).where(db.Run.id.in_(ids))
        return {id: number for id, number in self._session.execute(query)}


def _types(kind: str, names: tuple[str, ...], offset: int) -> dict[str, Any]:
    message = f"{kind.capitalize()}Type"
    return {
        f"{kind}_types": [
            make(message, id=contents.type_number(name, names) + offset, name=name)
            for name in names
        ]
    }
