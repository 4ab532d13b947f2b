"""An HTTP server for a WSGI application on threads, within limits."""

import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from .connections import DEADLINE_S, first_to_close, network_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# Each is a thread.
_MOST_CONNECTIONS = 32


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write nothing: anybody could fill the log."""


@dataclass(frozen=True)
class _Opened:
    network: str
    since: float
    connection: socket.socket

    def end(self) -> None:
        """Wake its thread, which closes it."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class BoundedServer(ThreadingMixIn, WSGIServer):
    """Answers each request on a thread of its own.

    A connection is one request, and ends after `DEADLINE_S` even if bytes drip in or out; where too
    many are open, the oldest of the client that has the most ends.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, app: "WSGIApplication") -> None:
        """Listen on `host` and `port` (0 for a free one).

        Raises:
            OSError: the address is taken, or none of this machine.
        """
        self._opened: dict[int, _Opened] = {}
        self._lock = threading.Lock()
        self.address_family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        super().__init__((str(address[0]), int(address[1])), _SilentHandler)
        self.set_app(app)
        self._thread = threading.Thread(target=self.serve_forever, name="edgeclf-metrics")
        self._thread.daemon = True
        self._thread.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a request; make room where too many are open."""
        opened = _Opened(network_of(client_address[0]), time.monotonic(), request)
        with self._lock:
            if len(self._opened) >= _MOST_CONNECTIONS:
                self._end(first_to_close(list(self._opened.values())))
            self._opened[id(request)] = opened
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection of a request that is answered."""
        with self._lock:
            self._opened.pop(id(request), None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End what is open for too long; `serve_forever` calls this twice a second."""
        too_old = time.monotonic() - DEADLINE_S
        with self._lock:
            for opened in [each for each in self._opened.values() if each.since < too_old]:
                self._end(opened)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a bug, but not that a client hung up."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Listen no longer, and end what is open."""
        self.shutdown()
        self.server_close()
        self._thread.join(1.0)
        with self._lock:
            for opened in list(self._opened.values()):
                self._end(opened)

    def _end(self, opened: _Opened) -> None:
        del self._opened[id(opened.connection)]
        opened.end()
