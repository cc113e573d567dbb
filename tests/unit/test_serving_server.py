"""The model server's application: one for each server, however many a process makes."""

import os
import socket

import pytest

from fastkf.base.guard import Access

pytestmark = pytest.mark.slow


def paths(server) -> list[str]:
    return sorted(getattr(route, "path", "") for route in server.app.routes)


def make_server():
    from fastkf.serving.server import Server  # and KServe

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server([], listener, lambda: None, Access("token"), lambda text: None)
    server.create_application()
    return server


def test_a_second_server_leaves_the_first_as_it_is():
    first = make_server()
    before = paths(first)
    second = make_server()
    assert paths(first) == before == paths(second)
    assert first.app is not second.app
    assert len(first.app.user_middleware) == len(second.app.user_middleware)


def test_a_pickle_is_announced_by_the_place_that_the_working_folder_knows(tmp_path, monkeypatch):
    import joblib
    from sklearn.linear_model import LogisticRegression

    from fastkf.serving.load import load_model

    (tmp_path / "numbers").mkdir()
    model = LogisticRegression().fit([[0], [1]], [0, 1])
    joblib.dump(model, tmp_path / "numbers" / "model.joblib")
    monkeypatch.chdir(tmp_path)
    told = []
    load_model(tmp_path / "numbers", told.append)
    assert told == ["numbers/model.joblib: a pickle, loading it runs the code in it"]


@pytest.mark.parametrize(
    ("given", "kernel", "taken"),
    [(None, None, "3"), ("1", "42", "3"), ("0", "42", "0"), ("1", None, "1")],
)
def test_tensorflow_is_silent_unless_somebody_wants_its_words(monkeypatch, given, kernel, taken):
    """JAX, which a notebook imports with TensorFlow, leaves 1 to the server that it starts."""
    from fastkf.serving import load

    for name, value in (("TF_CPP_MIN_LOG_LEVEL", given), ("JPY_PARENT_PID", kernel)):
        monkeypatch.delenv(name, raising=False)
        if value:
            monkeypatch.setenv(name, value)
    with load._silent_import():  # noqa: SLF001 - a server that loads a model takes seconds
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == taken
