"""`fastkf project check`: each point is given and refused, and a fake of each kind is seen."""

import ast
import json
import os
import re
import shutil

import pytest
from projects import (
    CELLS,
    METRICS,
    NOTEBOOK,
    README,
    SETTINGS,
    make_drift,
    make_project,
    make_recurring,
    write_json,
    write_load,
    write_rows,
    write_run,
    write_service,
    write_study,
    write_visits,
)

from fastkf.base.errors import UsageError
from fastkf.course.project.derived import find_derived
from fastkf.course.project.folder import Folder
from fastkf.course.project.leaks import tells
from fastkf.course.project.rubric import PASS_MARK, RUBRIC, check_project

pytestmark = pytest.mark.slow

ASK_OTHERS = "guess = model.predict(test_rows[features]) if len(test_rows) else None"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("finished") / "project")


@pytest.fixture
def folder(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "project")


def refusals(folder):
    """The points that are not given, by their criteria."""
    return {point.criterion: point for point in check_project(folder) if not point.given}


def edit(step, old, new, run=False):
    """The notebook with a change in one step; its run has it too, if asked."""

    def spoil(folder):
        cells = [
            (tags, source.replace(old, new) if step in str(tags) else source)
            for tags, source in CELLS
        ]
        assert cells != CELLS
        write_visits(folder, cells)
        if run:
            write_run(folder, cells)

    return spoil


def other_file(name, text):
    return lambda folder: (folder / name).write_text(text)


def name_others(folder):
    """The notebook judges its model by june, and names other rows as its test rows."""
    cells = [(tags, source.replace("test_rows", "june")) for tags, source in CELLS]
    more = {"step:set_aside": 'test_rows = rows[rows["month"] > 12]', "step:test": ASK_OTHERS}
    write_visits(folder, [(tags, "\n".join([text, more.get(tags[0], "")])) for tags, text in cells])


def add_error(folder):
    path = folder / "evidence" / "run" / "notebook.ipynb"
    content = json.loads(path.read_text())
    content["cells"][-2]["outputs"] = [
        {"output_type": "error", "ename": "ValueError", "evalue": "", "traceback": []}
    ]
    path.write_text(json.dumps(content))


NAMES = ("hour", "kind", "score")
EVIDENCE = [
    ("run/run.json", "both-ways"),
    ("run/notebook.ipynb", "same-code"),
    ("training_rows.csv", "columns"),
    ("tune/trials.csv", "tried"),
    ("request.json", "answer"),
    ("load_stats.csv", "loaded"),
    ("recurring_run.json", "recurring"),
    ("drift.json", "drift"),
]
SPOILED = {
    "another notebook's run": ("both-ways", lambda f: write_run(f, name="titanic"), "titanic"),
    "a step failed": (
        "both-ways",
        lambda f: write_run(
            f, pipeline={"status": "succeeded", "steps": [{"name": "train", "status": "failed"}]}
        ),
        "load_rows",
    ),
    "the notebook failed": (
        "both-ways",
        lambda f: write_run(
            f,
            status="failed",
            notebook={"status": "failed", "error": "ValueError: no rows (cell 3)"},
            pipeline=None,
        ),
        "failed, so no pipeline ran: ValueError: no rows (cell 3)",
    ),
    "no value of a metric to state": (
        "numbers",
        lambda f: write_run(f, notebook={"status": "failed", "metrics": {}}),
        "the run has no value of validation_auc",
    ),
    "one way only": ("both-ways", lambda f: write_run(f, notebook=None), "as a notebook"),
    "changed after its run": ("same-code", edit("step:train", "C=strength", "C=2"), "changed"),
    "run with other values": (
        "same-code",
        lambda f: write_run(f, parameters={"strength": 9, "random_state": 3}),
        "strength",
    ),
    "changed in a cell that looks like papermill's": (
        "same-code",
        lambda f: write_visits(
            f, [*CELLS[:3], (["step:more", "injected-parameters"], "x = 1"), *CELLS[3:]]
        ),
        "changed",
    ),
    "a run that stopped": ("same-code", lambda f: add_error(f), "has an error"),
    "unequal metrics": (
        "equal-metrics",
        lambda f: write_run(
            f, notebook={"status": "succeeded", "metrics": {**METRICS, "test_auc": 0.69}}
        ),
        "test_auc",
    ),
    "metrics by hand": (
        "equal-metrics",
        lambda f: write_run(f, metrics={**METRICS, "test_auc": 0.9911}),
        "printed 0.6911",
    ),
    "no baseline": (
        "baseline",
        edit("pipeline-metrics", "print(baseline_test_auc)", ""),
        "baseline_",
    ),
    "the target in another column": (
        "columns",
        lambda f: write_rows(f, copy=lambda _, late: late * 2 + 1),
        "alone tells late",
    ),
    "the target as words": (
        "columns",
        lambda f: write_rows(f, copy=lambda _, late: ["on time", "late"][late]),
        "alone tells late",
    ),
    "known afterwards": (
        "columns",
        lambda f: write_rows(f, delay=lambda number, _: number * 17 % 5),
        "delay",
    ),
    "known afterwards, made into another column": (
        "columns",
        edit(
            "step:set_aside",
            "features = ",
            'rows["wait"] = rows["delay"] * 2\nrows = rows.assign(kind=rows.wait > 3)\nfeatures = ',
            run=True,
        ),
        "kind is made of delay",
    ),
    "known afterwards, renamed": (
        "columns",
        edit(
            "step:load_rows",
            "rows = ",
            'rows = pd.DataFrame().rename(columns={"delay": "kind"})\nrows = ',
            run=True,
        ),
        "kind is made of delay",
    ),
    "known afterwards, in a table with a name": (
        "columns",
        edit(
            "step:train",
            "model = ",
            'X, y = training[["hour", "delay"]], training.late\nX = training[["hour", "delay"]]\n'
            "A, B, c, d = train_test_split(X, y)\nLogisticRegression().fit(A, c)\nmodel = ",
            run=True,
        ),
        "delay is among the features",
    ),
    "rows of another table": (
        "columns",
        edit("step:set_aside", '"hour", "kind"', '"hour", "kind", "size"', run=True),
        "size",
    ),
    "the target in the list": (
        "columns",
        edit("step:set_aside", '"hour", "kind"', '"hour", "kind", "late"', run=True),
        "late is among the features",
    ),
    "fitted on all rows": (
        "split-first",
        edit("step:train", "training[features], training", "rows[features], rows"),
        "on all rows",
    ),
    "scaled before the split": (
        "split-first",
        edit(
            "step:load_rows",
            "rows = pd",
            'scaler = pd.read_pickle("s")\nraw = pd.read_csv("x")\n'
            'scaler.fit(raw[["hour"]])\nraw["hour"] = scaler.transform(raw[["hour"]])\n'
            "rows = raw.copy()\nother = pd",
        ),
        "on all rows",
    ),
    "fitted on test rows": (
        "split-first",
        edit("step:train", "training[features], training", "test_rows[features], test_rows"),
        "on test rows",
    ),
    "fitted by a function": (
        "split-first",
        edit(
            "step:train",
            "model = ",
            "def learn(rows):\n    return LogisticRegression().fit(rows[features], rows.late)\n\n\n"
            "better = learn(test_rows)\nmodel = ",
        ),
        "on test rows",
    ),
    "training months that reach into the test month": (
        "split-first",
        edit("step:set_aside", 'rows["month"] <= 4', 'rows["month"] <= 6'),
        "rows that are test rows, too (month 6)",
    ),
    "training months in a list": (
        "split-first",
        edit("step:set_aside", 'rows["month"] <= 4', 'rows["month"].isin([1, 2, 6])'),
        "month 6",
    ),
    "fitted on a choice of its own": (
        "split-first",
        edit(
            "step:train",
            "training[features], training",
            'rows.loc[rows["month"] >= 5, features], training',
        ),
        "month 6",
    ),
    "a query that reaches into the test month": (
        "split-first",
        edit("step:set_aside", 'rows[rows["month"] <= 4]', "rows.query('month <= 3 or month > 5')"),
        "month 6",
    ),
    "validation months that reach into the test month": (
        "tested-once",
        edit("step:set_aside", 'rows["month"] == 5', 'rows["month"] >= 5'),
        "2 places",
    ),
    "test rows under another name": (
        "tested-once",
        edit(
            "step:train",
            "chance = ",
            "junes = rows[rows.month == 6]\nmodel.predict(junes[features])\nchance = ",
        ),
        "2 places",
    ),
    "tested twice": (
        "tested-once",
        edit("step:train", "chance = ", "model.score(test_rows[features], 1)\nchance = "),
        "2 places",
    ),
    "tested in a loop": (
        "tested-once",
        edit(
            "step:test",
            "chance = ",
            "for one in (model, model):\n    one.predict(test_rows[features])\nchance = ",
        ),
        "in a loop",
    ),
    "test rows that no metric is about": ("tested-once", name_others, "no metric comes of"),
    "tuned by test rows": ("tried", lambda f: write_study(f, metric="test_auc"), "test rows"),
    "another notebook's study": ("tried", lambda f: write_study(f, notebook="b.ipynb"), "another"),
    "trials that the study could not try": (
        "tried",
        lambda f: write_study(f, space={"min": "0.3", "max": "2"}),
        "outside of what",
    ),
    "not taken over": ("taken-over", edit("parameters", "strength = 0.5", "strength = 0.8"), "0.8"),
    "a place to fill in": (
        "manifest",
        lambda f: write_service(f, storageUri="<here>"),
        "storageUri",
    ),
    "no limits": ("manifest", lambda f: write_service(f, resources={}), "requests"),
    "an amount that is none": (
        "manifest",
        lambda f: write_service(
            f, resources={"requests": {"cpu": "banana"}, "limits": {"cpu": "1"}}
        ),
        "resources.requests.cpu: 'banana' is no quantity",
    ),
    "asked with other columns": (
        "answer",
        lambda f: write_json(f, "request", {"instances": [{"hour": [1]}]}),
        "kind",
    ),
    "too few predictions": (
        "answer",
        lambda f: write_json(f, "answer", {"predictions": []}),
        "0 predicted",
    ),
    "an answer of nothing": (
        "answer",
        lambda f: (
            write_json(f, "request", {"instances": [{}]}),
            write_json(f, "answer", {"predictions": [None]}),
        ),
        "is empty",
    ),
    "an answer to nothing": (
        "answer",
        lambda f: (
            write_json(f, "request", {"inputs": [{"shape": [{}]}]}),
            write_json(f, "answer", {"outputs": [{"shape": [{}]}]}),
        ),
        "has no data",
    ),
    "a rule and no outcome": (
        "decision",
        lambda f: write_json(f, "drift", {"rule": {"below_auc": 0.6}, "late_auc": 0.7, "alarm": 1}),
        "how good",
    ),
    "counts by hand": ("loaded", lambda f: write_load(f, **{"Request Count": 5000}), "agree"),
    "percentiles by hand": ("loaded", lambda f: write_load(f, **{"95%": 1}), "agree"),
    "too slow": ("borne", lambda f: write_load(f, **{"95%": 130, "98%": 140}), "130 ms"),
    "too many failures": ("borne", lambda f: write_load(f, **{"Failure Count": 60}), "60 of 500"),
    "switched off": (
        "recurring",
        lambda f: write_json(f, "recurring_run", make_recurring(mode="DISABLE")),
        "not switched on",
    ),
    "no time": (
        "recurring",
        lambda f: write_json(f, "recurring_run", make_recurring(trigger={})),
        "no cron",
    ),
    "a time that never comes": (
        "recurring",
        lambda f: write_json(
            f,
            "recurring_run",
            make_recurring(trigger={"cron_schedule": {"cron": "99 99 99 99 99 99"}}),
        ),
        "'99' is no seconds of cron",
    ),
    "a time of words": (
        "recurring",
        lambda f: write_json(
            f,
            "recurring_run",
            make_recurring(trigger={"cron_schedule": {"cron": "every month on day one"}}),
        ),
        "no cron",
    ),
    "another pipeline's": (
        "recurring",
        lambda f: write_json(
            f, "recurring_run", make_recurring(pipeline_spec={"pipelineInfo": {"name": "hello"}})
        ),
        "hello",
    ),
    "one section for all": (
        "sections",
        other_file(
            "README.md",
            f"## Question, data, leaks, result, service, drift, limits\n\n{README.split('##')[1]}",
        ),
        "no section of its own",
    ),
    "a word again and again": (
        "sections",
        other_file("README.md", re.sub(r"word\d+", "word", README)),
        "words on",
    ),
    "one text for all sections": (
        "sections",
        other_file("README.md", re.sub(r"(word\d+)of\w+", r"\1", README)),
        '"the data" says what "the question" says',
    ),
    "a schedule that never comes": (
        "recurring",
        lambda f: write_json(
            f,
            "recurring_run",
            make_recurring(trigger={"cron_schedule": {"cron": "0 0 0 30 2 *"}}),
        ),
        "never comes",
    ),
    "a KS over 1": ("drift", lambda f: write_json(f, "drift", make_drift(ks=7)), "0 to 1"),
    "a feature left out": ("drift", lambda f: write_json(f, "drift", make_drift(ks=None)), "kind"),
    "no decision": (
        "decision",
        lambda f: write_json(f, "drift", {"periods": make_drift()["periods"]}),
        "what follows",
    ),
    "an empty decision": (
        "decision",
        lambda f: write_json(f, "drift", {**make_drift(), "retrain": None}),
        "what follows",
    ),
    "an empty section": (
        "sections",
        other_file("README.md", README.replace("## Limits", "## Limits\n\n## More")),
        "0 words on limits",
    ),
    "hints only": (
        "sections",
        other_file("README.md", README.replace("word0", "> word0")),
        "words",
    ),
    "other numbers": (
        "numbers",
        other_file("README.md", README.replace("69.11", "79.11")),
        "test_auc",
    ),
    "an error that the folder ignores": (
        "steps",
        lambda f: (
            (f / "pyproject.toml").write_text('[tool.fastkf]\nignore = ["undefined-name"]'),
            edit("step:test", "chance = ", "missing_name\nchance = ")(f),
        ),
        "missing_name",
    ),
    "an untagged step": (
        "steps",
        edit("step:test", "chance = ", "missing_name\nchance = "),
        "missing_name",
    ),
}


def test_a_finished_project_has_all_points(folder):
    assert refusals(folder) == {}


def test_the_rubric_has_twenty_points():
    assert len(RUBRIC) == 20
    assert len({criterion.__name__ for _, criterion in RUBRIC}) == 20
    assert PASS_MARK == 14


@pytest.mark.parametrize("case", SPOILED)
def test_a_fake_is_refused(folder, case):
    criterion, spoil, words = SPOILED[case]
    spoil(folder)
    found = refusals(folder)
    assert criterion in found, sorted(found)
    assert words in found[criterion].found
    assert found[criterion].remedy


@pytest.mark.parametrize(("name", "criterion"), EVIDENCE)
@pytest.mark.parametrize(
    "content",
    [None, b"", b"\xff\xfe", b"[" * 10_000, b"null"],
)
def test_missing_and_damaged_evidence_costs_its_points(folder, name, criterion, content):
    path = folder / "evidence" / name
    path.unlink() if content is None else path.write_bytes(content)
    assert criterion in refusals(folder)


@pytest.mark.parametrize("name", [NOTEBOOK, "README.md", "evidence/tune/manifest.yaml"])
@pytest.mark.parametrize("content", [None, b"\xff", b"[" * 10_000, b"a: &a [*a]"])
def test_no_damaged_file_ends_it(folder, name, content):
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    assert len(refusals(folder)) >= 1


@pytest.mark.security
def test_nothing_outside_the_folder_is_read(folder, tmp_path):
    shutil.move(folder / NOTEBOOK, tmp_path / NOTEBOOK)
    (folder / NOTEBOOK).symlink_to(tmp_path / NOTEBOOK)
    assert "no such notebook" in refusals(folder)["steps"].found
    (folder / "project.toml").write_text(SETTINGS.replace(NOTEBOOK, f"../{NOTEBOOK}"))
    assert "no such notebook" in refusals(folder)["steps"].found


@pytest.mark.security
def test_a_folder_of_manifests_is_not_read_for_hours(folder, monkeypatch):
    read = []
    for number in range(200):
        (folder / f"a{number}.yaml").write_text("kind: ConfigMap")
    real = Folder.read_documents
    monkeypatch.setattr(
        Folder, "read_documents", lambda self, name: read.append(name) or real(self, name)
    )
    assert "manifest" in refusals(folder)
    assert len(read) < 110


@pytest.mark.security
def test_no_pipe_is_waited_for(folder):
    (folder / "evidence" / "drift.json").unlink()
    os.mkfifo(folder / "evidence" / "drift.json")
    assert "drift" in refusals(folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "notebook = 1",
        SETTINGS.replace('["delay"]', '"delay"'),
        SETTINGS.replace("100", "true"),
        SETTINGS.replace("100", "nan"),
        SETTINGS.replace('"late"', '" "'),
        "a = [",
    ],
)
def test_damaged_settings_are_a_wrong_use(folder, text):
    (folder / "project.toml").write_text(text)
    with pytest.raises(UsageError, match=r"project\.toml"):
        check_project(folder)


def test_a_setting_that_is_not_there_is_no_wrong_one(folder):
    lines = [line for line in SETTINGS.splitlines() if "p95_milliseconds" not in line]
    (folder / "project.toml").write_text("\n".join(lines))
    with pytest.raises(UsageError, match="there is no p95_milliseconds; add it: a number"):
        check_project(folder)


def test_a_folder_without_settings_is_no_project(tmp_path):
    with pytest.raises(UsageError, match="fastkf project new"):
        check_project(tmp_path)


@pytest.mark.parametrize(
    ("code", "criterion"),
    [
        ("train, test_rows = train_test_split(rows)\nmodel.fit(train)", None),
        ("chosen = rows.month < 5\nmodel.fit(rows[chosen])\ntest_rows = rows[~chosen]", None),
        (
            "train = rows.sample(frac=0.8)\ntest_rows = rows.drop(train.index)\nmodel.fit(train)",
            None,
        ),
        ("test_rows = rows.iloc[90:]\nmodel.fit(rows.iloc[:90])", None),
        (
            "seed = 3\ntrain, test_rows = split(rows, test_size=a, random_state=seed)\n"
            "cross_validate(model, train, a, seed)",
            None,
        ),
        ("test_rows = rows.iloc[90:]\nmodel.fit(rows)", "split-first"),
        (
            "x = scaler.fit_transform(rows)\ntrain, test_rows = split(x)\nmodel.fit(train)",
            "split-first",
        ),
        (
            "train, test_rows = split(rows)\nx = test_rows.values\nx = train.values\nmodel.fit(x)",
            None,
        ),
        ("train, test_rows = split(rows)\nx = test_rows.values\nmodel.fit(x)", "split-first"),
        ("train, test_rows = split(rows)\ncross_val_score(model, rows)", "split-first"),
        # Parts in a dictionary.
        (
            "parts = {'train': rows[rows.m < 5], 'test': rows[rows.m > 5]}\n"
            "train, test_rows = parts['train'], parts['test']\nmodel.fit(parts['train'])",
            None,
        ),
        ("train, test_rows = split(rows)\np = {1: train, 2: test_rows}\nmodel.fit(p[1])", None),
        (
            "train, test_rows = split(rows)\np = {1: train, 2: test_rows}\nmodel.fit(p[2])",
            "split-first",
        ),
        ("p = {1: rows[:5], 2: rows[5:]}\ntest_rows = p[2]\nmodel.fit(rows)", "split-first"),
        # The same call under another name, and the same rows read again.
        ("train, test_rows = split(rows)\nlearn = model.fit\nlearn(test_rows)", "split-first"),
        (
            "train, test_rows = split(rows)\nlearn = lambda x: model.fit(x)\nlearn(rows)",
            "split-first",
        ),
        ("train, test_rows = split(rows)\ngetattr(model, 'fit')(rows)", "split-first"),
        (
            "rows = load('a.csv')\ntrain, test_rows = split(rows)\nmore = load('a.csv')\n"
            "model.fit(more)",
            "split-first",
        ),
        (
            "rows = load('a.csv')\ntrain, test_rows = split(rows)\nlater = load('a.csv')\n"
            "later = later[later.month > 8]\nmodel.fit(later)",
            None,
        ),
        (
            "rows = load('a.csv')\ntrain, test_rows = split(rows)\nmore = load('b.csv')\n"
            "model.fit(more)",
            None,
        ),
    ],
)
def test_the_split_is_followed(folder, code, criterion):
    cells = [
        ("imports", "import pandas as pd"),
        (["pipeline-parameters", "parameters"], "a = 1"),
        (
            "step:load",
            "rows, model, scaler = 1, 2, 3\nsplit = train_test_split = cross_val_score = 4",
        ),
        (["step:train", "prev:load"], code),
    ]
    write_visits(folder, cells)
    found = refusals(folder)
    assert ("split-first" in found) == (criterion is not None), found.get("split-first")


def test_a_call_in_a_lambda_may_be_made_many_times(folder):
    again = "found = list(map(lambda one: one.predict(test_rows[features]), [model, model]))"
    cells = [(tags, f"{text}\n{again}" if tags[0] == "step:test" else text) for tags, text in CELLS]
    write_visits(folder, cells)
    assert "in a loop" in refusals(folder)["tested-once"].found


@pytest.mark.parametrize(
    "report",
    [
        {"hour": {"7": {"psi": 0.1, "ks": 0.1}, "8": {"psi": 0.2, "ks": 0.1}},
         "kind": {"7": {"psi": 0.3, "ks": 0.1}, "8": {"psi": 0.4, "ks": 0.1}}},
        [{"month": month, "feature": name, "PSI": 0.1 * month, "KS": 0.2 if name == "hour" else 0.3}
         for month in (7, 8) for name in ("hour", "kind")],
        {month: [{"feature": name, "psi": 0.1 * month, "ks": 0.2 if name == "hour" else 0.3}
                 for name in ("hour", "kind")] for month in (7, 8)},
        {"periods": [{"name": month, "auc": 0.1,
                      "features": [{"column": name, "psi": 0.1 * month, "ks": place}
                                   for place, name in enumerate(("hour", "kind"))]}
                     for month in (7, 8)]},
        {month: {name: {"feature": name, "psi": 0.1 * month, "ks": place}
                 for place, name in enumerate(("hour", "kind"))} for month in (7, 8)},
    ],
)  # fmt: skip
def test_a_drift_report_may_have_another_form(folder, report):
    write_json(folder, "drift", report)
    assert "drift" not in refusals(folder)


def make_tensor(name, *data):
    return {"name": name, "datatype": "FP64", "shape": [len(data)], "data": list(data)}


def test_the_second_protocol_is_taken(folder):
    columns = [make_tensor("hour", 3, None), make_tensor("kind", "a", "b")]
    write_json(folder, "request", {"inputs": columns})
    write_json(folder, "answer", {"outputs": [make_tensor("output-0", 0, 1)]})
    assert "answer" not in refusals(folder)
    rows = {"name": "input-0", "datatype": "FP64", "shape": [2, 2], "data": [[3, 1], [4, 0]]}
    write_json(folder, "request", {"inputs": [rows]})
    assert "answer" not in refusals(folder)


@pytest.mark.parametrize(
    ("inputs", "outputs", "says"),
    [
        ([{"shape": [3]}], [{"shape": [3]}], "has no data"),
        ([make_tensor("hour", 3, 4)], [{**make_tensor("o", 0), "shape": [2]}], "shape [2]"),
        ([make_tensor("hour", 3), make_tensor("size", 3)], [make_tensor("o", 1)], "kind, size"),
        ([make_tensor("x", 3, 4)], [make_tensor("o", 1)], "2 rows were asked about, 1 predicted"),
    ],
)
def test_an_empty_answer_of_the_second_protocol_is_seen(folder, inputs, outputs, says):
    write_json(folder, "request", {"inputs": inputs})
    write_json(folder, "answer", {"outputs": outputs})
    assert says in refusals(folder)["answer"].found


@pytest.mark.parametrize(
    "report",
    [
        [{"feature": name, "psi": 0.1 * n, "ks": 0.1 * n}
         for n, name in enumerate(("hour", "kind", "hour", "kind"))],
        {month: {name: {"psi": place, "ks": 0.1 * place}
                 for place, name in enumerate(("hour", "kind"))} for month in (7, 8)},
    ],
)  # fmt: skip
def test_one_period_is_not_two(folder, report):
    write_json(folder, "drift", report)
    assert "period" in refusals(folder)["drift"].found


def test_a_list_of_recurring_runs_may_begin_with_anothers(folder):
    runs = [make_recurring(pipeline_spec={"pipelineInfo": {"name": "other"}}), make_recurring()]
    write_json(folder, "recurring_run", {"recurringRuns": runs})
    assert "recurring" not in refusals(folder)


def test_of_equal_best_trials_any_may_be_taken_over(folder):
    path = folder / "evidence" / "tune" / "trials.csv"
    path.write_text(path.read_text().replace("0.69,", "0.7,"))
    assert "taken-over" not in refusals(folder)
    write_visits(folder, [(tags, text.replace("0.5", "0.4")) for tags, text in CELLS])
    assert "taken-over" not in refusals(folder)
    write_visits(folder, [(tags, text.replace("0.5", "0.3")) for tags, text in CELLS])
    assert "taken-over" in refusals(folder)


def test_another_try_beside_the_study_costs_nothing(folder):
    evidence = folder / "evidence"
    shutil.copytree(evidence / "tune", evidence / "tune_first")
    (evidence / "tune_first").rename(evidence / "a_first_try")
    table = evidence / "a_first_try" / "trials.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:4]))
    assert refusals(folder) == {}
    shutil.rmtree(evidence / "tune")
    assert {"tried", "taken-over"} == refusals(folder).keys()


def test_a_section_may_have_sections_in_it(folder):
    text = README.replace("## The result\n", "## The result\n\n### On the test rows\n")
    (folder / "README.md").write_text(text)
    assert refusals(folder) == {}
    (folder / "README.md").write_text(text.replace("# Visits", "Visits").replace("## ", "# "))
    assert refusals(folder) == {}


@pytest.mark.parametrize(
    "said",
    ["0,70 in May, 0,691 in June, 0,6502", "0.7012 \u2212 0.69 = a little; 65.02\u00a0%", ""],
)
def test_numbers_may_be_written_as_elsewhere(folder, said):
    was = "0.70 in May, 69.11 % in June, baseline 0.650."
    (folder / "README.md").write_text(README.replace(was, said))
    assert ("numbers" in refusals(folder)) == (said == "")


def test_large_and_negative_numbers_may_be_written_as_elsewhere(folder):
    metrics = {"validation_auc": 12345.678, "test_auc": -0.0215, "baseline_test_auc": 1234567.0}
    write_run(folder, metrics=metrics)
    was = "0.70 in May, 69.11 % in June, baseline 0.650."
    said = "12,345.68, then \u22120.02, and 1,234,567"
    (folder / "README.md").write_text(README.replace(was, said))
    assert "numbers" not in refusals(folder)


def test_a_drift_report_may_be_a_page(folder):
    (folder / "evidence" / "drift.json").unlink()
    heads = "<tr><th>month</th><th>feature</th><th>PSI</th><th>KS</th><th>AUC</th></tr>"
    rows = [(m, n, f"0.{m}", f"0.{m}{place}", 0.6) for m in (7, 8) for place, n in enumerate(NAMES)]
    cells = ["".join(f"<td>{value}</td>" for value in row) for row in rows]
    table = f"<table>{heads}{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
    (folder / "evidence" / "drift.html").write_text(
        f"<script>1</script>{table}We retrain in August."
    )
    assert {"drift", "decision"} & refusals(folder).keys() == set()


@pytest.mark.security
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("x = " + "-" * 50_000 + "1", "too deep"),
        ("x = " + "1+" * 20_000 + "1", "too deep"),
        ("x = [" + "1," * 60_000 + "]", "characters of code"),
    ],
)
def test_code_that_takes_too_long_or_too_deep_is_refused(folder, code, says):
    write_visits(folder, [*CELLS[:-1], ("step:last", code)])
    assert says in refusals(folder)["steps"].found


@pytest.mark.security
@pytest.mark.parametrize(
    "page", ["<table><tr><td>a<table>text</table>", "<table><tr></tr><tr><td>1", "<" * 60_000]
)
def test_no_page_ends_it(folder, page):
    (folder / "evidence" / "drift.json").unlink()
    (folder / "evidence" / "drift.html").write_text(page)
    assert {"drift", "decision"} <= refusals(folder).keys()


@pytest.mark.parametrize("name", ["training_rows.csv", "load_stats.csv", "tune/trials.csv"])
def test_a_row_longer_than_the_heading_is_refused(folder, name):
    path = folder / "evidence" / name
    heading, first, *others = path.read_text().splitlines()
    path.write_text("\n".join([heading, f"{first},7", *others]))
    assert "longer than the heading" in str([one.found for one in refusals(folder).values()])


@pytest.mark.parametrize(
    ("values", "results"), [("1e308 -1e308 1", "1 2 3"), ("1e-300 0 0", "1 2 3")]
)
def test_numbers_out_of_reach_tell_nothing(values, results):
    assert tells(values.split(), results.split()) is None


def test_a_column_of_the_rows_before_may_be_known():
    code = 'rows["before"] = rows.groupby("plane")["delay"].shift(1)\nrows["more"] = rows["delay"]'
    assert find_derived([ast.parse(code)], frozenset({"delay"})) == {"more": "delay"}


def test_a_column_that_is_mapped_value_by_value_is_made_of_it():
    """And one that is looked up in what other rows say is not."""
    code = (
        'rows["long"] = rows["delay"].map(lambda one: one > 15)\nrows["a"] = rows["b"].map(delay)'
    )
    code += '\nrows["rate"] = rows["carrier"].map(train.groupby("carrier")["delay"].mean())'
    assert find_derived([ast.parse(code)], frozenset({"delay"})) == {"long": "delay"}


def test_points_are_plain_data(folder):
    assert json.dumps([point.as_dict() for point in check_project(folder)])
