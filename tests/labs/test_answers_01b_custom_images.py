"""Answers to the exercises of the lab of custom images, wrong ones and right ones."""

import pytest
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions

pytestmark = pytest.mark.slow

lab = fixture_of(
    "01b_custom_images",
    without=(
        "plt.show()",
        "cross_val_predict",
        "run_folder",
        "steps.values()",
        "by_hand",
    ),
)

GOOD = """\
ARG BASE_IMAGE=python:3.12-slim-bookworm
FROM ${BASE_IMAGE}
ENV PYTHONPATH=/app
WORKDIR /app/naive_bayes
COPY constraints.txt naive_bayes/requirements.txt ./
RUN python3 -m pip install --no-cache-dir -r requirements.txt -c constraints.txt
COPY shared.py /app/
COPY naive_bayes/naive_bayes.py ./
USER 10001:10001
ENTRYPOINT ["python3", "naive_bayes.py"]
"""
OF_THE_COLLEAGUE = """\
FROM python:latest
WORKDIR /app/naive_bayes
COPY shared.py /app/
COPY naive_bayes/naive_bayes.py constraints.txt naive_bayes/requirements.txt ./
ENV PYTHONPATH=/app
RUN pip install joblib pandas scikit-learn
ENTRYPOINT ["python3", "naive_bayes.py"]
"""


def dockerfile(*changes: tuple[str, str]) -> str:
    """An answer to the second exercise: the good one with some texts changed."""
    text = GOOD
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return f"my_dockerfile = {text!r}"


THREE = """\
from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output
from pipeline import EXECUTOR_INPUT, Outputs, container, logistic_regression, training


@dsl.container_component
def naive_bayes(
    train_data: Input[Dataset], random_state: int, model: Output[Model], metrics: Output[Metrics]
):
    return training("naive_bayes", train_data, model, metrics, random_state)


@dsl.container_component
def compare(
    test_data: Input[Dataset],
    tree_model: Input[Model],
    tree_metrics: Input[Metrics],
    logistic_model: Input[Model],
    logistic_metrics: Input[Metrics],
    bayes_model: Input[Model],
    bayes_metrics: Input[Metrics],
    best_model: Output[Model],
    metrics: Output[Metrics],
    report: Output[HTML],
    best: dsl.OutputPath(str),
):
    return container(
        "compare",
        *("--input", test_data.path, "--output", best_model.path, "--metrics", metrics.path),
        *("--candidate", "decision_tree", tree_model.path, tree_metrics.path),
        *("--candidate", "logistic_regression", logistic_model.path, logistic_metrics.path),
        *("--candidate", "naive_bayes", bayes_model.path, bayes_metrics.path),
        *("--report", report.path, "--best", best, "--executor-input", EXECUTOR_INPUT),
    )


@dsl.pipeline(name="custom-images")
def my_pipeline(random_state: int = 42):
    data = fetch_data(test_size=0.25, random_state=random_state)
    shared = {"train_data": data.outputs["train_data"], "random_state": random_state}
    tree = decision_tree(max_depth=4, **shared)
    logistic = logistic_regression(strength=1.0, **shared)
    bayes = naive_bayes(**shared)
    compare(
        test_data=data.outputs["test_data"],
        tree_model=tree.outputs["model"],
        tree_metrics=tree.outputs["metrics"],
        logistic_model=logistic.outputs["model"],
        logistic_metrics=logistic.outputs["metrics"],
        bayes_model=bayes.outputs["model"],
        bayes_metrics=bayes.outputs["metrics"],
    )
"""
BAYES = "container('naive_bayes', '--input', train_data.path, '--output', model.path"


def three(*changes: tuple[str, str]) -> str:
    """An answer to the third exercise: the good one with some texts changed."""
    text = THREE
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return text


TRAINING = 'training("naive_bayes", train_data, model, metrics, random_state)'
THIRD = '        *("--candidate", "naive_bayes", bayes_model.path, bayes_metrics.path),\n'
PIP = "python3 -m pip install --no-cache-dir -r requirements.txt -c constraints.txt"

WRONG = [
    (1, "my_tasks = {'logistic-regression'}", "compare reads a new model"),
    (1, "my_tasks = ['compare']", "which task takes strength"),
    (1, "my_tasks = set(tasks) if 'tasks' in globals() else 'fetch-data'", "takes strength"),
    (
        1,
        "my_tasks = {'fetch-data', 'decision-tree', 'logistic-regression', 'compare'}",
        "has any input of decision-tree changed",
    ),
    (1, "my_tasks = {'logistic-regression', 'compare', 'fetch-data'}", "fetch-data changed"),
    (1, "my_tasks = {'logistic', 'compare'}", "logistic is no task"),
    (1, "my_tasks = 2", "in quotes"),
    (1, "my_tasks = [fetch_data, decision_tree]", "in quotes"),
    (2, f"my_dockerfile = {OF_THE_COLLEAGUE!r}", "begin with ARG BASE_IMAGE"),
    (2, dockerfile(("FROM ${BASE_IMAGE}", "FROM python:3.12-slim-bookworm")), "use it in FROM"),
    (2, dockerfile(("ARG BASE", "FROM debian\nARG BASE")), "begin with ARG BASE_IMAGE"),
    (2, dockerfile(("3.12-slim-bookworm", "latest")), "slim image of one version"),
    (2, dockerfile(("3.12-slim-bookworm", "slim")), "slim image of one version"),
    (2, dockerfile(("USER 10001:10001", "USER root")), "would run as root"),
    (2, dockerfile(("USER 10001:10001\n", "USER 10001\nUSER root\n")), "would run as root"),
    (2, dockerfile(("USER 10001:10001\n", "")), "would run as root"),
    (2, dockerfile(("USER 10001:10001", "USER 0:10001")), "would run as 0"),
    (2, dockerfile(("USER 10001:10001", "USER app")), "would run as app"),
    (2, dockerfile(("COPY shared.py /app/\n", "")), "imports shared.py"),
    (2, dockerfile(("ENV PYTHONPATH=/app\n", "")), "Set PYTHONPATH"),
    (2, dockerfile(('ENTRYPOINT ["python3", "naive_bayes.py"]\n', "")), "nothing runs"),
    (2, dockerfile(('["python3", "naive_bayes.py"]', "python3 naive_bayes.py")), "are lost"),
    (2, dockerfile(("WORKDIR /app/naive_bayes\n", "")), "without a WORKDIR"),
    (2, dockerfile(("naive_bayes.py ./", "naive_bayes.py /app/")), "it is not there"),
    (2, dockerfile((" -c constraints.txt", "")), "exact ones with -c constraints.txt"),
    (2, dockerfile(("-r requirements.txt", "pandas joblib")), "scikit-learn is not installed"),
    (2, dockerfile(("COPY constraints.txt ", "COPY ")), "finds no constraints.txt"),
    (2, dockerfile(("RUN", "USER 10001\nRUN")), "pip needs root"),
    (2, dockerfile(("WORKDIR /app", "COPY shared.py /app/\nWORKDIR /app")), "before pip runs"),
    (2, dockerfile(("./\nRUN", "naive_bayes/naive_bayes.py ./\nRUN")), "before pip runs"),
    (2, dockerfile(('"naive_bayes.py"]', '"bayes.py"]')), "the program does not start"),
    (2, dockerfile(("USER", "USR")), "line 9 is not a valid instruction"),
    (2, dockerfile(("COPY shared.py", "COPY common.py")), "has no such file"),
    (2, "my_dockerfile = 7", "one text"),
    (2, "my_dockerfile = ['FROM python:3.12-slim']", "one text"),
    (3, "my_pipeline = 'custom_images'", "the compiler says"),
    (3, "my_pipeline = custom_images", "no task runs naive_bayes.py"),
    (3, three(('training("naive_bayes"', 'training("decision_tree"')), "no task runs naive_bayes"),
    (3, three((THIRD, "")), "it gets 2"),
    (3, three(("bayes_model.path, bayes_m", "bayes_model.path, tree_m")), "of the same task"),
    (
        3,
        three(("bayes_model.path, bayes_metrics.path", "bayes_metrics.path, bayes_model.path")),
        "",
    ),
    (3, three(("bayes_model=bayes", "bayes_model=tree")), "of the same task"),
    (
        3,
        three(
            ("bayes_model=bayes", "bayes_model=tree"), ("bayes_metrics=bayes", "bayes_metrics=tree")
        ),
        "compare gets nothing from naive-bayes",
    ),
    (
        3,
        three((TRAINING, TRAINING.replace("state)", 'state, "--max-depth", "3")'))),
        "unrecognized",
    ),
    (
        3,
        three((TRAINING, f"{BAYES}, '--metrics', metrics.path)")),
        "KFP does not hear of the metrics",
    ),
    (3, three((TRAINING, f"{BAYES}, '--executor-input', EXECUTOR_INPUT)")), "required: --metrics"),
    (3, three(('"--best", best, ', "")), "required: --best"),
    (
        3,
        three(
            (
                "naive_bayes(**shared)",
                'naive_bayes(random_state=1, train_data=data.outputs["test_data"])',
            )
        ),
        "should learn from train_data",
    ),
    (3, three(("naive_bayes(**shared)", "naive_bayes(**shared).after(tree)")), "wait for no other"),
    (3, three(('"naive_bayes", bayes_model', '"decision_tree", bayes_model')), "has the model of"),
]
RIGHT = [
    (1, "my_tasks = {'logistic-regression', 'compare'}"),
    (1, "my_tasks = ['compare', 'logistic_regression']"),
    (1, "my_tasks = 'compare, logistic-regression'"),
    (2, dockerfile()),
    (2, dockerfile(("USER 10001:10001", "RUN useradd -u 10001 app\nUSER app"))),
    (
        2,
        dockerfile(
            ("RUN", "run"),
            ("ENV PYTHONPATH=/app\n", ""),
            ("COPY shared.py /app/\n", ""),
            ("COPY naive_bayes/naive_bayes.py ./", "COPY shared.py naive_bayes/naive_bayes.py ./"),
        ),
    ),
    (
        2,
        dockerfile(
            (PIP, 'pip3 install \\\n    # exact\n    "--requirement=constraints.txt"'),
            ("PYTHONPATH=/app", "PYTHONPATH /app"),
            ("USER 10001:10001\n", ""),
            ("COPY shared", "USER 1000\nCOPY --chown=1000 shared"),
            ('"naive_bayes.py"]', '"/app/naive_bayes/naive_bayes.py"]'),
        ),
    ),
    (3, three()),
    (
        3,
        three(
            (TRAINING, TRAINING.replace("state)", 'state, "--smoothing", smoothing)')),
            ("train_data: Input[Dataset], ", "train_data: Input[Dataset], smoothing: float, "),
            ("naive_bayes(**shared)", "naive_bayes(smoothing=smoothing, **shared)"),
            ("random_state: int = 42", "random_state: int = 42, smoothing: float = 1e-9"),
        ),
    ),
    (
        3,
        three(
            (
                TRAINING,
                f"{BAYES}, '--metrics', metrics.path, '--random-state', random_state, "
                "'--executor-input', '{{$}}')",
            ),
            ("(random_state: int = 42)", "()"),
            ("random_state=random_state", "random_state=7"),
            ('"random_state": random_state', '"random_state": 7'),
        ),
    ),
]


@pytest.mark.parametrize(("exercise", "code", "hint"), WRONG)
def test_wrong_answer_gets_its_hint(lab, exercise, code, hint):
    assert_refused(lab.answer(exercise, code), hint)


@pytest.mark.parametrize(("exercise", "code"), RIGHT)
def test_right_answer_is_accepted(lab, exercise, code):
    assert_accepted(lab.answer(exercise, code))


@pytest.mark.parametrize("exercise", [1, 2, 3])
def test_empty_answer_is_told_what_to_do(lab, exercise):
    told = lab.answer(exercise, None)
    assert not told.startswith("Right")
    assert "Then run th" in told


def test_tries_enough():
    assert_enough(WRONG, RIGHT)


def test_asks_along_the_way():
    assert_questions("01b_custom_images")
