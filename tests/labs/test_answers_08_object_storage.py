"""Answers to the exercises of the lab on object storage, wrong ones and right ones."""

import pytest
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions
from test_storage import needs_program

pytestmark = pytest.mark.slow

lab = fixture_of("08_object_storage", without=("plt.subplots(",))

REPORTS = "arn:aws:s3:::mlpipeline/models/*/report.json"
MODELS = "arn:aws:s3:::mlpipeline/models/*"
READ = "s3:GetObject"


def policy(action=READ, resource=REPORTS, *more, effect="Allow", principal="*"):
    """An answer to exercise 2."""
    rule = {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource}
    return f"my_policy = { ({'Version': '2012-10-17', 'Statement': [rule, *more]})!r}"


def deny(resource):
    return {"Effect": "Deny", "Principal": "*", "Action": READ, "Resource": resource}


def publish(number, *, listed="names", last="    return number", file="model.joblib"):
    """An answer to exercise 3, with an expression for the number."""
    return f"""
def my_publish(model_dir, content):
    store, path = fsspec.url_to_fs(model_dir)
    try:
        names = [name.rstrip("/").rsplit("/", 1)[-1] for name in store.ls(path, detail=False)]
    except FileNotFoundError:
        names = []
    numbers = [int(name) for name in names if name.isdigit()]
    number = {number}
    put(f"{{model_dir}}/{{number}}/{file}", content)
{last}
"""


NEXT = "1 + max(numbers, default=0)"
LOOP = """
def my_publish(model_dir, content):
    number = 1
    while True:
        try:
            get(f"{model_dir}/{number}/model.joblib")
        except FileNotFoundError:
            break
        number += 1
    put(f"{model_dir}/{number}/model.joblib", content)
    return number
"""
LOCAL = """
def my_publish(model_dir, content):
    numbers = [int(name) for name in os.listdir(model_dir) if name.isdigit()]
    number = 1 + max(numbers, default=0)
    put(f"{model_dir}/{number}/model.joblib", content)
    return number
"""
BARE = """
def my_publish(model_dir, content):
    store, path = fsspec.url_to_fs(model_dir)
    names = [name.rsplit("/", 1)[-1] for name in store.ls(path, detail=False)]
    number = 1 + max((int(name) for name in names if name.isdigit()), default=0)
    put(f"{model_dir}/{number}/model.joblib", content)
    return number
"""
GLOB = """
def my_publish(model_dir, content):
    store, path = fsspec.url_to_fs(model_dir)
    names = {name.rstrip("/").split("/")[-1] for name in store.glob(f"{path}/*")}
    highest = max([int(name) for name in names if name.isdecimal()] or [0])
    store.makedirs(f"{path}/{highest + 1}", exist_ok=True)
    with store.open(f"{path}/{highest + 1}/model.joblib", "wb") as file:
        file.write(content)
    return highest + 1
"""
FIND = """
import re
def my_publish(model_dir, content):
    store, path = fsspec.url_to_fs(model_dir)
    found = [re.search(r"/(\\d+)/[^/]+$", name) for name in store.find(path)]
    number = max([0] + [int(one[1]) for one in found if one]) + 1
    put(model_dir + f"/{number}/model.joblib", content)
    return number
"""

WRONG = [
    (1, "my_prefix = f'{run}/train-forest-step'", "nearly. It also fits /train-forest-step-2"),
    (1, "my_prefix = f'{run}/train-forest'", "it also fits"),
    (1, "my_prefix = f'{run}/train_forest/'", "the task, not of the step"),
    (1, "my_prefix = f'{run}/train-forest/'", "no key begins with that"),
    (1, "my_prefix = f'{run}/'", "it also fits"),
    (1, "my_prefix = run", "it also fits"),
    (1, "my_prefix = 'v2/artifacts/object-storage/'", "other runs"),
    (1, "my_prefix = 'train-forest-step/'", "other runs"),
    (1, "my_prefix = f's3://mlpipeline/{run}/train-forest-step/'", "neither s3://"),
    (1, "my_prefix = f'/{run}/train-forest-step/'", "no / in front"),
    (1, "my_prefix = f'{run}/train-forest-step/*'", "no wildcards"),
    (1, "my_prefix = f'{run}/train-logistic-step/'", "it also fits /train-logistic-step"),
    (1, "my_prefix = ''", "other runs"),
    (1, "my_prefix = 3", "a prefix is a text"),
    (2, policy(["s3:GetObject", "s3:PutObject"]), "allows everybody s3:PutObject"),
    (2, policy(["s3:GetObject", "s3:DeleteObject"]), "allows everybody s3:DeleteObject"),
    (2, policy(["s3:*"]), "allows everybody s3:PutObject"),
    (2, policy("s3:Get*"), "allows everybody s3:GetObjectVersion"),
    (2, policy("*"), "does not accept it"),
    (2, policy(READ, MODELS), "one can read the model"),
    (2, policy(READ, MODELS, deny(MODELS + "/model.joblib")), "another model"),
    (2, policy(READ, MODELS + ".json"), "another file that ends with .json"),
    (2, policy(READ, "arn:aws:s3:::mlpipeline/*"), "one can read the model"),
    (2, policy(READ, REPORTS.replace("*", "titanic")), "models/wine/report.json cannot be read"),
    (
        2,
        policy(READ, [REPORTS.replace("*", "titanic"), REPORTS.replace("*", "wine")]),
        "reports to come",
    ),
    (2, policy([READ, "s3:ListBucket"], [REPORTS, "arn:aws:s3:::mlpipeline"]), "list the bucket"),
    (2, policy(READ, "arn:aws:s3:::models/*/report.json"), "does not accept it"),
    (2, policy(READ, "models/*/report.json"), "does not accept it"),
    (2, policy("s3:PutObject"), "nobody can read the report"),
    (2, policy(effect="Deny"), "nobody can read the report"),
    (2, policy(principal={"AWS": ["arn:aws:iam:::user/me"]}), "nobody can read the report"),
    (2, "my_policy = policy", "nobody can read the report"),
    (2, "my_policy = 'everybody reads reports'", "no JSON"),
    (2, "my_policy = [1]", "a dictionary with Version and Statement"),
    (2, "my_policy = {}", "a dictionary with Version and Statement"),
    (2, "my_policy = {'Version': '2012-10-17', 'Statement': ['read']}", "is a dictionary"),
    (
        2,
        "my_policy = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', "
        f"'Action': 's3:GetObject', 'Resource': {REPORTS!r}}}]}}",
        "lacks Principal",
    ),
    (3, publish("len(numbers) + 1"), "do not count them"),
    (3, publish("len(names) + 1"), "no numbers are ignored"),
    (3, publish("1 + int(max([n for n in names if n.isdigit()], default='0'))"), "compare numbers"),
    (3, publish("1 + max([int(n) for n in names], default=0)"), "name is no number"),
    (3, publish("max(numbers, default=0)"), "begin with 1"),
    (3, publish("1"), "the second version should be 2"),
    (3, LOOP, "first free number"),
    (3, LOCAL, "tried in memory"),
    (3, BARE, "in an empty place"),
    (3, publish(NEXT, last="    print(number)"), "returns None"),
    (3, publish(NEXT, last="    return str(number)"), "returns '1'"),
    (3, publish(NEXT, file="model.pkl"), "1/model.joblib"),
    (3, publish(NEXT).replace(", content)\n    return", ", b'x')\n    return"), "the bytes"),
    (3, publish(NEXT) + "\ndef my_publish(model_dir): return 1", "it raises TypeError"),
    (3, "my_publish = 3", "should be a function"),
    (3, "my_publish = 'my_publish'", "should be a function"),
    (3, publish("missing"), "NameError"),
]
RIGHT = [
    (1, "my_prefix = f'{run}/train-forest-step/'"),
    (1, "my_prefix = run + '/' + 'train_forest'.replace('_', '-') + '-step/'"),
    (1, "my_prefix = '/'.join([run, 'train-forest-step', ''])"),
    (2, policy()),
    (2, policy([READ], [REPORTS], principal={"AWS": ["*"]})),
    (2, policy(READ, REPORTS, deny(MODELS + "/model.joblib"))),
    (2, policy(principal={"AWS": "*"}).replace("= {", "= json.dumps({") + ")"),
    (
        2,
        "my_policy = json.loads(json.dumps(policy).replace('datasets/titanic/*', "
        "'models/*/report.json'))",
    ),
    (3, publish(NEXT)),
    (3, GLOB),
    (3, FIND),
]


@needs_program
@pytest.mark.parametrize(("exercise", "code", "hint"), WRONG)
def test_wrong_answer_gets_its_hint(lab, exercise, code, hint):
    assert_refused(lab.answer(exercise, code), hint)


@needs_program
@pytest.mark.parametrize(("exercise", "code"), RIGHT)
def test_right_answer_is_accepted(lab, exercise, code):
    assert_accepted(lab.answer(exercise, code))


@needs_program
@pytest.mark.parametrize("exercise", [1, 2, 3])
def test_empty_answer_is_told_what_to_do(lab, exercise):
    assert not lab.answer(exercise, None).startswith("Right")


@needs_program
def test_what_the_questions_say_is_what_the_store_does(lab):
    lab.execute("client.set_bucket_policy('mlpipeline', json.dumps(policy))")
    told = "print(try_it(lambda: nobody.get_object('mlpipeline', '{}/no.csv')))"
    assert lab.execute(told.format("datasets/titanic")) == "NoSuchKey\n"
    assert lab.execute(told.format("models")) == "AccessDenied\n"
    lab.execute("key = 'models/titanic/report.txt'")
    lab.execute("client.put_object('mlpipeline', key, io.BytesIO(b'third'), 5)")
    lab.execute("client.remove_object('mlpipeline', key)")
    assert (
        lab.execute("print(try_it(lambda: client.get_object('mlpipeline', key)))") == "NoSuchKey\n"
    )
    shown = [line for line in lab.execute("show_versions()").splitlines() if "report.txt" in line]
    assert len(shown) == 4


@needs_program
def test_a_stranger_may_not_write_whatever_the_policy_says(lab):
    lab.execute(
        "client.set_bucket_policy('mlpipeline', json.dumps(policy).replace('s3:GetObject', 's3:*'))"
    )
    written = "nobody.put_object('mlpipeline', 'datasets/titanic/a', io.BytesIO(b''), 0)"
    assert lab.execute(f"print(try_it(lambda: {written}))") == "AccessDenied\n"


def test_tries_enough():
    assert_enough(WRONG, RIGHT)


def test_asks_along_the_way():
    assert_questions("08_object_storage")
