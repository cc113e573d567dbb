"""The parts of a request's body, each read once and checked."""

from dataclasses import dataclass
from typing import Any

from fastkf.server.errors import invalid

LONGEST_NAME = 255
LONGEST_TEXT = 10_000


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
    namespace: str
    code_source_url: str
    tags: dict[str, str]

    @classmethod
    def read(cls, fields: dict) -> "Labels":
        """Reads the fields of a pipeline or of a version; name or display_name is needed.

        Raises:
            ApiError: a field is missing, too long, or of another type.
        """
        name = read_name(fields, "name" if fields.get("name") else "display_name")
        tags = _read_optional(fields, "tags")
        if not all(isinstance(one, str) for one in tags.values()):
            raise invalid("tags: not an object of texts")
        if any(len(name) > LONGEST_NAME or len(text) > LONGEST_TEXT for name, text in tags.items()):
            raise invalid(f"tags: one is longer than {LONGEST_TEXT} characters, or its name is")
        return cls(
            name=name,
            display_name=read_text(fields, "display_name") or name,
            description=read_text(fields, "description"),
            namespace=read_text(fields, "namespace"),
            code_source_url=read_text(fields, "code_source_url"),
            tags=tags,
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

    @classmethod
    def read(cls, body: dict) -> "RunRequest":
        """Reads a run of the API, as `POST /runs` takes it.

        Raises:
            ApiError: a field is missing, too long, or of another type.
        """
        name = read_name(body)
        spec, reference = body.get("pipeline_spec"), body.get("pipeline_version_reference")
        if (reference is None) == (spec is None):
            raise invalid("one of pipeline_spec and pipeline_version_reference is needed")
        runtime = _read_optional(body, "runtime_config")
        parameters = _read_optional(runtime, "parameters")
        return cls(
            display_name=name,
            description=read_text(body, "description"),
            service_account=read_text(body, "service_account"),
            experiment_id=read_text(body, "experiment_id"),
            pipeline_root=read_text(runtime, "pipeline_root"),
            parameters=parameters,
            spec=spec,
            reference=None if reference is None else _read_reference(reference),
        )


def read_name(body: dict, field: str = "display_name") -> str:
    """A text field that must say something."""
    return read_text(body, field, required=True, longest=LONGEST_NAME)


def read_object(body: dict, field: str) -> dict:
    """An object in a request.

    Raises:
        ApiError: it is missing, or no object.
    """
    value = body.get(field)
    if not isinstance(value, dict):
        raise invalid(f"{field} is missing, or no object")
    return value


def _read_optional(body: dict, field: str) -> dict:
    """An object in a request that may be left out.

    Raises:
        ApiError: it is there, and no object.
    """
    return {} if body.get(field) is None else read_object(body, field)


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


def _read_reference(reference: object) -> VersionReference:
    if not isinstance(reference, dict):
        raise invalid("pipeline_version_reference: not an object")
    return VersionReference(
        pipeline_id=read_text(reference, "pipeline_id"),
        version_id=read_text(reference, "pipeline_version_id"),
    )
