"""A registry of models: Kubeflow Hub where its URL is given, else a JSON file with its fields.

A version is a dict: `name`, `state` (LIVE or ARCHIVED), `custom_properties`, and `artifact` with
`uri`, `model_format_name`, `model_format_version`. One of them has the stage `champion`.
"""

MODEL = "late-flights"


def open_hub(registry):
    """The client of Kubeflow Hub; in a cluster it finds the token of its pod by itself."""
    from model_registry import ModelRegistry

    return ModelRegistry(registry, author="late-flights-monthly")


def read_versions(registry, model="late-flights"):
    """The versions of a model, by name; none where it is not registered."""
    import json
    from pathlib import Path

    if not registry.startswith(("http://", "https://")):
        path = Path(registry)
        try:
            return json.loads(path.read_text())["versions"] if path.exists() else []
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged: restore it, or begin a new one") from error
    hub = open_hub(registry)
    if hub.get_registered_model(model) is None:
        return []
    versions = []
    for one in hub.get_model_versions(model):
        artifact = hub.get_model_artifact(model, one.name)
        fields = ("uri", "model_format_name", "model_format_version")
        version = {"name": one.name, "state": one.state.value}
        version["custom_properties"] = dict(one.custom_properties or {})
        version["artifact"] = {field: getattr(artifact, field) for field in fields}
        versions.append(version)
    return sorted(versions, key=lambda version: version["name"])


def write_version(registry, version, model="late-flights"):
    """Adds a version, or changes the state and the properties of the one with its name."""
    import fcntl
    import json
    import os
    from pathlib import Path

    if not registry.startswith(("http://", "https://")):
        path = Path(registry)
        path.parent.mkdir(parents=True, exist_ok=True)
        # One writer at a time; whoever reads meanwhile finds the old file or the new one.
        with path.with_name(f"{path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            others = [
                one for one in read_versions(registry, model) if one["name"] != version["name"]
            ]
            versions = sorted([*others, version], key=lambda one: one["name"])
            whole = {"registered_model": {"name": model, "state": "LIVE"}, "versions": versions}
            new = path.with_name(f"{path.name}.new")
            new.write_text(json.dumps(whole, indent=2) + "\n")
            os.replace(new, path)
        return
    from model_registry.types import ModelVersionState

    hub = open_hub(registry)
    known = hub.get_registered_model(model) and hub.get_model_version(model, version["name"])
    if not known:
        artifact, properties = version["artifact"], version["custom_properties"]
        where = {"version": version["name"], "metadata": properties, **artifact}
        hub.register_model(model, **where)
        known = hub.get_model_version(model, version["name"])
    known.state = ModelVersionState(version["state"])
    known.custom_properties = version["custom_properties"]
    hub.update(known)


def find_champion_of(versions):
    """The version whose stage is champion, or None."""
    champions = [one for one in versions if one["custom_properties"].get("stage") == "champion"]
    return champions[-1] if champions else None
