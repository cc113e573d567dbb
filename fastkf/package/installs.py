"""What a step has installed before it runs: the `pip install` in its command."""

import itertools
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from fastkf.package.pins import installed_version

# Each release of KFP's SDK has a component install itself; the executor's protocol is the same.
KFP_REPOSITORY = "github.com/kubeflow/pipelines"
OF_KFP = frozenset(("kfp", "kfp-pipeline-spec", "kfp-server-api", "kfp-kubernetes"))
# What a `dsl.notebook_component` runs its notebook with, and what it has installed for that.
RUN_NOTEBOOK = "kfp_run_notebook"
RUN_NOTEBOOK_NEEDS = ("nbclient", "ipykernel", "jupyter-client")

FILE = "--requirement"
SHELL_SIGNS = ";&|()\n"
PROGRAM = re.compile(r"(?:.*/)?(?:python|pip)[0-9.]*")
ASSIGNMENT = re.compile(r"\w+=.*")
# Options of pip, short and long, that say what is installed; the others say how.
SHORT = {"-i": "--index-url", "-f": "--find-links", "-r": FILE, "-c": "--constraint"}
VALUED = frozenset(
    ("--index-url", "--extra-index-url", "--find-links", "--trusted-host", FILE)
    + ("--constraint", "--no-binary", "--only-binary")
)
PLAIN = frozenset(("--no-index", "--pre", "--no-deps", "--require-hashes", "--no-build-isolation"))
# Options without a value that change nothing where an environment is made anew.
WITHOUT_MEANING = frozenset(
    """
    --break-system-packages --disable-pip-version-check --force-reinstall --no-cache-dir --no-input
    --no-warn-conflicts --no-warn-script-location --prefer-binary --quiet --upgrade --user --verbose
    -U -q -qq -qqq -v -vv
    """.split()  # noqa: SIM905
)

BY_ITSELF = re.compile(r"\b(?:pip3?|uv|conda|mamba|apt|apt-get)\b[^;]{0,80}?\binstall\b")


@dataclass(frozen=True)
class Install:
    """What one `pip install` asks for.

    Attributes:
        requirements: names with versions, addresses, paths; files of them are in the options.
        options: those that say what is installed, in pip's long form.
        is_known: whether there is nothing else among its words.
    """

    requirements: tuple[str, ...]
    options: tuple[str, ...] = ()
    is_known: bool = True

    def list_wanted(self, runtime: Iterable[str] = ()) -> list[str]:
        """The requirements that are for this machine, but for those of which any version will do.

        Args:
            runtime: as `is_free` takes them.
        """
        return [
            text for text in self.requirements if _is_for_here(text) and not is_free(text, runtime)
        ]

    def lacks(self, runtime: Iterable[str] = ()) -> bool:
        """Whether something of it is not here, as far as that is known."""
        return bool(list_files(self.options)) or any(map(find_lack, self.list_wanted(runtime)))


def read_install(words: Sequence[str]) -> Install:
    """What the words after `pip install` ask for."""
    requirements: list[str] = []
    options: list[str] = []
    is_known, rest = True, iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        name = SHORT.get(name, name)
        if not word.startswith("-"):
            requirements.append(word)
        elif name in VALUED:
            options += [name, value if equals else next(rest, "")]
        elif word in PLAIN:
            options.append(word)
        elif word not in WITHOUT_MEANING:
            is_known = False
    return Install(tuple(requirements), tuple(_trust(options)), is_known)


def list_files(options: Sequence[str]) -> list[str]:
    """The files of requirements among options."""
    return [path for option, path in itertools.pairwise(options) if option == FILE]


def _trust(options: Sequence[str]) -> Iterator[str]:
    """The options, a trusted host as a host: KFP writes the whole address of the index."""
    before = ""
    for word in options:
        is_address = before == "--trusted-host" and "://" in word
        yield urlsplit(word).netloc if is_address else word
        before = word


def find_installs(command: Iterable[str]) -> Iterator[Install]:
    """What the scripts among the words of a command install, as far as it is known before."""
    return map(read_install, _list_words(command))


def installs_by_itself(code: str) -> bool:
    """Whether Python code may install packages while it runs: `[..., "pip", "install", "lxml"]`."""
    return BY_ITSELF.search(code) is not None


def list_present(command: Iterable[str]) -> Iterator[str]:
    """The words after `pip install` in those scripts, where all that they ask for is here."""
    for words in _list_words(command):
        asked = read_install(words)
        is_whole = asked.is_known and not list_files(asked.options)
        if is_whole and not any(map(find_lack, asked.requirements)):
            yield " ".join(words)


def _list_words(command: Iterable[str]) -> Iterator[list[str]]:
    for script in command:
        if "install" in script:
            for words in _split(script):
                if words and not any("$" in word or "`" in word for word in words):
                    yield words


def _split(script: str) -> Iterator[list[str]]:
    """The words after each `pip install` of a shell's script."""
    lexer = shlex.shlex(script.replace("\\\n", " "), posix=True, punctuation_chars=SHELL_SIGNS)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    words: list[str] = []
    try:
        for word in [*lexer, "\n"]:
            if word.strip(SHELL_SIGNS):
                words.append(word)
                continue
            yield _after_install(words)
            words = []
    except ValueError:  # it is no script of a shell
        return


def _after_install(words: list[str]) -> list[str]:
    while words and ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    if not words or not PROGRAM.fullmatch(words[0]):
        return []
    words = words[3:] if words[1:3] == ["-m", "pip"] else words[1:]
    return words[1:] if words[:1] == ["install"] else []


def find_lack(text: str) -> str | None:
    """What is not here of a requirement: `here: 1.0`; None when all of it is."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return "which is no name of a package"
    if requirement.marker is not None and not requirement.marker.evaluate():
        return None
    installed = installed_version(requirement.name)
    if installed is None:
        return "here: not installed"
    if requirement.url or not requirement.specifier.contains(installed, prereleases=True):
        return f"here: {installed}"
    lacking = [one for one in _list_extra(requirement) if find_lack(one)]
    return f"here: without {', '.join(lacking)}" if lacking else None


def _is_for_here(text: str) -> bool:
    try:
        marker = Requirement(text).marker
    except InvalidRequirement:
        return True
    return marker is None or marker.evaluate()


KFP_VERSION = re.compile(r"\bkfp==([\w.]+)")


def is_free(text: str, runtime: Iterable[str] = ()) -> bool:
    """Whether the version that is here will do, whichever it is, as KFP's own.

    Args:
        runtime: other packages of which the step's author did not choose the version.
    """
    if KFP_REPOSITORY in text:
        return True
    try:
        name = canonicalize_name(Requirement(text).name)
    except InvalidRequirement:
        return False
    return name in {*OF_KFP, *map(canonicalize_name, runtime)} and bool(installed_version(name))


def _list_extra(requirement: Requirement) -> Iterator[str]:
    """What the extras of a package that is here require of others."""
    if not requirement.extras:
        return
    for text in metadata.requires(requirement.name) or ():
        one = Requirement(text)
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            continue  # what all of it requires
        if any(one.marker.evaluate({"extra": extra}) for extra in requirement.extras):
            one.marker = None
            yield str(one)


def find_kfp(command: Iterable[str]) -> str:
    """The version of KFP that a component's command installs; "" where it names none."""
    found = (KFP_VERSION.search(word) for word in command)
    return next((one[1] for one in found if one), "")


def list_runtime(source: str) -> tuple[str, ...]:
    """The packages that KFP adds to a component of this source, beside itself."""
    return RUN_NOTEBOOK_NEEDS if RUN_NOTEBOOK in source else ()
