"""Whether a SeaweedFS on this machine answers, takes its access keys and can read its objects."""

import json
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "us-east-1"  # any: SeaweedFS has none, and clients ask for one
SECONDS_TO_ANSWER = 5


def answers(host: str, port: int, access_key: str, secret_key: str) -> bool:
    """Whether ListBuckets, signed with the keys (AWS Signature Version 4), succeeds.

    Asked without an S3 client: that would read the user's AWS files, proxies and variables, and
    none of them has to do with a server of this machine.
    """
    request = AWSRequest("GET", f"http://{host}:{port}/")
    S3SigV4Auth(Credentials(access_key, secret_key), "s3", REGION).add_auth(request)
    connection = HTTPConnection(host, port, timeout=SECONDS_TO_ANSWER)
    try:
        connection.request("GET", "/", headers=dict(request.headers))
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def has_volumes(host: str, port: int, certificate: Path, key: Path) -> bool:
    """Whether the master knows the server of the volumes, in which the objects are.

    That one comes seconds after the S3 server at times, which answers a GET with 500 until then.
    The form of `/dir/status` is SeaweedFS's (its topology: data centers, racks, nodes).
    """
    context = ssl.create_default_context(cafile=str(certificate))
    context.load_cert_chain(certificate, key)
    connection = HTTPSConnection(host, port, timeout=SECONDS_TO_ANSWER, context=context)
    try:
        connection.request("GET", "/dir/status")
        topology = json.loads(connection.getresponse().read())["Topology"]
        racks = [rack for center in topology["DataCenters"] or () for rack in center["Racks"]]
        return any(rack["DataNodes"] for rack in racks)
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return False
    finally:
        connection.close()
