"""The static page: the files that the build put into ``server/static``."""

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


def find(folder: Path, wanted: str) -> Path | None:
    """The file of that name inside ``folder``; None for anything that is not a file in it."""
    if "\x00" in wanted or len(wanted) > 300:
        return None
    root = folder.resolve()
    file = (root / wanted).resolve()
    return file if file.is_relative_to(root) and file.is_file() else None


class Page:
    """Serves the files of a folder; ``/`` is ``index.html``."""

    def __init__(self, folder: Path = STATIC) -> None:
        self.folder = folder

    async def answer(self, request: Request) -> Response:
        wanted = request.path_params.get("path", "") or "index.html"
        file = find(self.folder, wanted)
        if file is None:
            if wanted == "index.html":
                return PlainTextResponse(NOT_BUILT, 503)
            return PlainTextResponse("Not found\n", 404)
        kind = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        kept = "public, max-age=31536000, immutable" if wanted.startswith("assets/") else "no-cache"
        return FileResponse(file, media_type=kind, headers={"Cache-Control": kept})
