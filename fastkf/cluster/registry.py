"""Does a container registry have an image? Asked as anyone, with the OCI distribution protocol."""

import re

import httpx

from fastkf.base.errors import UsageError

SECONDS = 10
DOCKER_HUB = "registry-1.docker.io"  # what answers for docker.io
LOCAL = re.compile(r"^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$")
KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
CHALLENGE = re.compile(r'\b(\w+)="([^"]*)"')


def find_image(image: str) -> tuple[bool | None, str]:
    """Whether the image's registry has it, None when it cannot be told; and that in words.

    Raises:
        UsageError: it is no name of an image.
    """
    registry, name, tag = read_reference(image)
    scheme = "http" if LOCAL.match(registry) else "https"
    host = DOCKER_HUB if registry == "docker.io" else registry
    url = f"{scheme}://{host}/v2/{name}/manifests/{tag}"
    try:
        with httpx.Client(timeout=SECONDS, follow_redirects=True) as client:
            answer = _ask(client, url)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, AttributeError) as error:
        return None, f"{registry} cannot be asked from here ({error or type(error).__name__})"
    if answer.is_success:
        return True, f"{registry} has it"
    if answer.status_code == 404:
        return False, f"{registry} has no {name} with the tag {tag}"
    if answer.status_code in (401, 403):
        return None, f"{registry} does not show it to everyone ({answer.status_code})"
    return None, f"{registry} answers {answer.status_code}"


def read_reference(image: str) -> tuple[str, str, str]:
    """Registry, repository, and tag or digest of an image's name, as Docker reads it.

    Raises:
        UsageError: it is none.
    """
    import docker.auth  # of an extra that only few commands need
    import docker.errors
    import docker.utils

    repository, tag = docker.utils.parse_repository_tag(image)
    try:
        registry, name = docker.auth.resolve_repository_name(repository)
    except docker.errors.InvalidRepository as error:
        raise UsageError(f"{image}: not the name of an image ({error})") from error
    if not re.fullmatch(r"[a-z0-9]+([._/-]+[a-z0-9]+)*", name):
        raise UsageError(f"{image}: not the name of an image", "one is like registry/team/name:tag")
    if registry == "docker.io" and "/" not in name:
        name = f"library/{name}"
    return registry, name, tag or "latest"


def _ask(client: httpx.Client, url: str) -> httpx.Response:
    headers = {"accept": ", ".join(KINDS)}
    answer = client.head(url, headers=headers)
    challenge = answer.headers.get("www-authenticate", "")
    if answer.status_code != 401 or not challenge.lower().startswith("bearer "):
        return answer
    asked = dict(CHALLENGE.findall(challenge))
    given = client.get(asked.pop("realm"), params=asked).json()
    token = given.get("token") or given.get("access_token", "")
    return client.head(url, headers={**headers, "authorization": f"Bearer {token}"})
