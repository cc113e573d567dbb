"""`get`, `post` and `request` of httpx for addresses without https.

Those of httpx itself read all well-known certificates for each request, which takes 20 ms.
"""

import functools
import ssl

import httpx

NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # whom it trusts

get = functools.partial(httpx.get, verify=NOBODY)
post = functools.partial(httpx.post, verify=NOBODY)
request = functools.partial(httpx.request, verify=NOBODY)
