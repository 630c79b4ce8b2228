"""The static page: the files that the build put into ``server/static``, found by name in a list made at start."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

STATIC = Path(__file__).parent / "static"
NOT_BUILT = (
    "The page is not built. In a checkout, run `make ui`; an installed medtwin carries it.\n"
    "The API is at /api/v1/openapi.json.\n"
)
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".woff2": "font/woff2",
}


def files(folder: Path = STATIC) -> dict[str, Path]:
    """Path in an address -> file. Only what is listed here can ever be sent."""
    if not folder.is_dir():
        return {}
    return {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}


class Page:
    """Serves the listed files; ``/`` is ``index.html``."""

    def __init__(self, folder: Path = STATIC) -> None:
        self.files = files(folder)

    async def answer(self, request: Request) -> Response:
        wanted = request.path_params.get("path", "") or "index.html"
        file = self.files.get(wanted)
        if file is None:
            if wanted == "index.html":
                return PlainTextResponse(NOT_BUILT, 503)
            return PlainTextResponse("Not found\n", 404)
        kind = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        kept = "public, max-age=31536000, immutable" if wanted.startswith("assets/") else "no-cache"
        return FileResponse(file, media_type=kind, headers={"Cache-Control": kept})
