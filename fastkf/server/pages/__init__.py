"""The server's pages for people, at the addresses that Kale's panel and `kfp.Client` link to.

There is one page. Its script shows, for `/#/runs/details/ID`, what the server answers at
`fragments/runs/details/ID`, and asks again while something goes on. All addresses are relative, so
that the server may stand behind a base URL.
"""

from fastkf.server.pages.routes import router

__all__ = ["router"]
