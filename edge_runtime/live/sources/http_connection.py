"""A request to a camera over HTTP: login, redirects, and deadlines that hold."""

import http.client
import io
import socket
import ssl
import time
from base64 import b64encode
from dataclasses import replace
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urldefrag, urljoin

from ...errors import EdgeclfError
from .address import CameraAddress, public_path
from .capture import LateError, LostError, RefusedError, status_text, untrusted
from .http_digest import digest_answer

_CHUNK = 256 * 2**10
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpConnection:
    """A connection to a camera, and what it answers."""

    def __init__(self, address: CameraAddress) -> None:
        """Prepare a connection to `address`, http or https; https checks the certificate."""
        self._address = self._asked = address
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._reader: _TimedReader | None = None
        self._response: http.client.HTTPResponse | None = None

    def open(self, deadline: float) -> http.client.HTTPResponse:
        """Return the answer of status 200, behind login and redirects; its body is not read.

        User and password are sent only when asked for them, and to the given host alone.

        Args:
            deadline: when to give up, seconds of `time.monotonic`.

        Raises:
            CaptureError: there is no such answer.
        """
        try:
            response = self._follow(deadline)
        except TimeoutError:
            raise LateError("no answer in time") from None
        except ssl.SSLCertVerificationError as error:
            raise untrusted(error) from None
        except ssl.SSLError as error:
            raise RefusedError(f"no encrypted connection ({error.reason})") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LostError(_reason(error)) from None
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise LostError(f"the camera answers {status_text(response.status)}")
        if response.status != HTTPStatus.OK:
            raise RefusedError(self._refusal(response))
        return response

    def receive(self, deadline: float) -> bytes:
        """Return what comes next of the answer's body, nothing at its end; raises as `open`."""
        assert self._response is not None
        assert self._reader is not None
        try:
            self._reader.deadline = deadline
            return self._response.read1(_CHUNK)
        except TimeoutError:
            raise LateError("no frame in time") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LostError(_reason(error)) from None

    def cancel(self) -> None:
        """Wake up another thread that waits for the network."""
        connected = self._socket
        if connected is not None:
            try:
                connected.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it is gone already

    def close(self) -> None:
        """Close the connection; also one that was never opened."""
        if self._response is not None:
            self._response.close()
        if self._connection is not None:
            self._connection.close()

    def _follow(self, deadline: float) -> http.client.HTTPResponse:
        self._asked = self._address
        asked = 0
        while True:
            response = self._get(None, deadline)
            login = self._login(response)
            if login is not None:
                response = self._get(login, deadline)
            target = self._redirected(response)
            asked += 1
            if target is None or asked == _MOST_REDIRECTS:
                return response
            self._asked = target

    def _get(self, authorization: str | None, deadline: float) -> http.client.HTTPResponse:
        self.close()
        secure = self._asked.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._asked.host, self._asked.port, timeout=_left(deadline))
        self._connection = connection
        connection.connect()
        self._socket = connection.sock
        headers = {"Accept": "multipart/x-mixed-replace, image/jpeg", "User-Agent": "edgeclf"}
        if authorization is not None:
            headers["Authorization"] = authorization
        connection.request("GET", self._asked.target, headers=headers)
        self._reader = reader = _TimedReader(connection.sock, deadline)
        # All that it does with a socket is to make a file of it.
        self._response = http.client.HTTPResponse(cast(socket.socket, reader), method="GET")
        self._response.begin()
        return self._response

    def _login(self, response: http.client.HTTPResponse) -> str | None:
        """Return what proves the password, in the best way that the camera offers."""
        user, password, path = self._asked.user, self._asked.password, self._asked.target
        if response.status != HTTPStatus.UNAUTHORIZED or user is None:
            return None
        challenges = response.headers.get_all("WWW-Authenticate", [])
        for challenge in challenges:
            answer = digest_answer(challenge, path=path, user=user, password=password)
            if answer is not None:
                return answer
        if any(challenge.lower().startswith("basic") for challenge in challenges):
            return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
        return None

    def _redirected(self, response: http.client.HTTPResponse) -> CameraAddress | None:
        """Return where the camera sends us; None if nowhere, or where we do not go."""
        location = response.headers.get("Location")
        if response.status not in _REDIRECTS or location is None:
            return None
        given, asked = self._address, self._asked
        try:
            target = CameraAddress.parse(urldefrag(urljoin(asked.url_without_user, location)).url)
        except (EdgeclfError, ValueError):
            return None
        allowed = {"https"} if asked.scheme == "https" else {"http", "https"}
        if target is None or target.scheme not in allowed:
            return None
        # Encryption of what was to be in the clear is the only change that keeps the password.
        encrypted = (given.port, target.scheme, target.port) == (80, "https", 443)
        same = (given.scheme, given.port) == (target.scheme, target.port) or encrypted
        same = same and given.host == target.host
        return replace(target, userinfo=given.userinfo if same else "")

    def _refusal(self, response: http.client.HTTPResponse) -> str:
        refused = f"the camera refuses: {status_text(response.status)}"
        if 300 <= response.status < 400:
            location = response.headers.get("Location")
            return f"{refused}, to {_public_location(location)}; give that address"
        if response.status == HTTPStatus.UNAUTHORIZED:
            if self._asked.user is not None:
                return f"{refused}; check user and password"
            if self._address.user is not None:
                return f"{refused} at {self._asked.name}, where it sends us; give that address"
            return f"{refused}; give user and password: http://USER:PASSWORD@…"
        return refused


class _TimedReader(io.RawIOBase):
    """What a socket receives until a deadline, however slowly it comes.

    `http.client` reads a line byte by byte if it comes so, and a timeout holds for each byte.
    """

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self.deadline = deadline
        self._socket = connected
        self._raw = connected.makefile("rb", buffering=0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(_left(self.deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _public_location(location: str | None) -> str:
    """Return where a camera sends us, without what may be a secret there."""
    if location is None:
        return "nowhere"
    if location.startswith("/") and not location.startswith("//"):
        return public_path(location) or "another path"
    try:
        address = CameraAddress.parse(location)
    except EdgeclfError:
        address = None
    return address.name if address and address.is_network else "another address"


def _reason(error: Exception) -> str:
    """Return what went wrong in our own words, or the system's: a camera's may hold a secret."""
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    if isinstance(error, http.client.RemoteDisconnected):
        return str(error)
    if isinstance(error, http.client.HTTPException):
        return "what the camera answers is no HTTP"
    return f"the address cannot be asked for ({type(error).__name__})"
