"""Motion JPEG over HTTP: `multipart/x-mixed-replace`, read with deadlines that hold."""

import http.client
import re
import socket
import ssl
import time
from base64 import b64encode
from urllib.parse import unquote, urlsplit

from ...images.jpeg import find_damage
from .capture import DamagedError, LateError, LostError, RawFrame, RefusedError
from .http_digest import digest_answer

_MOST_BYTES = 64 * 2**20  # of a frame; nobody's camera sends more
_MOST_HEADER_BYTES = 64 * 2**10
_CHUNK = 256 * 2**10
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_HEADER_END = re.compile(rb"\r?\n\r?\n")


class HttpMjpeg:
    """One connection to a camera that answers with a stream of JPEGs."""

    def __init__(self, url: str) -> None:
        """Prepare a connection to `url`, http or https, with user and password if it holds them."""
        self._url = urlsplit(url)
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._response: http.client.HTTPResponse | None = None
        self._boundary = b""
        self._buffer = bytearray()
        self._arrived = (0.0, 0.0)

    def open(self, deadline: float) -> None:
        """Ask for the stream; a second time with the password, if the camera wants one."""
        try:
            response = self._ask(None, deadline)
            login = self._login(response)
            if login is not None:
                self.close()
                response = self._ask(login, deadline)
        except TimeoutError:
            raise LateError("no answer in time") from None
        except ssl.SSLError as error:
            raise RefusedError(f"no encrypted connection ({error.reason})") from None
        except (OSError, http.client.HTTPException) as error:
            raise LostError(_reason(error)) from None
        if response.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise LostError(f"the camera answers {response.status} {response.reason}")
        if response.status != http.HTTPStatus.OK:
            raise RefusedError(_refusal(response, user=self._url.username))
        kind = response.headers.get("Content-Type", "")
        boundary = _BOUNDARY.search(kind)
        if not kind.lower().startswith("multipart/") or boundary is None:
            raise RefusedError(
                f"it answers with {kind.split(';')[0] or 'no type'}, not with a stream of JPEGs "
                "(multipart/x-mixed-replace); give the address of the stream itself"
            )
        # Some cameras announce the boundary with the dashes that only stand before it.
        self._boundary = b"--" + boundary[1].strip().removeprefix("--").encode("latin-1")

    def _ask(self, authorization: str | None, deadline: float) -> http.client.HTTPResponse:
        url = self._url
        secure = url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=_left(deadline))
        self._connection = connection
        connection.connect()
        # A connection that the server will close is dropped by http.client once it has answered.
        connected: socket.socket = connection.sock
        self._socket = connected
        headers = {"Accept": "multipart/x-mixed-replace, image/jpeg", "User-Agent": "edgeclf"}
        if authorization is not None:
            headers["Authorization"] = authorization
        connection.request("GET", self._path, headers=headers)
        connected.settimeout(_left(deadline))
        self._response = connection.getresponse()
        return self._response

    @property
    def _path(self) -> str:
        return (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")

    def _login(self, response: http.client.HTTPResponse) -> str | None:
        """Return what proves the password, in the best way that the camera offers."""
        if response.status != http.HTTPStatus.UNAUTHORIZED or self._url.username is None:
            return None
        user, password = unquote(self._url.username), unquote(self._url.password or "")
        challenges = response.headers.get_all("WWW-Authenticate", [])
        for challenge in challenges:
            answer = digest_answer(challenge, path=self._path, user=user, password=password)
            if answer is not None:
                return answer
        if any(challenge.lower().startswith("basic") for challenge in challenges):
            return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
        return None

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
        connected = self._socket
        if connected is not None:
            try:
                connected.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it is gone already

    def close(self) -> None:
        """Close the connection."""
        if self._response is not None:
            self._response.close()
        if self._connection is not None:
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
        assert self._socket is not None
        assert self._response is not None
        try:
            self._socket.settimeout(_left(deadline))
            received = self._response.read1(_CHUNK)
        except TimeoutError:
            raise LateError("no frame in time") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LostError(_reason(error)) from None
        if not received:
            raise LostError("the camera has closed the connection")
        self._arrived = (time.monotonic(), time.time())
        self._buffer += received


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _refusal(response: http.client.HTTPResponse, *, user: str | None) -> str:
    said = f"the camera refuses: {response.status} {response.reason}"
    if 300 <= response.status < 400:
        return f"{said}, to {response.headers.get('Location', 'nowhere')}; give that address"
    if response.status == http.HTTPStatus.UNAUTHORIZED:
        if user is None:
            return f"{said}; give user and password: http://USER:PASSWORD@…"
        return f"{said}; check user and password"
    return said


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return " ".join(str(error).split()) or type(error).__name__
