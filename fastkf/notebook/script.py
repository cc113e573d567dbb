"""The KFP DSL script that Kale generates: its packages are put right, and it is compiled.

Kale lists a step's packages without versions, and the public index beside them. Both stand as
keywords of the decorator that it writes above each component (kale/templates,
nb_function_template.jinja2):

    @kfp_dsl.component(
        base_image='python:3.12',
        packages_to_install=['kfp>=2.0.0', 'numpy'],
        pip_index_urls=['https://packages.example/index'],
        pip_trusted_hosts=[]
    )
    def train_step(...):

They are found in the script's syntax tree and replaced where they stand. All else stays as it is:
the learner's code lies in strings inside the functions, and KFP copies the functions' text.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import InvalidRequirement

from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.iri import import_jsonschema
from fastkf.base.python_syntax import parse_python
from fastkf.base.quiet import quiet_logging
from fastkf.base.versions import check_version
from fastkf.notebook.errors import CompileError
from fastkf.notebook.kale import Script

DECORATOR = "kfp_dsl.component"
PACKAGES = "packages_to_install"
INDEXES = "pip_index_urls"
HOSTS = "pip_trusted_hosts"
ADDRESS = re.compile(r"[A-Za-z0-9][\]\[A-Za-z0-9@%+=:,./_~?-]*")
PIPELINE_FUNCTION = "auto_generated_pipeline"


def pin_packages(script: Script, pin: Callable[[str], str], keep_indexes: bool) -> Script:
    """The script with other packages in its components.

    Args:
        script: as Kale generates it.
        pin: a requirement to the one that takes its place.
        keep_indexes: leave the package indexes; they are emptied otherwise, so that a step asks
            the one that its image is set up for.

    Raises:
        FastkfError: it is no Python, a package has no proper name, an index no proper address,
            or Kale's form has changed.
    """
    try:
        modules = {n: _pin(source, pin, keep_indexes) for n, source in script.modules.items()}
        return replace(script, source=_pin(script.source, pin, keep_indexes), modules=modules)
    except (SyntaxError, InvalidRequirement) as error:
        raise CompileError(script.notebook, f"{type(error).__name__}: {error}") from error


def _pin(source: str, pin: Callable[[str], str], keep_indexes: bool) -> str:
    replaced: list[tuple[ast.expr, list[str]]] = []
    for call in _find_decorators(parse_python(source)):
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        if not {PACKAGES, INDEXES} <= set(keywords):
            raise FastkfError(
                f"Kale generates components in another form than 2.3 does (no {PACKAGES})",
                "install a version of kubeflow-kale that fastkf works with",
            )
        packages = ast.literal_eval(keywords[PACKAGES])
        replaced.append((keywords[PACKAGES], [pin(package) for package in packages]))
        if keep_indexes:
            _check_addresses(keywords)
        else:
            replaced.append((keywords[INDEXES], []))
    return _replace(source, replaced)


def _check_addresses(keywords: Mapping[str | None, ast.expr]) -> None:
    """Refuses what a shell would read as more than a word.

    KFP writes the addresses without quotes into the command with which a step installs its
    packages (kfp/dsl/component_factory.py, make_index_url_options).
    """
    for name in (INDEXES, HOSTS):
        for address in ast.literal_eval(keywords[name]) if name in keywords else ():
            if not ADDRESS.fullmatch(address):
                raise UsageError(
                    f"{address!r} is no address of a package index",
                    "correct the variables KALE_PIP_INDEX_URLS, KALE_PIP_TRUSTED_HOSTS and "
                    "KALE_PYPI_PROD_URL",
                )


def compile_script(script: Script, folder: Path, package: Path) -> None:
    """Runs the script and writes its pipeline as a package.

    Args:
        script: what Kale generates, with pinned packages.
        folder: an empty folder, where the script stands while it is run.
        package: the YAML file.

    Raises:
        FastkfError: the script fails, or KFP's compiler refuses its pipeline.
        OSError: a file cannot be written.
    """
    check_version("kfp")
    import_jsonschema()  # kfp.kubernetes imports it
    for name, source in script.modules.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    path = folder / "pipeline.py"
    path.write_text(script.source, encoding="utf-8")
    with quiet_logging(), _forgotten(folder, script):
        try:
            # In a thread of its own, where the stack is short: for each task KFP reads the source
            # of all frames (`inspect.stack`), which takes half of the time otherwise.
            with ThreadPoolExecutor(1) as pool:
                pool.submit(_compile, path, package).result()
        except OSError:
            raise
        except Exception as error:
            raise CompileError(script.notebook, f"{type(error).__name__}: {error}") from error


def _find_decorators(tree: ast.Module) -> Iterator[ast.Call]:
    for node in tree.body:
        for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else []:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == DECORATOR:
                yield decorator


def _replace(source: str, replaced: list[tuple[ast.expr, list[str]]]) -> str:
    """The source with other lists in the places of expressions."""
    content = source.encode("utf-8")  # positions in a syntax tree count bytes
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node, values in sorted(replaced, key=lambda one: (one[0].lineno, one[0].col_offset))[::-1]:
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[end_line - 1] + end_column
        content = content[:begin] + repr(values).encode("utf-8") + content[end:]
    return content.decode("utf-8")


def _compile(path: Path, package: Path) -> None:
    from kfp.compiler import Compiler

    Compiler().compile(getattr(_run(path), PIPELINE_FUNCTION), str(package))


def _name_of(folder: Path) -> str:
    """The script's name as a module."""
    return f"fastkf_{folder.name}"


def _run(path: Path) -> Any:
    """The script as a module; KFP reads the text of its functions from the file."""
    module = ModuleType(_name_of(path.parent))
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # or `inspect` looks for it among all others, each time
    exec(compile(path.read_bytes(), path, "exec"), vars(module))
    return module


@contextmanager
def _forgotten(folder: Path, script: Script) -> Iterator[None]:
    """Takes back what the script does to this process, so that the next one finds its own modules.

    Kale's script puts its folder first in `sys.path` and imports the modules beside it, which
    carry the names of notebooks.
    """
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before
        for name in (*script.modules, _name_of(folder)):
            sys.modules.pop(name, None)
