"""The table of the features of KFP's SDK: what becomes of each here, and the package that shows it.

    python tests/conformance/sdk_table.py

writes labs/kfp_sdk.md. The features are read from the installed SDK, what is refused or not
applied is asked of fastkf itself, and the packages are found by the names that their sources use.
"""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import kfp
from cases import CASES, UNRUN
from kfp import Client, compiler, components, dsl, kubernetes, local
from sdk_uses import judge

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
TESTS = ("tests/server/test_server_api.py", "tests/conformance/test_sdk_table.py")
PAGE = PROJECT / "labs" / "kfp_sdk.md"
HEADING = """\
# The KFP SDK, feature by feature

What becomes of each feature of the SDK when a pipeline that uses it runs with `fastkf run` or on `fastkf server`. The list is that of the installed SDK, {version}: its public names, methods and options.
`python tests/conformance/sdk_table.py` makes this page, and a test compares it with the SDK and with `fastkf`. The last column names the package, of those in `tests/conformance/`, or the test that shows it. What a package comes to there is what a Kubeflow Pipelines makes of it: seen on a real one, or read in its source.

| Here | What it means |
|---|---|
| yes | it does what it does on a cluster |
| given | it does, with the values that you name: `--secret NAME=FILE`, `--config-map NAME=FILE`. Without them `fastkf run` refuses it, and the server lists it |
| listed | the pipeline runs. What only a cluster can do is left out, and the run names it as *not applied here*: on its page, in its report and in the step's log |
| refused | nothing runs, and the message says why |
| SDK | it is the SDK's own matter, on your computer. `fastkf` has no part in it |

"""  # noqa: E501
FAILING = [  # they call methods that ClassificationMetrics does not have, or without an argument
    f"SlicedClassificationMetrics.{name}"
    for name in ("log_roc_reading", "load_roc_readings", "load_confusion_matrix")
]
NOTES = {
    "component(target_image=)": "the image that `kfp component build` makes",
    "component(output_component_file=)": "writes a file when it compiles",
    "notebook_component(output_component_file=)": "writes a file when it compiles",
    "component(kfp_package_path=)": "the step takes the KFP that is installed here",
    "notebook_component(kfp_package_path=)": "the step takes the KFP that is installed here",
    "component(pip_index_urls=)": "an address for pip",
    "component(pip_trusted_hosts=)": "an address for pip",
    "notebook_component(pip_index_urls=)": "an address for pip",
    "notebook_component(pip_trusted_hosts=)": "an address for pip",
    **dict.fromkeys(FAILING, "it fails in this SDK, wherever it runs"),
    "components.load_component_from_url": "the SDK fetches it when it compiles",
    "compile(kubernetes_manifest_format=)": "a manifest for `kubectl`, and no package",
    "compile(kubernetes_manifest_options=)": "a manifest for `kubectl`, and no package",
}
REFUSED = {"compile(kubernetes_manifest_format=)", "compile(kubernetes_manifest_options=)"}
OF_THE_SDK = {
    *("task.channel_inputs", "task.dependent_tasks", "task.inputs", "task.name", "task.output"),
    *("task.outputs", "task.platform_spec", "task.register_pipeline_channels", "dsl.PipelineTask"),
    *("components.PythonComponent", "components.BaseComponent", "components.ContainerComponent"),
    *("components.YamlComponent", "components.load_component_from_url", "compile(type_check=)"),
    *("client.get_user_namespace", "client.set_user_namespace"),
    *("component(target_image=)", "component(output_component_file=)"),
    "notebook_component(output_component_file=)",
    *("Artifact.schema_title", "Artifact.schema_version"),
    *FAILING,
}


@dataclass(frozen=True)
class Feature:
    """A name of the SDK.

    Attributes:
        word: by which a source that uses it is found; `is_option`: as a keyword.
    """

    shown: str
    word: str
    is_option: bool = False


@dataclass
class Words:
    """The names, attributes and keywords that a source uses."""

    names: set[str] = field(default_factory=set)
    options: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, node: ast.AST) -> "Words":
        words = cls()
        for one in ast.walk(node):
            match one:
                case ast.Name(name) | ast.Attribute(_, name):
                    words.names.add(name)
                case ast.alias(name):
                    words.names.add(name)
                case ast.keyword(str() as name):
                    words.options.add(name)
        return words

    def use(self, feature: Feature) -> bool:
        return feature.word in (self.options if feature.is_option else self.names)


def list_features() -> dict[str, list[Feature]]:
    """The features of the installed SDK, by the part of it that has them."""
    return {
        "Components and pipelines (`kfp.dsl`)": [
            *(Feature(f"dsl.{name}", name) for name in sorted(dsl.__all__)),
            *_options("component", dsl.component),
            *_options("notebook_component", dsl.notebook_component),
            *_options("pipeline", dsl.pipeline),
            *_options("PipelineConfig", dsl.PipelineConfig.__init__),
            *_options("ParallelFor", dsl.ParallelFor.__init__),
            *_options("importer", dsl.importer),
        ],
        "Artifacts in a step": [
            *_methods("Artifact", dsl.Artifact),
            *_methods("Metrics", dsl.Metrics, dsl.Artifact),
            *_methods("ClassificationMetrics", dsl.ClassificationMetrics, dsl.Artifact),
            *_methods("SlicedClassificationMetrics", dsl.SlicedClassificationMetrics, dsl.Artifact),
        ],
        "Tasks (`dsl.PipelineTask`)": list(_methods("task", dsl.PipelineTask)),
        "Kubernetes (`kfp.kubernetes`)": [
            Feature(f"kubernetes.{name}", name) for name in sorted(kubernetes.__all__)
        ],
        "Compiler and loaded components (`kfp.compiler`, `kfp.components`)": [
            *_options("compile", compiler.Compiler.compile),
            *(Feature(f"components.{name}", name) for name in sorted(components.__all__)),
        ],
        "Client (`kfp.Client`)": list(_methods("client", Client)),
        "Local runs (`kfp.local`)": [
            *(Feature(f"local.{name}", name) for name in sorted(local.__all__)),
            *_options("local.init", local.init),
        ],
    }


def _options(name: str, function) -> Iterator[Feature]:
    for option in inspect.signature(function).parameters:
        if option not in ("self", "func"):
            yield Feature(f"{name}({option}=)", option, is_option=True)


def _methods(name: str, kind: type, without: type = object) -> Iterator[Feature]:
    for method in dir(kind):
        if not method.startswith("_") and method not in dir(without):
            yield Feature(f"{name}.{method}", method)


def read_cases() -> dict[str, Words]:
    """The words of each package of this folder, those of all that its pipeline calls too."""
    defined: dict[str, Words] = {}
    for name in ("small_packages", "sdk_packages"):
        for node in ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8")).body:
            defined |= {one: Words.of(node) for one in _targets(node)}
    cases = CASES | UNRUN
    return {name: _gather(case.pipeline, defined) for name, case in cases.items()}


def _targets(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name):
            return [name]
        case ast.Assign([ast.Name(name)]):
            return [name]
    return []


def _gather(start: str, defined: dict[str, Words]) -> Words:
    gathered, waiting, seen = Words(), [start], set()
    while waiting:
        name = waiting.pop()
        if name in defined and name not in seen:
            seen.add(name)
            gathered.names |= defined[name].names
            gathered.options |= defined[name].options
            waiting += defined[name].names
    return gathered


@dataclass(frozen=True)
class Row:
    """A feature with what becomes of it, and what shows that."""

    feature: str
    here: str
    shown_by: str


def make_rows() -> dict[str, list[Row]]:
    cases, tests = read_cases(), read_tests()
    return {
        part: [_make_row(feature, cases, tests) for feature in features]
        for part, features in list_features().items()
    }


def _make_row(feature: Feature, cases: dict[str, Words], tests: dict[str, Words]) -> Row:
    here = _find_place(feature)
    if feature.shown in NOTES:
        return Row(feature.shown, here, NOTES[feature.shown])
    users = [name for name, words in cases.items() if words.use(feature)]
    found = [f"*{min(users, key=lambda name: len(cases[name].names))}*"] if users else []
    found += [f"`{path}`" for path, words in tests.items() if words.use(feature)][:1]
    return Row(feature.shown, here, "" if here == "SDK" else (found or [""])[0])


def _find_place(feature: Feature) -> str:
    if feature.shown in REFUSED:
        return "refused"
    if feature.shown in OF_THE_SDK or feature.shown.startswith("local."):
        return "SDK"
    return judge(feature.word)


def write_page() -> str:
    text = HEADING.format(version=kfp.__version__)
    for part, rows in make_rows().items():
        text += f"## {part}\n\n| Feature | Here | Shown by |\n|---|---|---|\n"
        text += "".join(f"| `{row.feature}` | {row.here} | {row.shown_by} |\n" for row in rows)
        text += "\n"
    return text.rstrip() + "\n"


def read_tests() -> dict[str, Words]:
    """The words of other tests that show features: of the client, of the compiler's options."""
    return {
        path: Words.of(ast.parse((PROJECT / path).read_text(encoding="utf-8"))) for path in TESTS
    }


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
