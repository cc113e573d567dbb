"""Which keys and addresses of the terminal steps read, though nothing gives them to their pods.

Steps have the variables of the terminal, which may stand for Secrets and for what an image sets.
Only names of keys and of services' addresses are looked for: what else a terminal has, such as
LANG, an image has too, or nobody needs.
"""

import re
from collections.abc import Iterable, Iterator

from fastkf.package.given import name_variables
from fastkf.package.model import Package
from fastkf.package.settings import for_executors, words_of

# In Python, and in a shell; the quotes of a notebook's cells may be escaped.
READS = re.compile(r"""(?:\benviron\b|\bgetenv\b)[^\n'"]*['"](\w+)|\$\{?(\w+)""")
KEYS = re.compile(
    r"(?:\w+_)?(?:KEY|KEYS|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|URI|URL|ENDPOINT)(?:_\w+)?"
)
# Of tools that work on this machine.
OF_TOOLS = re.compile(
    r"(?:FASTKF|KF|KFP|_KFP|PIP|UV|CONDA|JUPYTER|IPYTHON|VSCODE|GIT|GITHUB|SSH|GPG|XDG|DBUS|DOCKER|"
    r"PYTHON|PYTEST|COVERAGE|BASH|ZSH|TERM|WSL)_\w+"
)


def list_read(package: Package, names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Component to the variables that its own code reads and its pod would not have.

    Args:
        names: of the terminal's variables.
    """
    watched = {name for name in names if KEYS.fullmatch(name) and not OF_TOOLS.fullmatch(name)}
    settings = for_executors(package)
    for executor, content in package.executors.items():
        container = content.get("container") or {}
        read = {name for pair in READS.findall("\n".join(words_of(container))) for name in pair}
        given = {str(one.get("name")) for one in container.get("env") or ()}
        given |= name_variables(settings.get(executor) or {})
        if found := sorted((read & watched) - given):
            yield executor.removeprefix("exec-"), found
