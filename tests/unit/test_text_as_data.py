"""Text is data: no value of a notebook becomes code, whatever field it stands in."""

import ast
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from build import write_notebook

from fastkf.base.errors import FastkfError, UsageError
from fastkf.migrate import migrate
from fastkf.notebook import kale
from fastkf.notebook.check import Severity, check
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import Notebook, read
from fastkf.notebook.parameters import read_parameters
from fastkf.notebook.plain import write_plain
from fastkf.notebook.reading.errors import NotPlainError
from fastkf.package.arguments import check_arguments, read_arguments
from fastkf.package.errors import PackageError
from fastkf.package.kale import component_sources
from fastkf.package.model import Package
from fastkf.package.parameters import Parameter, read_value

pytestmark = [pytest.mark.security, pytest.mark.slow]


def attacks(mark: Path) -> list[str]:
    """Values with code in them that makes the file `mark`, should it ever be run."""
    code, shell = f"open({str(mark)!r}, 'w')", f"touch {mark}"
    return [
        f"x'); {code}#",
        f'x"); {code}#',
        f"x', description={code}, display_name='",
        f'x" + str({code}) + "',
        f"x')\n{code}\n('",
        "x\n",
        "x\\",
        "'''",
        f"{{{{ {code} }}}}",
        f"$({shell})",
        f"x; {shell}",
        f"!!python/object/apply:os.system ['{shell}']",
        f"__import__('os').system({shell!r})",
    ]


@dataclass
class Place:
    """Where in a notebook a value stands."""

    settings: dict = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    parameter: str | None = None


def defaults(*tags: str) -> Place:
    return Place({"steps_defaults": list(tags)})


def volume(**keys) -> Place:
    of_a_volume = {"name": "data", "mount_point": "/data", "type": "pvc", **keys}
    return Place({"volumes": [of_a_volume]})


# Every field that Kale reads of a notebook, by its name; those that its templates write and those
# that they do not write today.
PLACES: dict[str, Callable[[str], Place]] = {
    **{
        name: lambda value, name=name: Place({name: value})
        for name in (
            "pipeline_name",
            "pipeline_description",
            "base_image",
            "marshal_path",
            "abs_working_dir",
            "experiment_name",
            "kfp_host",
            "output_path",
            "storage_class_name",
            "volume_access_mode",
            "enable_caching",
            "timeout",
        )
    },
    "experiment": lambda value: Place({"experiment": {"id": value, "name": value}}),
    "katib": lambda value: Place({"katib_metadata": {"algorithm": {"name": value}}}),
    "unknown key": lambda value: Place({"description": value}),
    "key": lambda value: Place({value: "x"}),
    "user": lambda value: Place({"security_context": {"run_as_user": value}}),
    "non-root": lambda value: Place({"security_context": {"run_as_non_root": value}}),
    "volume name": lambda value: volume(name=value),
    "volume with a variable": lambda value: volume(name=value, expose_as_env_var=True),
    "volume mount": lambda value: volume(mount_point=value),
    "volume mount, a path": lambda value: volume(mount_point=f"/data{value}"),
    "volume type": lambda value: volume(type=value),
    "volume annotation": lambda value: volume(annotations=[{"key": "a", "value": value}]),
    "default image": lambda value: defaults(f"image:{value}"),
    "default label": lambda value: defaults(f"label:team:{value}"),
    "default label key": lambda value: defaults(f"label:{value}:blue"),
    "default annotation": lambda value: defaults(f"annotation:note:{value}"),
    "default limit": lambda value: defaults(f"limit:nvidia.com/gpu:{value}"),
    "default secret": lambda value: defaults(f"secret:{value}:key:VARIABLE"),
    "default tag": lambda value: defaults(value),
    "labels": lambda value: Place({"steps_defaults": {"labels": {"team": value}}}),
    "label keys": lambda value: Place({"steps_defaults": {"labels": {value: "blue"}}}),
    "annotations": lambda value: Place({"steps_defaults": {"annotations": {"note": value}}}),
    "annotation keys": lambda value: Place({"steps_defaults": {"annotations": {value: "x"}}}),
    "limits": lambda value: Place({"steps_defaults": {"limits": {"nvidia.com/gpu": value}}}),
    "limit keys": lambda value: Place({"steps_defaults": {"limits": {value: "1"}}}),
    "secrets": lambda value: Place(
        {"steps_defaults": {"secrets": {"A": {"secret_name": value, "secret_key": value}}}}
    ),
    "secret variables": lambda value: Place(
        {"steps_defaults": {"secrets": {value: {"secret_name": "a", "secret_key": "b"}}}}
    ),
    "tag": lambda value: Place(tags=[value]),
    "tag image": lambda value: Place(tags=[f"image:{value}"]),
    "tag image, a path": lambda value: Place(tags=[f"image:python:3{value}"]),
    "tag label": lambda value: Place(tags=[f"label:team:{value}"]),
    "tag label key": lambda value: Place(tags=[f"label:{value}:blue"]),
    "tag annotation": lambda value: Place(tags=[f"annotation:note:{value}"]),
    "tag annotation key": lambda value: Place(tags=[f"annotation:{value}:x"]),
    "tag limit": lambda value: Place(tags=[f"limit:nvidia.com/gpu:{value}"]),
    "tag limit of AMD": lambda value: Place(tags=[f"limit:amd.com/gpu:{value}"]),
    "tag limit key": lambda value: Place(tags=[f"limit:{value}:1"]),
    "tag secret name": lambda value: Place(tags=[f"secret:{value}:key:VARIABLE"]),
    "tag secret key": lambda value: Place(tags=[f"secret:name:{value}:VARIABLE"]),
    "tag secret variable": lambda value: Place(tags=[f"secret:name:key:{value}"]),
    "tag cache": lambda value: Place(tags=[f"cache:{value}"]),
    "tag report": lambda value: Place(tags=[f"report:{value}"]),
    "tag prev": lambda value: Place(tags=[f"prev:{value}"]),
    "tag step": lambda value: Place(tags=[f"step:{value}"]),
    "tag notebook": lambda value: Place(tags=[f"notebook:{value}"]),
    "parameter": lambda value: Place(parameter=value),
}
every_place = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)


def write(path: Path, place: Place) -> Notebook:
    cells: list[tuple] = [("step:load", "x = 1")]
    if place.parameter is not None:
        cells.insert(0, (["pipeline-parameters", "parameters"], f"text = {place.parameter!r}"))
    own_step = any(tag.startswith(("step:", "notebook:")) for tag in place.tags)
    cells.append((place.tags if own_step else ["step:train", *place.tags], "y = x"))
    return read(write_notebook(path, cells, kale=place.settings))


def shape(source: str) -> str:
    """The structure of code: all of it but the content of texts."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return re.sub(r"Constant\(value=\d+\)", "Number", ast.dump(tree))


def refusals(notebook: Notebook, package: Path) -> list[str]:
    """What `compile` and `check` say against a notebook."""
    errors = [str(one) for one in check(notebook) if one.severity is Severity.ERROR]
    try:
        compile_notebook(notebook, package)
    except FastkfError as error:
        return [str(error), *errors]
    return errors


def generate(notebook: Notebook) -> str | None:
    """Kale's script of a notebook, and the code in its package; None where it is refused."""
    path, settings = notebook.path, notebook.settings()
    try:
        script = kale.generate_script(path, settings).source
        package = next(yaml.safe_load_all(write_plain(path, settings, str).text))
    except NotPlainError:
        return script
    except FastkfError:
        return None
    executors = package["deploymentSpec"]["executors"]
    return "\n".join((script, *component_sources(executors).values()))


MOST_GENERATED = 2  # scripts that are generated of one place, since each takes a while


@pytest.mark.slow
@every_place
def test_no_value_becomes_code(place, tmp_path):
    """Either the value is refused, or the code is the same as with a harmless one."""
    mark, example, expected = tmp_path / "MARK", tmp_path / "example.ipynb", None
    generated = 0
    for value in attacks(mark):
        notebook = write(example, place(value))
        source = generate(notebook)
        if source is not None:
            generated += 1
            expected = expected or shape(generate(harmless(notebook)))
            assert shape(source) == expected, value
        else:
            messages = refusals(notebook, tmp_path / "pipeline.yaml")
            assert len(messages) >= 2, value
            for message in messages:
                assert str(example) in message
                assert "\n" not in message
        assert not mark.exists(), value
        if generated == MOST_GENERATED:
            break


def harmless(notebook: Notebook) -> Notebook:
    """The same notebook with ordinary values in the settings that every notebook has."""
    content = json.loads(notebook.path.read_text())
    path = notebook.path.with_name("harmless.ipynb")
    names = ("experiment_name", "pipeline_name", "pipeline_description")
    content["metadata"]["kubeflow_notebook"] |= dict.fromkeys(names, "x")
    path.write_text(json.dumps(content))
    return read(path)


def test_text_that_code_can_hold_arrives_as_it_is(tmp_path):
    """In a description and an annotation, which hold any sentence."""
    mark = tmp_path / "MARK"
    text = f"{{{{ open('{mark}', 'w') }}}} $(touch {mark}) `touch {mark}` ; touch {mark} {{x}} é"
    description = text.replace("'", "")
    cells = [(["step:load", f"annotation:note:{text}"], "x = 1")]
    path = write_notebook(tmp_path / "a.ipynb", cells, kale={"pipeline_description": description})
    package = Package.read(compile_notebook(read(path), tmp_path / "a.yaml"))
    assert package.description == description
    executors = package.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    (executor,) = executors.values()
    assert executor["podMetadata"]["annotations"]["note"] == text.replace(":", "")
    assert not mark.exists()


@pytest.mark.parametrize("variable", ["KALE_DEFAULT_BASE_IMAGE", "KALE_PIP_INDEX_URLS"])
def test_no_variable_becomes_code(variable, tmp_path, monkeypatch):
    mark = tmp_path / "MARK"
    notebook = write(tmp_path / "a.ipynb", Place())
    for value in (f"x'); open({str(mark)!r}, 'w')#", f"x; touch {mark}", f"$(touch {mark})"):
        monkeypatch.setenv(variable, value)
        with pytest.raises(FastkfError, match="base_image is .*, but takes|no address of a pack"):
            compile_notebook(notebook, tmp_path / "a.yaml")
        assert not mark.exists()


def test_no_trusted_host_becomes_code(tmp_path, monkeypatch):
    monkeypatch.setenv("KALE_PIP_INDEX_URLS", "https://packages.example/index")
    monkeypatch.setenv("KALE_PIP_TRUSTED_HOSTS", "packages.example;touch x")
    with pytest.raises(FastkfError, match="'packages.example;touch x' is no address of a package"):
        compile_notebook(write(tmp_path / "a.ipynb", Place()), tmp_path / "a.yaml")


def test_no_image_that_is_asked_for_becomes_code(tmp_path):
    mark = tmp_path / "MARK"
    notebook = write(tmp_path / "a.ipynb", Place())
    with pytest.raises(FastkfError, match="base_image is .*, but takes the name of an image"):
        compile_notebook(notebook, tmp_path / "a.yaml", f"x'); open({str(mark)!r}, 'w')#")
    assert not mark.exists()


@pytest.mark.parametrize(
    "place",
    [
        lambda value: Place({"base_image": value}),
        lambda value: Place({"marshal_path": value}),
        lambda value: Place(tags=[f"image:{value}"]),
        lambda value: Place(tags=[f"label:team:{value}"]),
        lambda value: Place(parameter=value),
    ],
)
def test_no_value_of_a_notebook_that_is_referred_to_becomes_code(place, tmp_path):
    mark = tmp_path / "MARK"
    part = write(tmp_path / "part.ipynb", place(f'x\'"); open({str(mark)!r}, "w")#'))
    path = write_notebook(tmp_path / "whole.ipynb", [("notebook:part", ""), ("step:end", "z = 1")])
    content = json.loads(path.read_text())
    content["cells"][0]["metadata"]["notebook_path"] = part.path.name
    path.write_text(json.dumps(content))
    (message, *findings) = refusals(read(path), tmp_path / "whole.yaml")
    assert " in part.ipynb is " in message
    assert any(": unfit-value: " in one and "correct it in part.ipynb" in one for one in findings)
    assert not mark.exists()


def test_no_value_of_an_old_notebook_becomes_code(tmp_path):
    mark = tmp_path / "MARK"
    evil = f'x\'"); open({str(mark)!r}, "w")#'
    kale_1 = {
        "pipeline_description": evil,
        "pipeline_name": evil,
        "docker_image": evil,
        "base_image": evil,
        "steps_defaults": [f"label:team:{evil}", f"annotation:note:{evil}", f"image:{evil}"],
        "volumes": [{"name": "a", "type": "pvc", "mount_point": f"/data{evil}"}],
    }
    old = write_notebook(
        tmp_path / "old.ipynb", [(["block:a", f"label:owner:{evil}"], "x = 1")], kale=kale_1
    )
    migration = migrate(old, tmp_path / "new.ipynb")
    assert not migration.compiles
    said = "\n".join(migration.left)
    for field_name in ("base_image", "volumes: mount_point", "label:team", "label:owner", "image"):
        assert re.search(f"unfit-value: {field_name}( of step a)? is", said), field_name
    assert not mark.exists()


@pytest.mark.parametrize(
    "text",
    ["it's", "a\\b", "a\nb", "a\rb", "a\fb", "\x1b[2J", "a\u2028b", "'); open('MARK', 'w')#"],
)
def test_no_value_of_a_parameter_becomes_code(text, tmp_path):
    """That the steps of Kale cannot take it is said before anything runs, whoever gives it."""
    notebook = write(tmp_path / "a.ipynb", Place(parameter="x"))
    with pytest.raises(UsageError, match=f"{notebook.path}: parameter text holds a "):
        read_parameters(notebook, {"text": text})
    package = Package.read(compile_notebook(notebook, tmp_path / "a.yaml"))
    with pytest.raises(UsageError, match="a.yaml: parameter text holds a .*; choose a value with"):
        read_arguments(package, {"text": text})
    with pytest.raises(PackageError, match="parameter text holds a "):
        check_arguments(package, {"text": text})
    check_arguments(package, {"text": 'two words: {{x}} $(y) `z` ; " # é\t'})


@pytest.mark.parametrize("text", ["a\tb", "a\fb", "\x1b[2J", "a\u2028b"])
def test_a_default_is_compiled_or_the_check_says_why_not(text, tmp_path):
    cells = [(["pipeline-parameters", "parameters"], f"sep = {text!r}"), ("step:load", "x = sep")]
    notebook = read(write_notebook(tmp_path / "a.ipynb", cells))
    if text == "a\tb":
        package = Package.read(compile_notebook(notebook, tmp_path / "a.yaml"))
        assert package.parameters["sep"].default == text
        assert not [one for one in check(notebook) if one.severity is Severity.ERROR]
    else:
        message, finding = refusals(notebook, tmp_path / "a.yaml")
        assert "parameter sep is " in message
        assert "cell 1: parameter-quote: " in finding


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (float, "1e999"),
        (float, "-inf"),
        (float, "nan"),
        (int, "9007199254740993"),
        (int, "1" + "0" * 400),
        (int, "1" + "0" * 5000),
        (list, "[9007199254740993]"),
        (dict, '{"a": [{"b": -9007199254740993}]}'),
        (list, "[1e999]"),
        (list, "[NaN]"),
        (list, "[" * 100_000),
        (dict, '{"a": {"b": [-Infinity]}}'),
        (dict, '{"a": "\\ud800"}'),
        (dict, '{"\\udfff": 1}'),
        (str, "caf\udce9"),
    ],
)
def test_a_value_that_no_package_keeps_is_refused(kind, text):
    with pytest.raises(UsageError, match="parameter rate(: | takes |\\.a)") as caught:
        read_value("rate", text, kind)
    assert len(str(caught.value)) < 250


def test_the_largest_whole_number_is_kept_inside_a_list_too():
    assert read_value("rate", "[9007199254740992, true]", list) == [2**53, True]


@pytest.mark.parametrize(
    "value",
    [
        *(float("inf"), float("nan"), 2**60, "\ud800"),
        *([1, [float("inf")]], {"a": float("inf")}, [2**60], {"a": 2**60}),
    ],
)
def test_a_request_with_such_a_value_is_refused(value):
    kinds = {float: "NUMBER_DOUBLE", int: "NUMBER_INTEGER", str: "STRING", list: "LIST"}
    parameter = Parameter("rate", kinds.get(type(value), "STRUCT"))
    with pytest.raises(PackageError, match="^parameter rate(: |\\.a: )"):
        parameter.check(value)


@pytest.mark.parametrize("value", ["1e999", "9007199254740993"])
def test_a_default_that_no_package_keeps_is_named(value, tmp_path):
    cells = [(["pipeline-parameters", "parameters"], f"rate = {value}"), ("step:load", "x = rate")]
    notebook = read(write_notebook(tmp_path / "a.ipynb", cells))
    message, *findings = refusals(notebook, tmp_path / "a.yaml")
    assert "parameter rate is " in message
    assert any("cell 1: parameter-not-literal: the value of `rate = " in one for one in findings)


@pytest.mark.parametrize("place", ["source", "tag", "name", "output"])
def test_a_notebook_with_half_of_a_character_is_no_notebook(place, tmp_path):
    cells = [("step:load", "x = '\ud800'" if place == "source" else "x = 1")]
    if place == "tag":
        cells = [(["step:load", "annotation:note:\ud800"], "x = 1")]
    kale_settings = {"experiment_name": "\udfff"} if place == "name" else {}
    path = write_notebook(tmp_path / "a.ipynb", cells, kale=kale_settings)
    if place == "output":
        content = json.loads(path.read_text())
        content["cells"][0]["outputs"] = [{"output_type": "stream", "text": "\ud800"}]
        path.write_text(json.dumps(content))
    with pytest.raises(FastkfError, match="a.ipynb: not a readable notebook .*surrogates not all"):
        read(path)


def test_a_character_in_two_halves_is_one(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", [("step:load", "x = '😀'")])
    assert "\\ud83d" in path.read_text()
    assert read(path).code_cells[0].source == "x = '😀'"


def test_a_command_that_is_suggested_can_be_pasted(tmp_path):
    """The name of a file may hold what a shell would run."""
    path = tmp_path / "a;touch MARK.ipynb"
    notebook = read(write_notebook(path, [(["step:load", "image:my image"], "x = 1")]))
    with pytest.raises(FastkfError, match=re.escape(f"run `fastkf check '{path}'` to see where")):
        compile_notebook(notebook, tmp_path / "a.yaml")


def test_migrating_imports_nothing_that_a_notebook_names(tmp_path, monkeypatch):
    """To look for a module of old Kale, whose name may be anybody's package."""
    mark = tmp_path / "MARK"
    (tmp_path / "kfserving").mkdir()
    (tmp_path / "kfserving" / "__init__.py").write_text(f"open({str(mark)!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    cells = [(["block:load"], "from kfserving.constants import NAME\nx = NAME")]
    migrate(write_notebook(tmp_path / "old.ipynb", cells), tmp_path / "new.ipynb")
    assert not mark.exists()
