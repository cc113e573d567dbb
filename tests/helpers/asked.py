"""The server's application in the process of the test. It starts no run: its queue has no place."""

import json
from pathlib import Path

from fastapi.testclient import TestClient
from servers import API

from fastkf.server.app import create_app
from fastkf.server.settings import Settings

TOKEN, PANEL_TOKEN = "a-token", "the-panels-token"


class Asked:
    """A server's application and a client of its owner's.

    Args:
        folder: the data folder, which is made.
        others: of the settings.
    """

    def __init__(self, folder: Path, **others):
        for name in ("pipelines", "runs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        words = {"token": TOKEN, "panel_token": PANEL_TOKEN, "parallel_runs": 0}
        self.settings = Settings(folder, **{**words, **others})
        self.app = create_app(self.settings)
        self.client = TestClient(
            self.app,
            "http://localhost",
            raise_server_exceptions=False,
            headers={"Authorization": f"Bearer {TOKEN}"},
        )

    def __enter__(self):
        self.client.__enter__()
        return self

    def __exit__(self, *error):
        self.client.__exit__(*error)

    def ask(self, method: str, path: str, body=None) -> tuple[int, dict]:
        """JSON is written as ASCII, so half a surrogate pair arrives as its escape."""
        settings = {}
        if body is not None:
            content = body if isinstance(body, str | bytes) else json.dumps(body)
            settings = {"content": content, "headers": {"Content-Type": "application/json"}}
        answer = self.client.request(method, API + path, **settings)
        return answer.status_code, answer.json()


def run_of(asked: Asked, package: dict) -> str:
    """The id of a new run of a package, which waits for ever."""
    status, answer = asked.ask("POST", "/runs", {"display_name": "run", "pipeline_spec": package})
    assert status == 200, answer
    return answer["run_id"]
