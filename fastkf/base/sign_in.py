"""The page that a browser gets of a server when it has not shown the token yet."""

from html import escape

from starlette.responses import HTMLResponse

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# The form goes to the address that was asked for, and so the browser keeps what stands after its #.
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Token needed</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }}
body {{ max-width: 34rem; margin: 10vh auto; padding: 0 1rem; overflow-wrap: anywhere }}
input, button {{ font: inherit; padding: .4rem .6rem }}
</style>
<h1>Token needed</h1>
<p>On one machine every user reaches this address. So the server answers only to whoever has its
token{hint}.</p>
<form method="get">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="off" required autofocus>
<button>Open</button>
</form>
</html>
"""


def sign_in_page(status: int, hint: str) -> HTMLResponse:
    """A form that asks for the token.

    Args:
        hint: where the token is, to go on in the sentence that asks for it.
    """
    headers = {"content-security-policy": POLICY, "cache-control": "no-store"}
    return HTMLResponse(PAGE.format(hint=escape(hint)), status, headers)
