"""A pretend cluster: it answers the few questions that the Kubeflow SDK asks before it creates a
job, and keeps what it is given. Nothing runs. So one sees, without a cluster, what would be sent.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import yaml

CONFIG_MAP = {"metadata": {"name": "kubeflow-trainer-public"}}
CONFIG_MAP["data"] = {"kubeflow_trainer_version": "pretended"}


class PretendCluster:
    """Serves runtimes on a free port of 127.0.0.1, for as long as the context lasts.

    Attributes:
        created: what clients have created, in order.
        url: where it listens.
    """

    def __init__(self, *runtime_files: str | Path):
        documents = [yaml.safe_load(Path(path).read_text()) for path in runtime_files]
        self.runtimes = {one["metadata"]["name"]: one for one in documents}
        self.created: list[dict] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "PretendCluster":
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def write_kubeconfig(self, path: str) -> str:
        """Writes a file with which clients find it, as `kubectl` has one for a real cluster."""
        name = "pretended"
        context = {"cluster": name, "user": name}
        config = {
            "clusters": [{"name": name, "cluster": {"server": self.url}}],
            "users": [{"name": name, "user": {}}],
            "contexts": [{"name": name, "context": context}],
            "current-context": name,
        }
        Path(path).write_text(yaml.safe_dump(config))
        return path

    def find(self, path: str) -> dict | None:
        """What a cluster would answer to a GET; None: there is no such thing."""
        kind, _, name = path.partition("?")[0].rpartition("/")
        if name == CONFIG_MAP["metadata"]["name"]:
            return CONFIG_MAP
        runtime = self.runtimes.get(name)
        wanted = f"{runtime['kind'].lower()}s" if runtime else None
        return runtime if kind.endswith(f"/{wanted}") else None

    def _make_handler(cluster) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = cluster.find(self.path)
                self.answer(200 if found else 404, found or {"kind": "Status", "code": 404})

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                cluster.created.append(json.loads(self.rfile.read(length)))
                self.answer(201, cluster.created[-1])

            def answer(self, code: int, body: dict) -> None:
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *words: object) -> None:
                """Says nothing: the notebook shows what matters."""

        return Handler
