"""The page at /: static files under /static, with the headers that keep all else out."""

from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent.parent / "page"
PATH = "/static"

# uPlot sets its styles through the DOM, which style-src does not forbid.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # always asked for again, which costs a 304
}


class PageFiles(StaticFiles):
    """The page's files, with HEADERS on each."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, 304 where the reader has it, or 404."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def add(app: FastAPI) -> None:
    """Serve the page at / and its files under /static."""
    files = PageFiles(directory=FOLDER)

    async def index(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    app.add_route("/", index, include_in_schema=False)
    app.mount(PATH, files)
