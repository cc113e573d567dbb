"""From the notebook metadata of Kale 0.2 to 0.7 to today's, as the Kale panel saves them.

Sources: kale/core.py of Kale 0.4.0, kale/common/metadatautils.py of Kale 0.5.1, kale/pipeline.py
and kale/processors/nbprocessor.py of Kale 0.7.0 and 2.3.0.
"""

import re
from typing import Any

from fastkf.migrate.draft import Draft, DraftCell, order_tags
from fastkf.notebook.fields import DESCRIPTION, GPU_LIMITS
from fastkf.notebook.model import KALE_METADATA, Notebook
from fastkf.notebook.panel import KERNEL, LANGUAGE

# An early version of Kale's examples wrote it so.
MISSPELT = "kubeflow_noteobok"
KEPT = ("base_image", "enable_caching", "kfp_host", "output_path", "security_context", "timeout")
NAMES = ("experiment", "experiment_name", "pipeline_description", "pipeline_name")
OF_VOLUMES = ("storage_class_name", "volume_access_mode")
OF_A_VOLUME = ("expose_as_env_var", "mount_point", "name", "type")
TODAYS = {*KEPT, *NAMES, *OF_VOLUMES, "steps_defaults", "volumes"}
OF_KATIB = ("katib", "katib_metadata", "katib_run")
# Images of notebook servers, which the old panel entered by itself; they hold an old Kale.
SERVER_IMAGES = re.compile(r"arrikto|kale|jupyter|notebook", re.I)
REASONS = {
    "autosnapshot": "snapshots were made by Rok, which ended with MiniKF",
    "snapshot_volumes": "snapshots were made by Rok, which ended with MiniKF",
    "marshal_volume": "values go from step to step as artifacts now, without a volume",
    "volume_access_mode": "there is no volume for it",
    "storage_class_name": "there is no volume for it",
}


def translate_settings(draft: Draft) -> None:
    """Writes Kale's settings as JupyterLab with today's Kale panel saves them."""
    if MISSPELT in draft.metadata:
        draft.metadata.setdefault(KALE_METADATA, draft.metadata.pop(MISSPELT))
        draft.note(None, f"metadata: {MISSPELT} → {KALE_METADATA}")
    old = dict(as_dict(draft.metadata.get(KALE_METADATA)))
    new = {key: old[key] for key in KEPT if key in old}
    new |= translate_names(draft, old)
    new["steps_defaults"] = []
    if "steps_defaults" not in old:
        draft.note(None, "metadata: steps_defaults is added")
    if "volumes" in old or not old:
        new["volumes"] = translate_volumes(draft, old)
    if new.get("volumes"):
        new |= {key: old[key] for key in OF_VOLUMES if old.get(key)}
    translate_image(draft, old)
    translate_katib(draft, old)
    translate_defaults(draft, old)
    for key in sorted(set(old) - set(new) - {"docker_image", *OF_KATIB}):
        reason = f": {REASONS[key]}" if old[key] and key in REASONS else ""
        draft.note(None, f"metadata: {key} is removed{reason}")
    draft.metadata[KALE_METADATA] = new if list(new) == list(old) else dict(sorted(new.items()))
    translate_kernel(draft)


def as_dict(given: Any) -> dict[str, Any]:
    """An object of the file's; empty where something else stands."""
    return given if isinstance(given, dict) else {}


def as_list(given: Any) -> list[Any]:
    """A list of the file's; empty where something else stands."""
    return given if isinstance(given, list) else []


def translate_names(draft: Draft, old: dict) -> dict:
    """The names of pipeline and experiment, and the description, in a form Kale takes."""
    new = {
        "pipeline_name": name_pipeline(draft, old.get("pipeline_name")),
        "pipeline_description": describe(old.get("pipeline_description")),
    }
    given = as_dict(old.get("experiment"))
    name = str(old.get("experiment_name") or given.get("name") or new["pipeline_name"])
    new["experiment_name"] = name
    for key, value in new.items():
        if old.get(key) != value:
            is_empty = not (value or old.get(key))
            what = "is added" if is_empty else f"{show(old.get(key))} → {show(value)}"
            draft.note(None, f"metadata: {key} {what}")
    is_todays = not draft.done and set(old) <= TODAYS and given.get("id")
    if given.get("name") == name and (given.get("id") == "new" or is_todays):
        return {**new, "experiment": given}
    draft.note(None, f"metadata: experiment is {name}, to be made where there is none")
    return {**new, "experiment": {"id": "new", "name": name}}


def name_pipeline(draft: Draft, given: Any) -> str:
    name = str(given or Notebook(draft.path, (), {}).pipeline_name)
    if re.fullmatch("[a-z0-9]([-a-z0-9]*[a-z0-9])?", name):
        return name
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "pipeline"


def describe(given: Any) -> str:
    """The description without what breaks the code that Kale generates."""
    text = given if isinstance(given, str) else ""
    if DESCRIPTION.takes(text):
        return text
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(printable.replace("'", "’").replace("\\", "/").split())


def show(value: Any) -> str:
    return "none" if value in (None, "") else str(value)


def translate_volumes(draft: Draft, old: dict) -> list[dict]:
    """Today only existing volumes (type pvc) are mounted; the other types have no effect."""
    volumes = as_list(old.get("volumes"))
    kept = []
    for volume in (volume for volume in volumes if isinstance(volume, dict)):
        name, mount = volume.get("name"), volume.get("mount_point")
        if volume.get("type") == "pvc" and name and mount:
            kept.append({key: value for key, value in volume.items() if key in OF_A_VOLUME})
            if kept[-1] != volume:
                draft.note(None, f"metadata: volume {name} keeps name, mount_point and type (pvc)")
            continue
        draft.note(None, f"metadata: volume {show(name)} ({show(volume.get('type'))}) is removed")
        draft.leave(None, explain_volume(draft, volume))
    return kept


def explain_volume(draft: Draft, volume: dict) -> str:
    mount = volume.get("mount_point") or "?"
    users = [cell for cell in draft.code_cells if f"{mount}/" in cell.source and mount != "?"]
    numbers = ", ".join(str(draft.number(cell)) for cell in users)
    used = f" (cell {numbers} names files there)" if users else ""
    return (
        f"the volume at {mount} was made or cloned for each run, which Kale no longer does{used}; "
        "read data from object storage or a parameter such as data_dir, pass results on in "
        "variables, or add an existing volume (type pvc) in Kale's panel"
    )


def translate_image(draft: Draft, old: dict) -> None:
    image = old.get("docker_image")
    if "docker_image" not in old:
        return
    draft.note(None, f"metadata: docker_image {image or ''} is removed".replace("  ", " "))
    if image and not SERVER_IMAGES.search(str(image)):
        draft.leave(
            None,
            f"the steps ran in the image {image}; now they run in a Python image and install what "
            "the imports cell imports. If they need more, build an image on Python 3.11 or newer "
            "(today's Kale asks for it) and name it: the tag image:REF on a step, or --image of "
            "`fastkf compile`",
        )


def translate_katib(draft: Draft, old: dict) -> None:
    """Kale no longer starts Katib experiments."""
    metadata = as_dict(old.get("katib_metadata"))
    for key in OF_KATIB:
        if key in old:
            draft.note(None, f"metadata: {key} is removed")
    searched = as_list(metadata.get("parameters") or metadata.get("katib_parameters"))
    if old.get("katib_run") or old.get("katib") or searched:
        names = [str(p["name"]) for p in searched if isinstance(p, dict) and p.get("name")]
        which = f" of {', '.join(names)}" if names else ""
        draft.leave(
            None,
            f"the search{which} is no longer part of the notebook; write it as a Katib experiment "
            "(the lab 06_katib shows how), and `fastkf tune` runs it here",
        )


def translate_defaults(draft: Draft, old: dict) -> None:
    """What held for all steps becomes tags of each step, which the panel leaves alone."""
    defaults = list(map(str, as_list(old.get("steps_defaults"))))
    if defaults:
        draft.note(None, f"metadata: steps_defaults → tags of each step: {' '.join(defaults)}")
    for tag in [tag for tag in defaults if is_cpu_or_memory(tag)]:
        draft.leave(
            None,
            f"{tag} held for all steps and is gone, since Kale passes on only limits of GPUs; set "
            "a LimitRange in the namespace where it is needed",
        )
    passed_on = [tag for tag in defaults if not is_cpu_or_memory(tag)]
    for cell in first_cells(draft) if passed_on else []:
        own = {subject(tag) for tag in cell.tags}
        cell.tags = order_tags([*cell.tags, *(t for t in passed_on if subject(t) not in own)])


def is_cpu_or_memory(tag: str) -> bool:
    return tag.startswith("limit:") and not tag[6:].startswith(GPU_LIMITS)


def subject(tag: str) -> tuple[str, ...]:
    """What a tag sets: `label:team:blue` sets the label `team`."""
    parts = tag.split(":")
    return tuple(parts[:2]) if parts[0] in ("label", "annotation", "limit") else tuple(parts[:1])


def first_cells(draft: Draft) -> list[DraftCell]:
    first: dict[str | None, DraftCell] = {}
    for cell, seen in draft.pairs():
        if seen.role == "step":
            first.setdefault(seen.step, cell)
    return list(first.values())


def translate_kernel(draft: Draft) -> None:
    kernel = as_dict(draft.metadata.get("kernelspec"))
    if kernel.get("name") != KERNEL["name"] or not kernel.get("display_name"):
        draft.note(None, f"metadata: kernel {show(kernel.get('name'))} → {KERNEL['name']}")
        draft.metadata["kernelspec"] = dict(KERNEL)
    elif draft.done and kernel["display_name"] == "Python 3":
        draft.metadata["kernelspec"] = {**kernel, "display_name": KERNEL["display_name"]}
        draft.note(None, f"metadata: kernel Python 3 → {KERNEL['display_name']}")
    if not draft.metadata.get("language_info"):
        draft.metadata["language_info"] = dict(LANGUAGE)
        draft.note(None, "metadata: language_info is added")
