"""A request to a camera over HTTP: login, redirects, and deadlines that hold."""

import http.client
import io
import socket
import ssl
import time
from base64 import b64encode
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from .capture import LateError, LostError, RefusedError
from .http_digest import digest_answer

_CHUNK = 256 * 2**10
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}


class HttpConnection:
    """A connection to a camera, and what it answers."""

    def __init__(self, url: str) -> None:
        """Prepare a connection to `url`, http or https, with user and password if it holds them."""
        self._url = urlsplit(url)
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
        except ssl.SSLError as error:
            raise RefusedError(f"no encrypted connection ({error.reason})") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LostError(_reason(error)) from None
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise LostError(f"the camera answers {response.status} {response.reason}")
        if response.status != HTTPStatus.OK:
            raise RefusedError(_refusal(response, user=self._url.username))
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
        url = self._url
        for _ in range(_MOST_REDIRECTS):
            response = self._get(url, None, deadline)
            login = self._login(url, response)
            if login is not None:
                response = self._get(url, login, deadline)
            target = _redirected(url, response)
            if target is None:
                break
            url = target
        return response

    def _get(
        self, url: SplitResult, authorization: str | None, deadline: float
    ) -> http.client.HTTPResponse:
        self.close()
        secure = url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=_left(deadline))
        self._connection = connection
        connection.connect()
        self._socket = connection.sock
        headers = {"Accept": "multipart/x-mixed-replace, image/jpeg", "User-Agent": "edgeclf"}
        if authorization is not None:
            headers["Authorization"] = authorization
        connection.request("GET", _target(url), headers=headers)
        self._reader = reader = _TimedReader(connection.sock, deadline)
        # All that it does with a socket is to make a file of it.
        self._response = http.client.HTTPResponse(cast(socket.socket, reader), method="GET")
        self._response.begin()
        return self._response

    def _login(self, url: SplitResult, response: http.client.HTTPResponse) -> str | None:
        """Return what proves the password, in the best way that the camera offers."""
        if (
            response.status != HTTPStatus.UNAUTHORIZED
            or self._url.username is None
            or not _is_same_camera(self._url, url)
        ):
            return None
        user, password = unquote(self._url.username), unquote(self._url.password or "")
        challenges = response.headers.get_all("WWW-Authenticate", [])
        for challenge in challenges:
            answer = digest_answer(challenge, path=_target(url), user=user, password=password)
            if answer is not None:
                return answer
        if any(challenge.lower().startswith("basic") for challenge in challenges):
            return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
        return None


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


def _target(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _redirected(url: SplitResult, response: http.client.HTTPResponse) -> SplitResult | None:
    """Return where the camera sends us; None if nowhere, or where we do not go."""
    location = response.headers.get("Location")
    if response.status not in _REDIRECTS or location is None:
        return None
    plain = url._replace(netloc=url.netloc.rpartition("@")[2])
    target = urlsplit(urljoin(plain.geturl(), location))
    allowed = {"https"} if url.scheme == "https" else {"http", "https"}
    return target if target.scheme in allowed and target.hostname else None


def _is_same_camera(given: SplitResult, url: SplitResult) -> bool:
    """Tell whether `url` is on the given host and port, or encrypts what was to be in the clear."""
    if given.hostname != url.hostname:
        return False
    ports = given.port or _PORTS[given.scheme], url.port or _PORTS[url.scheme]
    return (given.scheme == url.scheme and ports[0] == ports[1]) or (
        url.scheme == "https" and ports == (80, 443)
    )


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _refusal(response: http.client.HTTPResponse, *, user: str | None) -> str:
    said = f"the camera refuses: {response.status} {response.reason}"
    if 300 <= response.status < 400:
        return f"{said}, to {response.headers.get('Location', 'nowhere')}; give that address"
    if response.status == HTTPStatus.UNAUTHORIZED:
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
