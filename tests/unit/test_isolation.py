"""What is changed of a component that Kale has generated, and what is not."""

from fastkf.engine.isolation import isolate, move_marshalled

COMPONENT = '''
def load_step(number: int = 1):
    _kale_block1 = """
    folder = "/tmp/marshal"
    _kale_marshal.set_data_dir("/tmp/marshal")
    from kale.common import kfputils as _kale_kfputils
    größe = "/tmp/marshalled"
    """
    _kale_data_saving_block = """
    from kale import marshal as _kale_marshal
    _kale_marshal.set_data_dir("/tmp/marshal")
    """
    from kale import marshal as _kale_marshal
    ä = "ö"; _kale_marshal.set_data_dir("/tmp/marshal")
    other = "/tmp/marshal"
'''


def constants(source):
    code = next(c for c in compile(source, "", "exec").co_consts if hasattr(c, "co_consts"))
    return [one for one in code.co_consts if isinstance(one, str)]


def test_only_kales_own_statements_are_changed():
    before, after = constants(COMPONENT), constants(isolate(COMPONENT, "/own"))
    cell = next(text for text in before if "größe" in text)
    assert cell in after
    saving = next(text for text in after if text.strip().startswith("from kale import marshal"))
    assert "set_data_dir('/own/marshal')" in saving
    assert "/own/marshal" in after
    assert "/tmp/marshal" in after  # of `other`
    assert isolate(COMPONENT, "/own").count("/own/marshal") == 2


def test_what_is_not_kales_stays_as_it_is():
    for source in ("x = 1\n", "def f(:\n", "def f():\n    return '/tmp/marshal'\n", ""):
        assert isolate(source, "/own") == source


def test_variables_are_saved_in_the_folder_of_the_step_that_reads_them():
    artifact = {"uri": "/run/x", "metadata": {"marshal_path": "/tmp/1/marshal/x.npy", "size": 3.0}}
    words = {"parameterValues": {"text": "/tmp/1/marshal/x.npy"}}
    given = {"inputs": {**words, "artifacts": {"x": {"artifacts": [artifact]}}}}
    moved = move_marshalled(given, "/own")
    assert moved["inputs"]["parameterValues"] == words["parameterValues"]
    (changed,) = moved["inputs"]["artifacts"]["x"]["artifacts"]
    assert changed == {
        "uri": "/run/x",
        "metadata": {"marshal_path": "/own/marshal/x.npy", "size": 3.0},
    }
    assert artifact["metadata"]["marshal_path"] == "/tmp/1/marshal/x.npy"
