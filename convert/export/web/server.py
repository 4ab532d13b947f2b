"""A web server on the loopback that serves a few folders, as a page with threads needs them."""

import mimetypes
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What the page may do: all of it is its own. A connection to any other host is blocked.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; "
    "img-src 'self' blob: data:; media-src 'self' blob:"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    # These two let a page share memory between threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "no-store",
}
_TYPES = {
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}


@contextmanager
def serve(folders: Mapping[str, Path]) -> Iterator[str]:
    """Serve each folder below its name, and yield the address; "" is the root, with its index."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = _file(folders, unquote(urlsplit(self.path).path))
            if file is None:
                self.send_error(404)
                return
            content = file.read_bytes()
            guessed = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            self.send_response(200)
            self.send_header("Content-Type", _TYPES.get(file.suffix, guessed))
            self.send_header("Content-Length", str(len(content)))
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            with suppress(ConnectionError):  # the page was left
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, http.server's
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _file(folders: Mapping[str, Path], path: str) -> Path | None:
    first, _, rest = path.lstrip("/").partition("/")
    folder, below = (folders[first], rest) if first in folders else (folders[""], path.lstrip("/"))
    file = (folder / (below or "index.html")).resolve()
    return file if file.is_file() and file.is_relative_to(folder.resolve()) else None
