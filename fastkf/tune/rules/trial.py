"""Rules on the trial's template."""

import re

from fastkf.base.manifests import find_misfits
from fastkf.tune.experiment import META_REFERENCE, PLACEHOLDER
from fastkf.tune.rules.rule import Manifest, Problems, find_repeated

COUNTS = ("activeDeadlineSeconds", "backoffLimit", "completions", "parallelism")  # of a Job


def trial_parameters(manifest: Manifest) -> Problems:
    spec = manifest["spec"]
    template, where = spec.get("trialTemplate") or {}, "spec.trialTemplate.trialParameters"
    given = template.get("trialParameters") or []
    if not given:
        yield f"{where}: missing"
        return
    known = [one["name"] for one in spec.get("parameters") or [] if one.get("name")]
    used = PLACEHOLDER.findall(str(template.get("trialSpec")))
    for position, parameter in enumerate(given):
        place, name = f"{where}[{position}]", parameter.get("name") or ""
        reference = parameter.get("reference") or ""
        if not name or set(name) & set("{}"):
            yield f"{place}.name: {name!r}; give a name without brackets"
        elif name not in used:
            yield f"{place}.name: {name} is not in trialSpec; write ${{trialParameters.{name}}}"
        if reference not in known and not _is_meta(reference, template):
            yield f"{place}.reference: no parameter {reference!r}; there are: {', '.join(known)}"
    names = [one.get("name") for one in given]
    yield from find_repeated(names, where)
    yield from find_repeated([one.get("reference") for one in given], f"{where}.reference")
    for name in dict.fromkeys(used):
        if name not in names:
            yield (
                f"spec.trialTemplate.trialSpec: ${{trialParameters.{name}}} is none of the "
                "trialParameters"
            )
    for name in known:
        if name not in [one.get("reference") for one in given]:
            yield f"{where}: no reference to the parameter {name}"


def _is_meta(reference: str, template: dict) -> bool:
    """Whether it refers to the trial itself, as `${trialSpec.Name}` does."""
    found = META_REFERENCE.fullmatch(reference)
    if not found:
        return False
    item = re.fullmatch(r"(Labels|Annotations)\[(.+)\]", found[1])
    if item:
        metadata = (template.get("trialSpec") or {}).get("metadata") or {}
        return item[2] in (metadata.get(item[1].lower()) or {})
    return found[1] in ("Name", "Namespace", "Kind", "APIVersion")


def trial_spec(manifest: Manifest) -> Problems:
    template, where = manifest["spec"].get("trialTemplate") or {}, "spec.trialTemplate"
    job = template.get("trialSpec")
    if template.get("configMap"):
        yield f"{where}.configMap: is read on a cluster only; write the template under trialSpec"
    elif not job:
        yield f"{where}.trialSpec: missing"
    elif (job.get("apiVersion"), job.get("kind")) != ("batch/v1", "Job"):
        kind = f"{job.get('apiVersion')} {job.get('kind')}"
        yield f"{where}.trialSpec: {kind} does not run here; use a batch/v1 Job"
    else:
        yield from _job(job, f"{where}.trialSpec", template.get("primaryContainerName"))


def _job(job: dict, where: str, primary: str | None) -> Problems:
    from fastkf.tune.rules.job import Job

    metadata = job.get("metadata") or {}
    if metadata.get("name") or metadata.get("namespace"):
        yield f"{where}.metadata: leave name and namespace out, Katib sets them"
    misfits = find_misfits(job, Job, where)
    yield from misfits
    if not misfits:
        yield from _job_spec(job["spec"], f"{where}.spec")
        yield from _pod(job["spec"]["template"]["spec"], f"{where}.spec.template.spec", primary)


def _job_spec(spec: dict, where: str) -> Problems:
    for field in COUNTS:
        if (spec.get(field) or 0) < 0:
            yield f"{where}.{field}: {spec[field]}; must be 0 or more"
    if spec.get("suspend"):
        yield f"{where}.suspend: is true, so no trial would start; leave it out"


def _pod(pod: dict, where: str, primary: str | None) -> Problems:
    if pod.get("restartPolicy") not in ("Never", "OnFailure"):
        yield f"{where}.restartPolicy: {pod.get('restartPolicy')!r}; a Job takes Never or OnFailure"
    containers = [one for one in pod["containers"] if one["name"] == primary]
    if not containers:
        names = ", ".join(one["name"] for one in pod["containers"])
        yield (
            f"spec.trialTemplate.primaryContainerName: {primary!r} is none of the containers: "
            + names
        )
    for container in containers:
        yield from _container(container, f"{where}.containers ({primary})")


def _container(container: dict, where: str) -> Problems:
    if not container.get("image"):
        yield f"{where}.image: missing"
    if not container.get("command"):
        yield f"{where}.command: missing; without the image nobody knows what to run"
    for variable in container.get("env") or []:
        if variable.get("valueFrom"):
            yield f"{where}.env: {variable['name']} comes from the cluster; give its value"
    for source in container.get("envFrom") or []:
        for kind, one in source.items():
            if isinstance(one, dict) and not one.get("optional"):
                yield (
                    f"{where}.envFrom: {kind} {one.get('name')} comes from the cluster; give its "
                    "variables under env"
                )
