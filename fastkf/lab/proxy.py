"""JupyterLab's extension that passes on the pages of Kubeflow Pipelines, at <base URL>/pipelines/.

Kale's panel links to these pages. Whoever reaches JupyterLab from afar, through Kubeflow's gateway
or a forwarded port, reaches them too, with JupyterLab's own token or cookie.

It is no use of jupyter-server-proxy (4.6 was tried): that passes JupyterLab's cookie on, takes
changes that a page of another origin sends with it, opens every port of this machine in the same
way, holds an answer back until it is whole, and goes on reading when nobody is there any more.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import iostream, web
from traitlets import Unicode
from traitlets.config import Configurable

from fastkf.base import local_server
from fastkf.base.errors import FastkfError
from fastkf.cluster.tls import trust_at

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

PATH = "pipelines"
# Headers of one connection (RFC 9110, 7.6.1), and those that are JupyterLab's alone: the pipelines
# server is asked under its own name.
OF_CONNECTION = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
OF_JUPYTER = {
    "authorization",
    "content-length",
    "cookie",
    "host",
    "origin",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "x-xsrftoken",
}


class PipelinesPages(Configurable):
    """The pages, as JupyterLab's configuration names them."""

    address = Unicode(help="Where the pages are: http://127.0.0.1:PORT").tag(config=True)
    folder = Unicode(help="The data folder of the server that shows them").tag(config=True)


class PagesHandler(JupyterHandler):
    """Passes a request on, and the answer back as it comes.

    What is shown here is shown as JupyterLab's own, which can open a terminal. So the server proves
    before each request that it is this user's: it can end, and another user's listen there.
    """

    def initialize(self, client: httpx.AsyncClient, folder: Path) -> None:
        self.client, self.folder = client, folder
        self.work: asyncio.Future[None] | None = None

    def check_xsrf_cookie(self) -> None:
        """Not asked for: the pages know nothing of JupyterLab's token. See `_is_foreign`."""

    @web.authenticated
    async def get(self, _path: str) -> None:
        if self._is_foreign():
            raise web.HTTPError(403, "This request comes from another site")
        self.work = asyncio.ensure_future(self._pass_on())
        with contextlib.suppress(asyncio.CancelledError, iostream.StreamClosedError):
            await self.work

    head = post = put = patch = delete = get

    def on_connection_close(self) -> None:
        if self.work:
            self.work.cancel()  # else a stream of events is read for nobody

    def _is_foreign(self) -> bool:
        """Whether a page of another host may have sent this, to change something."""
        if self.request.method in ("GET", "HEAD") or self.token_authenticated:
            return False
        origin = urlsplit(self.request.headers.get("Origin", ""))
        return origin.netloc.lower() != self.request.host.lower()

    async def _pass_on(self) -> None:
        target = self.request.uri.removeprefix(url_path_join(self.base_url, PATH))
        sent = self.request.headers.get_all()
        kept = [pair for pair in sent if pair[0].lower() not in OF_CONNECTION | OF_JUPYTER]
        request = self.client.build_request(
            self.request.method,
            self.client.base_url.copy_with(raw_path=target.encode()),
            headers=[*kept, *(await self._authorize()).items()],
            content=self.request.body or None,
        )
        try:
            answer = await self.client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise web.HTTPError(502, "The pipelines server does not answer") from error
        async with contextlib.aclosing(answer):
            self._begin(answer)
            async for chunk in answer.aiter_raw():
                self.write(chunk)
                await self.flush()

    async def _authorize(self) -> dict[str, str]:
        address = str(self.client.base_url).rstrip("/")
        try:
            return await asyncio.to_thread(local_server.authorize, self.folder, address)
        except FastkfError as error:
            raise web.HTTPError(502, f"The pipelines server does not answer: {error}") from error

    def _begin(self, answer: httpx.Response) -> None:
        self.set_status(answer.status_code, answer.reason_phrase or None)
        for name in answer.headers:
            self.clear_header(name)
        for name, value in answer.headers.multi_items():
            if name.lower() not in OF_CONNECTION:
                self.add_header(name, self._relocate(value) if name == "location" else value)

    def _relocate(self, location: str) -> str:
        path = location.removeprefix(str(self.client.base_url).rstrip("/"))
        return url_path_join(self.base_url, PATH, path) if path.startswith("/") else location


def _jupyter_server_extension_points() -> list[dict]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: "ServerApp") -> None:
    config = PipelinesPages(parent=server)
    verify = trust_at(config.address)
    client = httpx.AsyncClient(
        base_url=config.address, timeout=None, verify=verify, trust_env=False
    )
    path = url_path_join(server.base_url, PATH)
    handlers = [
        (path, web.RedirectHandler, {"url": f"{path}/"}),
        (f"{path}/(.*)", PagesHandler, {"client": client, "folder": Path(config.folder)}),
    ]
    server.web_app.add_handlers(".*$", handlers)
