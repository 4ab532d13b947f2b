"""Who may ask (token, host, origin), and the headers that go with every answer."""

import hmac
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..serving.connections import network_of
from .files import door

# What a Host header calls this machine's loopback.
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{0,5})?", re.ASCII | re.IGNORECASE)
_OPEN_TO_ALL = frozenset({"/page.css", "/icon.svg"})  # what the door is made of
_COOKIE_LASTS = 30 * 24 * 3600
# Requests that are answered at once; a page that is looked at needs two.
_MOST_AT_ONCE = 100
_MOST_OF_ONE = 50

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class RequestLimit:
    """Lets through to `app` as many requests at once as it can answer; `/healthz` always.

    Attributes:
        app: what answers.
    """

    app: ASGIApp
    _answered: Counter[str] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        path, client = scope["path"], network_of((scope["client"] or ("",))[0])
        if path in _OPEN_TO_ALL or path == "/healthz":
            await self.app(scope, receive, send)
            return
        if self._answered.total() >= _MOST_AT_ONCE or self._answered[client] >= _MOST_OF_ONE:
            refusal = _error(HTTPStatus.SERVICE_UNAVAILABLE, "too many viewers; come back later")
            await refusal(scope, receive, send)
            return
        self._answered[client] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._answered[client] -= 1
            if not self._answered[client]:
                del self._answered[client]


@dataclass(frozen=True)
class Guard:
    """Lets through to `app` who may ask.

    Attributes:
        app: what answers.
        token: what the asker must know; None lets everybody in who calls this machine by a name of
            its loopback (others would come by DNS rebinding).
        cookie: the name of the cookie that keeps the token.
    """

    app: ASGIApp
    token: str | None
    cookie: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        request = Request(scope)
        refusal = self._refusal(request)
        # What its connection goes by: who may not ask has a deadline and little room.
        request.state.admitted = refusal is None and scope["path"] not in _OPEN_TO_ALL
        answer = refusal or self.app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        if self.token is None and not _LOOPBACK.fullmatch(request.headers.get("host", "")):
            return _error(
                HTTPStatus.MISDIRECTED_REQUEST, "ask for localhost, or start with a --token"
            )
        if request.method not in {"GET", "HEAD"} and not _same_origin(request):
            return _error(HTTPStatus.FORBIDDEN, "asked by the page of another site")
        if self.token is None or request.scope["path"] in _OPEN_TO_ALL:
            return None
        return self._without_token(request)

    def _without_token(self, request: Request) -> Response | None:
        is_page = request.scope["path"] == "/"
        if is_page and self._is_token(request.query_params.get("token", "")):
            return self._keep_token(request)
        if any(map(self._is_token, self._tokens(request))):
            return None
        if is_page:
            return Response(door(), HTTPStatus.UNAUTHORIZED, media_type="text/html")
        return _error(HTTPStatus.UNAUTHORIZED, "the token is missing or wrong", bearer=True)

    def _tokens(self, request: Request) -> list[str]:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        bearer = credentials.strip() if scheme.lower() == "bearer" else ""
        query, stored = request.query_params.get("token", ""), request.cookies.get(self.cookie, "")
        return [bearer, query, stored]

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self.token or "").encode())

    def _keep_token(self, request: Request) -> Response:
        """Move the token from the address, which is shown and kept in histories, to a cookie.

        SameSite is Lax, so that a link to the page works from elsewhere; nothing that a link can
        reach changes anything.
        """
        others = [(k, v) for k, v in request.query_params.multi_items() if k != "token"]
        response = RedirectResponse(f"?{urlencode(others)}" if others else "./", 303)
        response.set_cookie(
            self.cookie, self.token or "", max_age=_COOKIE_LASTS, httponly=True, samesite="lax"
        )
        return response


def _same_origin(request: Request) -> bool:
    """Tell whether this page asks, or a program that is no browser; those send no Origin."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:  # of an Origin such as http://[
        return False


def _error(status: HTTPStatus, reason: str, *, bearer: bool = False) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if bearer else None
    return JSONResponse({"error": reason}, status, headers)
