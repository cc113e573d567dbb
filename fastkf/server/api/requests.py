"""The parts of a request's body, each read once and checked."""

from dataclasses import dataclass
from typing import Any

from fastkf.server.errors import invalid
from fastkf.server.messages import Message
from fastkf.server.runs import SERVICE_ACCOUNT

# Characters of names, as the tables of a Kubeflow Pipelines server have room for them.
LONGEST_NAME, LONGEST_OF_GROUP, LONGEST_OF_VERSION = 255, 128, 127
LONGEST_TEXT = 10_000
MOST_TAGS, LONGEST_TAG = 20, 63


@dataclass(frozen=True)
class Labels:
    """What people call a pipeline or a version, and say of it.

    Attributes:
        name: by which it is found; no other has it.
        display_name: as it is shown.
    """

    name: str
    display_name: str
    description: str
    code_source_url: str
    tags: dict[str, str]

    @classmethod
    def read(cls, fields: dict, longest: int = LONGEST_OF_GROUP) -> "Labels":
        """Reads the fields of a pipeline or of a version; name or display_name is needed.

        A namespace is read and not kept, as a server of one user does.

        Args:
            longest: characters of a name.

        Raises:
            ApiError: a field is missing, too long, or of another type.
        """
        name = read_name(fields, "name" if fields.get("name") else "display_name", longest)
        return cls(
            name=name,
            display_name=read_text(fields, "display_name", longest=longest) or name,
            description=read_text(fields, "description"),
            code_source_url=read_text(fields, "code_source_url"),
            tags=read_tags(fields) or {},
        )


@dataclass(frozen=True)
class VersionReference:
    """A version of a pipeline; the newest one where `version_id` is empty."""

    pipeline_id: str
    version_id: str


@dataclass(frozen=True)
class RunRequest:
    """A run that a client asks for.

    Attributes:
        spec: the package that came with the request, as it came; None where there is a reference.
        reference: the version on the server that is to run; None where there is a spec.
    """

    display_name: str
    description: str
    service_account: str
    experiment_id: str
    pipeline_root: str
    parameters: dict[str, Any]
    spec: Any
    reference: VersionReference | None
    recurring_run_id: str

    @property
    def named(self) -> tuple[str, str]:
        """The ids of the pipeline and the version that it is to run, "" where none is named."""
        found = self.reference or VersionReference("", "")
        return found.pipeline_id, found.version_id

    @classmethod
    def read(cls, message: Message) -> "RunRequest":
        """Reads a run of the API, as `POST /runs` takes it, or a recurring run.

        Raises:
            ApiError: a field is missing or too long.
        """
        name = read_name(message)
        runtime = message.get("runtime_config", {})
        reference = _read_reference(message)
        if (reference is None) == ("pipeline_spec" not in message):
            raise invalid("one of pipeline_spec and pipeline_version_reference is needed")
        return cls(
            display_name=name,
            description=read_text(message, "description"),
            service_account=read_text(message, "service_account") or SERVICE_ACCOUNT,
            experiment_id=read_text(message, "experiment_id"),
            pipeline_root=read_text(runtime, "pipeline_root"),
            parameters=runtime.get("parameters", {}),
            spec=message.get("pipeline_spec"),
            reference=reference,
            recurring_run_id=read_text(message, "recurring_run_id"),
        )


def read_name(body: dict, field: str = "display_name", longest: int = LONGEST_NAME) -> str:
    """A text field that must say something."""
    return read_text(body, field, required=True, longest=longest)


def read_tags(fields: dict) -> dict[str, str] | None:
    """The tags of a pipeline or of a version; None where they are not spoken of.

    Raises:
        ApiError: they are no tags, too many, or one is too long.
    """
    tags = fields.get("tags")
    if tags is None:
        return None
    if not isinstance(tags, dict) or not all(isinstance(one, str) for one in tags.values()):
        raise invalid("tags: not an object of texts")
    if len(tags) > MOST_TAGS:
        raise invalid(f"tags: more than {MOST_TAGS}")
    for key, value in tags.items():
        if not 0 < len(key) <= LONGEST_TAG or "." in key:
            raise invalid(f"tags: a name has 1 to {LONGEST_TAG} characters and no dot")
        if len(value) > LONGEST_TAG:
            raise invalid(f"tags: a value is longer than {LONGEST_TAG} characters")
    return tags


def read_text(body: dict, field: str, required: bool = False, longest: int = LONGEST_TEXT) -> str:
    """A text field of a request, "" when it is not there.

    Raises:
        ApiError: it is no text, too long, or missing.
    """
    value = body.get(field)
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise invalid(f"{field} is not a text")
    if len(value) > longest:
        raise invalid(f"{field} is longer than {longest} characters")
    if required and not value.strip():
        raise invalid(f"{field} is empty")
    return value


def _read_reference(message: Message) -> VersionReference | None:
    """The version that is named; `pipeline_version_id` alone is how older clients name it."""
    named = message.get("pipeline_version_reference")
    if named is None and message.get("pipeline_version_id"):
        named = {"pipeline_version_id": message["pipeline_version_id"]}
    if named is None:
        return None
    return VersionReference(
        pipeline_id=read_text(named, "pipeline_id"),
        version_id=read_text(named, "pipeline_version_id"),
    )
