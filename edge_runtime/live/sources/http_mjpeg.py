"""Motion JPEG over HTTP: `multipart/x-mixed-replace`, as cameras write it."""

import http.client
import re
import time

from .capture import DamagedError, LateError, LostError, RawFrame, RefusedError
from .http_connection import HttpConnection
from .jpeg import find_damage

_MOST_BYTES = 64 * 2**20  # of a frame; nobody's camera sends more
_MOST_HEADER_BYTES = 64 * 2**10
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEADER_END = re.compile(rb"\r?\n\r?\n")


class HttpMjpeg:
    """One connection to a camera that answers with a stream of JPEGs."""

    def __init__(self, url: str) -> None:
        """Prepare a connection to `url`, http or https, with user and password if it holds them."""
        self._connection = HttpConnection(url)
        self._boundary = b""
        self._buffer = bytearray()
        self._arrived = (0.0, 0.0)

    def open(self, deadline: float) -> None:
        """Ask for the stream, with the password if the camera wants one."""
        response = self._connection.open(deadline)
        self._boundary = _boundary(response)
        response.length = None  # some announce a length for what has no end

    def read(self, deadline: float) -> RawFrame:
        """Return the next JPEG whose parts are in order."""
        self._skip_to_boundary(deadline)
        length = self._read_part_header(deadline)
        try:
            jpeg = (
                self._read_to_boundary(deadline)
                if length is None
                else self._read_exactly(length, deadline)
            )
        except (LateError, LostError) as error:
            error.damaged = 1 if self._buffer else 0
            raise
        damage = find_damage(jpeg)
        if damage is not None:
            swallowed = jpeg.find(b"\n" + self._boundary)
            if swallowed >= 0:  # the frame is shorter than announced: the next ones are in it
                self._buffer[:0] = jpeg[swallowed:]
            raise DamagedError(f"a damaged frame ({damage})", damaged=1)
        return RawFrame(jpeg, *self._arrived)

    def cancel(self) -> None:
        """Wake up a read that waits for the network."""
        self._connection.cancel()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _skip_to_boundary(self, deadline: float) -> None:
        while (at := self._buffer.find(self._boundary)) < 0:
            del self._buffer[: -len(self._boundary)]
            self._receive(deadline)
        end = at + len(self._boundary)
        while len(self._buffer) < end + 2:
            self._receive(deadline)
        if self._buffer[end : end + 2] == b"--":
            raise LostError("the camera has ended the stream")
        del self._buffer[:end]

    def _read_part_header(self, deadline: float) -> int | None:
        while (found := _HEADER_END.search(self._buffer)) is None:
            if len(self._buffer) > _MOST_HEADER_BYTES:
                raise LostError("the stream is no stream of JPEGs")
            self._receive(deadline)
        length = _LENGTH.search(bytes(self._buffer[: found.end()]))
        del self._buffer[: found.end()]
        if length is None:
            return None
        if int(length[1]) > _MOST_BYTES:
            raise LostError(f"a frame of {int(length[1])} bytes; {_MOST_BYTES} are the most")
        return int(length[1])

    def _read_exactly(self, length: int, deadline: float) -> bytes:
        while len(self._buffer) < length:
            self._receive(deadline)
        jpeg = bytes(self._buffer[:length])
        del self._buffer[:length]
        return jpeg

    def _read_to_boundary(self, deadline: float) -> bytes:
        """Return the part; one that is whole need not wait for the boundary of the next."""
        searched = 0
        while True:
            at = self._buffer.find(b"\n" + self._boundary, searched)
            if at >= 0:
                jpeg = bytes(self._buffer[:at])
                del self._buffer[:at]
                return jpeg
            tail = self._buffer[-4:].rstrip(b"\r\n")
            if tail.endswith(b"\xff\xd9") and find_damage(self._buffer) is None:
                jpeg = bytes(self._buffer)
                self._buffer.clear()
                return jpeg
            if len(self._buffer) > _MOST_BYTES:
                raise LostError(f"a frame without end; {_MOST_BYTES} bytes are the most")
            searched = max(0, len(self._buffer) - len(self._boundary) - 1)
            self._receive(deadline)

    def _receive(self, deadline: float) -> None:
        received = self._connection.receive(deadline)
        self._arrived = (time.monotonic(), time.time())
        self._buffer += received


def _boundary(response: http.client.HTTPResponse) -> bytes:
    """Return what stands before each frame.

    Raises:
        RefusedError: the camera answers with something else than a stream.
    """
    kind = response.headers.get("Content-Type", "")
    boundary = response.headers.get_boundary()
    if not kind.lower().startswith("multipart/") or not boundary:
        raise RefusedError(
            f"it answers with {kind.split(';')[0] or 'no type'}, not with a stream of JPEGs "
            "(multipart/x-mixed-replace); give the address of the stream itself"
        )
    # Some cameras announce the boundary with the dashes that only stand before it.
    return b"--" + boundary.strip().removeprefix("--").encode("latin-1", "replace")
