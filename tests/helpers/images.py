"""Builds images for real with Debian's buildah, where no base image can be pulled.

A Debian root file system, made by mmdebstrap, takes the place of the official images. Its pip gets
the packages from a folder of wheels that this process serves.
"""

import hashlib
import http.server
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from filelock import FileLock

BASE = "localhost/debian-python:1"
PACKAGES = "base-files,base-passwd,bash,coreutils,dash,findutils,grep,sed,libstdc++6"
PACKAGES += ",python3,python3-pip,python3-venv"
# The packages are unpacked, and their scripts are not run: those compile all of Python, and would
# take longer than the rest. What they would do that is needed here is done here. Where Debian's
# Python differs from that of the image python:*-slim: pip may install into it.
SET_UP = """
cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"
cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"
ln -sf mawk "$1/usr/bin/awk"
rm -rf "$1"/usr/lib/python3*/EXTERNALLY-MANAGED "$1/var/lib/apt/lists"
rm -rf "$1/usr/share/doc" "$1/usr/share/locale" "$1/usr/share/man"  # dpkg's own filter is slow
env -u PYTHONDONTWRITEBYTECODE PIP_NO_INDEX=1 PIP_ROOT_USER_ACTION=ignore \\
  chroot "$1" python3 -m pip install --quiet pip  # compiles what pip imports
"""

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def find_obstacle() -> str | None:
    for tool in ("buildah", "mmdebstrap"):
        if not shutil.which(tool):
            return f"{tool} is not installed (Debian: apt-get install buildah mmdebstrap)"
    if os.getuid() != 0:
        return "building in chroots needs root here"
    return None


class Workshop:
    """A store of images of its own, and the environment that leads buildah there."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.wheels = folder / "wheels"
        self.environment = {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
            "BUILDAH_LAYERS": "false",
        }
        for name in ("REGISTRY", "TAG"):
            self.environment.pop(name, None)
        self._write_storage("overlay")
        if self._try("buildah", "from", "scratch"):
            self._write_storage("vfs")  # copies every layer, works everywhere

    def _write_storage(self, driver: str) -> None:
        (self.folder / "storage.conf").write_text(
            f'[storage]\ndriver = "{driver}"\n'
            f'graphroot = "{self.folder}/{driver}"\nrunroot = "{self.folder}/run-{driver}"\n'
        )

    def _try(self, *command: str) -> int:
        return subprocess.run(command, env=self.environment, capture_output=True).returncode

    def call(self, *command, **settings) -> str:
        words = [str(word) for word in command]
        result = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, **settings
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout.strip()

    def build(self, *options) -> str:
        return self.call("buildah", "build", *options)

    def inspect(self, image: str) -> dict:
        return json.loads(self.call("buildah", "inspect", "--type", "image", image))["OCIv1"]

    def run(self, image: str, *command, volume: Path | None = None) -> str:
        """What the command prints in a container of the image."""
        container = self.call("buildah", "from", "--pull-never", image)
        # Through a file: once, buildah's own copying from the container lost all of it.
        with tempfile.TemporaryDirectory(dir=self.folder) as printed:
            Path(printed).chmod(0o777)
            volumes = [f"{printed}:/printed:rw", *([f"{volume}:{volume}:rw"] if volume else [])]
            mount = [word for one in volumes for word in ("--volume", one)]
            words = ["sh", "-c", 'exec "$@" > /printed/output', "sh", *command]
            try:
                self.call("buildah", "run", *mount, container, "--", *words)
            finally:
                self.call("buildah", "rm", container)
            return Path(printed, "output").read_text().strip()

    def close(self) -> None:
        self._try("buildah", "rm", "--all")
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def open_workshop(folder: Path, root: "DebianRoot") -> Iterator[Workshop]:
    """A workshop that has the image BASE, whose pip finds what is in the folder `wheels`."""
    workshop = Workshop(folder)
    workshop.wheels.mkdir()
    handler = partial(QuietHandler, directory=str(workshop.wheels))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        (folder / "pip.conf").write_text(
            f"[global]\nno-index = true\nfind-links = http://127.0.0.1:{server.server_port}/\n"
            "disable-pip-version-check = true\n[install]\ncompile = false\n"
        )
        with tarfile.open(folder / "settings.tar", "w") as settings:
            settings.add(folder / "pip.conf", "etc/pip.conf")
        try:
            root.put(folder / "root.tar")
            write_image(folder / "base", [folder / "root.tar", folder / "settings.tar"])
            image = workshop.call("buildah", "pull", "-q", f"oci:{folder / 'base'}")
            workshop.call("buildah", "tag", image, BASE)
            shutil.rmtree(folder / "base")
            yield workshop
        finally:
            server.shutdown()
            workshop.close()


def write_image(folder: Path, layers: Iterable[Path]) -> None:
    """Moves archives into the folder, as the layers of an image in the layout of OCI.

    A build would unpack them, pack them again and unpack them once more.
    """
    form = "application/vnd.oci.image"
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def add(path: Path, kind: str) -> dict:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.rename(blobs / digest).stat().st_size
        return {"mediaType": f"{form}.{kind}", "digest": f"sha256:{digest}", "size": size}

    def add_json(content: dict, kind: str) -> dict:
        path = folder / "new.json"
        path.write_text(json.dumps(content))
        return add(path, f"{kind}+json")

    added = [add(path, "layer.v1.tar") for path in layers]
    root = {"type": "layers", "diff_ids": [layer["digest"] for layer in added]}
    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    config = {"architecture": architecture, "os": "linux", "config": {}, "rootfs": root}
    config["history"] = [{"created_by": "mmdebstrap"} for _ in added]
    manifest = {"schemaVersion": 2, "config": add_json(config, "config.v1"), "layers": added}
    index = {"schemaVersion": 2, "manifests": [add_json(manifest, "manifest.v1")]}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class DebianRoot:
    """The root file system, made once for all processes of a test session."""

    def __init__(self, folder: Path):
        self.archive = folder / "debian-root.tar"
        self.lock = FileLock(folder / "debian-root.lock")

    def put(self, path: Path) -> None:
        """Puts the archive there, under another name of the same file."""
        with self.lock:
            if not self.archive.exists():
                self._make()
            path.hardlink_to(self.archive)

    def _make(self) -> None:
        release = platform.freedesktop_os_release()["VERSION_CODENAME"]
        options = ["--quiet", "--variant=extract", f"--include={PACKAGES}"]
        options += [f"--extract-hook=set -e\n{SET_UP}", release]
        partial = self.archive.with_suffix(".part.tar")
        command = ["mmdebstrap", *options, str(partial)]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        partial.rename(self.archive)

    def remove(self) -> None:
        with self.lock:
            self.archive.unlink(missing_ok=True)


def python_version(workshop: Workshop) -> str:
    """Of the base image, as 3.11.2."""
    return workshop.run(BASE, "python3", "--version").split()[1]


def fetch_wheels(version: str, pins: Iterable[str], folder: Path) -> None:
    """Gets packages, pinned as `name==1.0`, for a version of Python, as pip is configured here."""
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder]
    short = ".".join(version.split(".")[:2])
    command = [sys.executable, "-m", "pip", "download", *options, "--python-version", short]
    result = subprocess.run([*command, *pins], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
