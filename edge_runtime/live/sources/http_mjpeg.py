"""JPEGs over HTTP: a stream of them (`multipart/x-mixed-replace`), or one for each request."""

import http.client
import re
import time

from ...images.jpeg import find_damage
from .address import CameraAddress
from .capture import DamagedError, LateError, LostError, RawFrame, RefusedError
from .http_connection import HttpConnection

_MOST_BYTES = 64 * 2**20  # of a frame; nobody's camera sends more
_MOST_HEADER_BYTES = 64 * 2**10
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_DASHES = b"--"
_APART_S = 0.1  # from one request for a picture to the next
# Other types are not repeated: what a camera sends may hold anything.
_TYPES = frozenset({"text/html", "text/plain", "video/mp4", "application/json"})
_HEADER_END = re.compile(rb"\r?\n\r?\n")


class HttpMjpeg:
    """One connection to a camera that answers with JPEGs: a stream, or one for each request."""

    def __init__(self, address: CameraAddress) -> None:
        """Prepare a connection to `address`, http or https; https checks the certificate."""
        self._connection = HttpConnection(address)
        self._is_stream = True
        self._answered_at: float | None = None
        self._boundary = b""
        self._is_exact = False  # whether `_boundary` is what was seen, not only what was announced
        self._lengths_hold = True
        self._buffer = bytearray()
        self._arrived = (0.0, 0.0)

    def open(self, deadline: float) -> None:
        """Ask for the pictures, with the password if the camera wants one."""
        response = self._connection.open(deadline)
        self._answered_at = time.monotonic()
        self._is_stream = response.headers.get_content_type() != "image/jpeg"
        if self._is_stream:
            self._boundary = _boundary(response)
            response.length = None  # some announce a length for what has no end

    def read(self, deadline: float) -> RawFrame:
        """Return the next JPEG whose parts are in order."""
        jpeg = self._read_part(deadline) if self._is_stream else self._read_answer(deadline)
        damage = find_damage(jpeg)
        if damage is not None:
            swallowed = jpeg.find(b"\n" + self._boundary) if self._is_stream else -1
            if swallowed >= 0:  # the frame is shorter than announced: the next ones are in it
                self._buffer[:0] = jpeg[swallowed:]
            self._lengths_hold = False
            raise DamagedError(f"a damaged frame ({damage})", damaged=1)
        return RawFrame(jpeg, *self._arrived)

    def cancel(self) -> None:
        """Wake up a read that waits for the network."""
        self._connection.cancel()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _read_answer(self, deadline: float) -> bytes:
        """Return the whole body of an answer; ask again if the last one was read."""
        if self._answered_at is None:
            self.open(deadline)
        asked_at, self._answered_at = self._answered_at or 0.0, None
        self._buffer.clear()
        while received := self._connection.receive(deadline):
            self._arrived = (time.monotonic(), time.time())
            self._buffer += received
            if len(self._buffer) > _MOST_BYTES:
                raise LostError(f"a picture of more than {_MOST_BYTES} bytes")
        time.sleep(max(0.0, min(asked_at + _APART_S, deadline) - time.monotonic()))
        return bytes(self._buffer)

    def _read_part(self, deadline: float) -> bytes:
        self._skip_to_boundary(deadline)
        length = self._read_part_header(deadline)
        try:
            if length is None or not self._lengths_hold:
                return self._read_to_boundary(deadline)
            return self._read_exactly(length, deadline)
        except (LateError, LostError) as error:
            error.damaged = 1 if self._buffer else 0
            raise

    def _skip_to_boundary(self, deadline: float) -> None:
        while (at := self._buffer.find(self._boundary)) < 0:
            del self._buffer[: -len(self._boundary) - len(_DASHES)]
            self._receive(deadline)
        end = at + len(self._boundary)
        while len(self._buffer) < end + 2:
            self._receive(deadline)
        if self._buffer[end : end + 2] == _DASHES:
            raise LostError("the camera has ended the stream")
        if not self._is_exact and self._buffer[:at].endswith(_DASHES):
            self._boundary = _DASHES + self._boundary
        self._is_exact = True
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
        if not received:
            raise LostError("the camera has closed the connection")
        self._arrived = (time.monotonic(), time.time())
        self._buffer += received


def _boundary(response: http.client.HTTPResponse) -> bytes:
    """Return the announced boundary; the dashes in front of it are missing in some streams.

    Raises:
        RefusedError: the camera answers with no stream of pictures.
    """
    kind = response.headers.get("Content-Type", "")
    boundary = (response.headers.get_boundary() or "").strip()
    if not kind.lower().startswith("multipart/") or not boundary.strip("-"):
        given = kind.partition(";")[0].strip().lower()
        known = given if given in _TYPES else "another type" if given else "no type"
        raise RefusedError(
            f"it answers with {known}, not with JPEGs "
            "(multipart/x-mixed-replace or image/jpeg); give the address of the stream itself"
        )
    return boundary.removeprefix("--").encode("latin-1", "replace")
