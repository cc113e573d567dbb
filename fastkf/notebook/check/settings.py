"""The rule on settings of libraries: they belong to a process, and each step is one."""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.check.flow import outside, reached_nodes, shared_cells
from fastkf.notebook.check.kinds import full_name, imported_names
from fastkf.notebook.check.steps import is_above, is_understood
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import last_part

CHANGING_METHODS = r"\.(isna|isnull|notna|dropna|fillna|replace|ffill|bfill|where|mask)"


class Setting(NamedTuple):
    """A setting that changes results, or without which a step fails; not one of mere looks.

    Attributes:
        made_by: the calls, and the assignments, that make it.
        needed_by: the names, and the `.methods`, that work otherwise with it.
        given: what one of the arguments must be; the first group is what `needed_by` may name.
    """

    made_by: str
    needed_by: str
    given: str = ".*"


SETTINGS = (
    Setting(
        r"(tensorflow\.)?keras\.(mixed_precision\.set_(global|dtype)_policy|"
        r"(config|backend)\.set_(floatx|dtype_policy|image_data_format))",
        r"(tensorflow\.)?keras\.(layers\..+|applications\..+|(models\.)?(Sequential|Model)|Input)",
    ),
    Setting(
        r"tensorflow\.config\.experimental\.enable_op_determinism",
        r"\.(fit|train_on_batch)|tensorflow\.GradientTape",
    ),
    Setting(
        r"torch\.set_default_(dtype|device|tensor_type)",
        r"torch\.(tensor|zeros|ones|rand|randn|empty|full|arange|linspace|eye|nn\.[A-Z]\w+)",
    ),
    Setting(
        r"torch\.use_deterministic_algorithms",
        r"\.backward",
    ),
    Setting(r"jax\.config\.update", r"jax\.(numpy|random|lax|grad|nn)\b.*"),
    Setting(r"numpy\.seterr(call)?", "FloatingPointError", "'raise'"),
    Setting(
        r"warnings\.(simplefilter|filterwarnings)",
        r"(.+\.)?\w*Warning",
        "'error'",
    ),
    Setting(
        r"decimal\.(getcontext\(\)\..+|setcontext)",
        r"decimal\.Decimal",
    ),
    Setting(
        r"locale\.setlocale",
        r"locale\.(atof|atoi|str|currency|format_string|delocalize|localeconv|strxfrm|strcoll)",
        r"'(?!C\b|POSIX).*'",  # those two are what a process begins with
    ),
    Setting(r"sys\.argv", r"sys\.argv|\.parse_(known_)?args\(\)"),
    Setting(r"os\.chdir", r"os\.getcwd|pathlib\.Path\.cwd"),
    Setting(
        r"sklearn\.set_config\.transform_output",
        r"\.(fit_)?transform",
    ),
    Setting(
        r"sklearn\.set_config\.enable_metadata_routing",
        r"\.set_\w+_request",
    ),
    Setting(
        r"pandas\.(set_option|options\.future\.infer_string)",
        r"pandas\.(read_\w+|DataFrame|Series)",
        r"'future\.infer_string'",
    ),
    Setting(
        r"pandas\.(set_option|options\.(mode\.use_inf_as_na|future\.no_silent_downcasting))",
        CHANGING_METHODS,
        r"'(mode\.use_inf_as_na|future\.no_silent_downcasting)'",
    ),
    Setting(
        r"pandas\.api\.extensions\.register_\w+_accessor",
        r"\.{}",
        r"'(\w+)'",
    ),
    Setting(
        r"mlflow\.(set_tracking_uri|set_experiment|set_registry_uri)",
        r"mlflow\.(log_\w+|start_run|set_tags?|register_model|MlflowClient|\w+\.log_model)",
    ),
    Setting(r"mlflow\.(\w+\.)?autolog", r"\.fit"),
    Setting(r"nltk\.download", r"nltk\.(?!download).+"),
)


class Made(NamedTuple):
    """A setting, and what else is to be known of where it was made."""

    setting: Setting
    name: str


def makings(nodes: Iterable[ast.AST], names: dict[str, str]) -> Iterator[tuple[Made, str]]:
    """The settings that code makes, each with the code that does."""
    for node in nodes:
        for made_by, given in _changed_by(node, names):
            for setting in SETTINGS:
                if not re.fullmatch(setting.made_by, made_by):
                    continue
                is_call = isinstance(node, ast.Call)
                found = [re.fullmatch(setting.given, one) for one in given] if is_call else []
                matches = [one for one in found if one]
                if matches or setting.given == ".*" or not is_call:
                    name = matches[0][1] if matches and matches[0].re.groups else ""
                    yield Made(setting, name), ast.unparse(node).splitlines()[0]


def _changed_by(node: ast.AST, names: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """What a call or an assignment changes, dotted, and the arguments that it is given."""
    if isinstance(node, ast.Call) and (name := full_name(node.func, names)):
        values = [*node.args, *(word.value for word in node.keywords)]
        yield name, [ast.unparse(value) for value in values]
        yield from ((f"{name}.{word.arg}", []) for word in node.keywords)
    targets = node.targets if isinstance(node, ast.Assign) else []
    for target in targets:
        if isinstance(target, ast.Attribute):
            first, dot, rest = ast.unparse(target).partition(".")
            bare = first.removesuffix("()")
            call = first.removeprefix(bare)
            yield names.get(bare, bare) + call + dot + rest, []


def mentions(nodes: Iterable[ast.AST], names: dict[str, str]) -> set[str]:
    """The dotted names in code, each attribute as `.name`, and what is called so: `.name()`."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Attribute):
            found.add(f".{node.attr}")
        if isinstance(node, ast.Call) and not (node.args or node.keywords):
            found.add(f".{last_part(node.func)}()")
        if isinstance(node, ast.Attribute | ast.Name):
            found.add(full_name(node, names))
    return found


def setting_of_another_step(notebook: Notebook) -> Found:
    """A step that relies on a setting of a library, which only a step above makes."""
    if not is_understood(notebook):
        return
    names, shared = imported_names(notebook), shared_cells(notebook)
    code = {s: reached_nodes(cells, shared) for s, cells in notebook.steps.items()}
    made = {step: dict(makings(nodes, names)) for step, nodes in code.items()}
    all_steps = [node for cell in shared for node in outside(cell)]
    everywhere = {one.setting for one in dict(makings(all_steps, names))}
    told: set[Made] = set()
    for step, nodes in code.items():
        own = {one.setting for one in made[step]} | everywhere
        mentioned = mentions(nodes, names)
        for above in [s for s in code if is_above(notebook, s, step)]:
            for one, line in made[above].items():
                needed = re.compile(one.setting.needed_by.replace("{}", one.name))
                uses = sorted(filter(needed.fullmatch, mentioned))
                if one.setting in own or one in told or not uses:
                    continue
                told.add(one)
                yield (
                    _find_mention(notebook.steps[step], uses, names),
                    f"`{line}` has its effect in step `{above}` only: step `{step}` is a process "
                    f"of its own, and uses `{uses[0].lstrip('.')}` without it",
                    "do it in each step that needs it, or once in the imports cell",
                )


def _find_mention(cells: list[Cell], uses: list[str], names: dict[str, str]) -> Cell:
    found = (cell for cell in cells if not mentions(cell.nodes, names).isdisjoint(uses))
    return next(found, cells[0])


RULES = (Rule(setting_of_another_step, Severity.WARNING),)
