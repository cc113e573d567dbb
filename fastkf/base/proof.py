"""How a server of this user proves to a client that it is the one, before the client trusts it.

Both know a secret, from a file that only the user can read. The client sends a fresh random value,
and the server answers with an HMAC (RFC 2104) of that value and of the address that the client has
reached. The secret is never sent, no answer can be used twice, and none can be fetched from the
true server by a program that listens elsewhere.
"""

import hmac
import http.client
import ipaddress
import re
import secrets
from urllib.parse import urlsplit

PATH = "/fastkf/proof"
PARAMETER = "nonce"
NONCE = re.compile(r"[0-9a-f]{64}")
SECONDS_TO_ANSWER = 5
BYTES_OF_AN_ANSWER = 1000


def compute(secret: str, nonce: str, address: str, port: int) -> str:
    """What a server that listens at an address answers to a client's random value; hexadecimal.

    Args:
        address: the numeric address of the server's end of the connection.
    """
    end = ipaddress.ip_address(address.partition("%")[0])
    end = getattr(end, "ipv4_mapped", None) or end  # one socket may take IPv6 and IPv4
    message = f"{PATH}\n{nonce}\n{end}\n{port}"
    return hmac.new(secret.encode(), message.encode(), "sha256").hexdigest()


def is_proven(url: str, secret: str) -> bool:
    """Whether what answers at a URL knows the secret.

    Raises:
        OSError: nothing answers there.
    """
    parts = urlsplit(url)
    nonce = secrets.token_hex(32)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=SECONDS_TO_ANSWER
    )
    try:
        connection.connect()
        address, port = connection.sock.getpeername()[:2]
        connection.request("GET", f"{PATH}?{PARAMETER}={nonce}")
        said = connection.getresponse().read(BYTES_OF_AN_ANSWER)
    except http.client.HTTPException:  # whatever it is, it speaks otherwise
        return False
    finally:
        connection.close()
    return hmac.compare_digest(said, compute(secret, nonce, address, port).encode())
