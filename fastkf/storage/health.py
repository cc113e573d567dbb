"""Whether an S3 server on this machine answers and takes its access keys."""

from http.client import HTTPConnection, HTTPException

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
