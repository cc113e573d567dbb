"""What one JupyterLab is told: files in a private folder, and variables, for this process only."""

import hashlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fastkf.base.files import user_folder, write_text
from fastkf.lab import proxy
from fastkf.lab.pipelines import Pipelines, find_address

# Defaults of JupyterLab's settings: what users chose in their own settings comes before them.
DEFAULTS = {
    "jupyterlab-kubeflow-kale:kale-settings": {
        "enableKaleByDefault": True,
        "autoSaveOnCompileOrRun": True,
    },
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}
MODULE = "fastkf.lab.jupyterlab"
IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}"


@dataclass
class Jupyter:
    """One JupyterLab.

    Attributes:
        place: the folder of notebooks that it shows, or the notebook that it opens with.
        root: the folder that it shows nothing above of: the place, or around it.
        private: a folder that only the user can read, for its configuration.
        base_url: the path before all of its addresses, with a slash at both ends.
        pipelines: where Kale's panel sends pipelines.
        options: further words of its command line; they come before all of these.
    """

    place: Path
    root: Path
    private: Path
    port: int
    base_url: str
    token: str
    pipelines: Pipelines
    browser: bool
    options: list[str]

    @property
    def address(self) -> str:
        return find_address(self.port, self.base_url)

    @property
    def page(self) -> str:
        """The address to open in a browser, with the token."""
        inside = self.place.resolve().relative_to(self.root)
        tree = f"/tree/{quote(inside.as_posix())}" if inside.parts else ""
        return f"{self.address}lab{tree}?token={self.token}"

    @property
    def runs_page(self) -> str:
        """Where the pages of the runs are, for the same browser."""
        pages = f"{self.address}{proxy.PATH}" if self.pipelines.pages else self.pipelines.address
        return f"{pages}/"

    @property
    def command(self) -> list[str | Path]:
        config = self.private / "jupyter_server_config.json"
        shown = [] if self.place.is_dir() else [self.place]
        return [sys.executable, "-m", MODULE, "--config", config, *self.options, *shown]

    def configure(self) -> None:
        """Writes the configuration into the private folder."""
        settings = self.private / "settings"
        shared = Path(sys.prefix, "share", "jupyter", "lab", "settings")
        if shared.is_dir():
            shutil.copytree(shared, settings)
        _write(settings / "overrides.d" / "fastkf.json", DEFAULTS)
        _write(self.private / "kfp_server_config.json", self.pipelines.kale)
        _write(self.private / "jupyter_server_config.json", self._server_config(settings))

    def environment(self) -> dict[str, str]:
        """All variables of JupyterLab, and so of its kernels."""
        variables = {
            "KALE_DEFAULT_BASE_IMAGE": IMAGE,
            **os.environ,
            "KALE_CONFIG_PATH": str(self.private / "kfp_server_config.json"),
            **self.pipelines.variables,
        }
        return {name: value for name, value in variables.items() if value is not None}

    def _server_config(self, settings: Path) -> dict:
        return {
            "IdentityProvider": {"token": self.token},
            "ServerApp": {
                "ip": "127.0.0.1",
                "allow_root": True,  # usual in containers; loopback and the token guard it
                "port": self.port,
                "port_retries": 0,
                "base_url": self.base_url,
                # Behind a base URL there is a gateway, and browsers know JupyterLab by its name.
                "allow_remote_access": self.base_url != "/",
                "root_dir": str(self.root),
                "open_browser": self.browser,
                "jpserver_extensions": {proxy.__name__: bool(self.pipelines.pages)},
            },
            "PipelinesPages": self.pipelines.pages,
            "LabApp": {
                "app_settings_dir": str(settings),
                "workspaces_dir": str(self._workspaces()),
                # No request leaves the machine by itself.
                "extension_manager": "readonly",
                "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
                "news_url": None,
            },
        }

    def _workspaces(self) -> Path:
        """Where the open tabs are kept from start to start, for each root folder."""
        name = hashlib.sha256(bytes(self.root)).hexdigest()[:16]
        folder = user_folder("workspaces") / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return self.private / "workspaces"
        return folder


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=2))
