"""What the server answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ...images import RGBImage
from ...prediction import Prediction
from ..observation import SourceState
from .feed import Feed
from .files import FILES, content
from .pictures import PictureMaker
from .state import About, about_json, camera, events_json, prediction_json, state_json
from .teaching import LiveTeaching
from .uploads import RefusedError, decode_photograph, photograph_in, read_body

# A picture that nobody could take in this time ends the request; the page asks again.
_PATIENCE_S = 10.0
# The page hears at least so often, and knows by silence that the server is gone.
_HEARTBEAT_S = 1.0
# No eye reads figures faster; a picture is never held back.
_STATES_APART_S = 0.08
_UPLOAD_S = 60.0
_UPLOADS_AT_ONCE = 4
_BOUNDARY = "edgeclf-frame"


@dataclass(frozen=True)
class Answers:
    """The routes of the page.

    Attributes:
        feed: the newest of everything.
        about: what the page must know once.
        pictures: makes the overlay of a photograph.
        classify: says what a photograph shows; called on a thread of its own.
        teaching: what viewers may teach; None where they may not.
    """

    feed: Feed
    about: About
    pictures: PictureMaker
    classify: Callable[[RGBImage], Prediction]
    teaching: LiveTeaching | None = None
    _uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_UPLOADS_AT_ONCE))
    _decoding: asyncio.Lock = field(default_factory=asyncio.Lock)

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                *(Route(path, _file) for path in FILES),
                Route("/frame.jpg", self._frame),
                Route("/stream", self._stream),
                Route("/state", self._state),
                Route("/classify", self._classify, methods=["POST"]),
                Route("/healthz", self._health),
                *(self.teaching.routes() if self.teaching is not None else ()),
            ],
            exception_handlers={HTTPException: _explain, RefusedError: _refuse},
        )

    async def _frame(self, request: Request) -> Response:
        """Answer with one picture, as soon as there is one newer than `after`."""
        after = request.query_params.get("after", "0")
        number = int(after) if after.isdecimal() and len(after) < 16 else 0
        if number > self.feed.newest[0]:  # of a server that was here before this one
            number = 0
        picture = await self.feed.picture(
            after=number, heatmap=_wants_heatmap(request), seconds=_PATIENCE_S
        )
        if picture is None:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return Response(picture[1], media_type="image/jpeg", headers={"X-Number": str(picture[0])})

    async def _stream(self, request: Request) -> Response:
        """Answer with pictures without end, for players and home automation."""
        if request.method == "HEAD":
            return Response()
        return StreamingResponse(
            self._parts(heatmap=_wants_heatmap(request)),
            media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}",
        )

    async def _parts(self, *, heatmap: bool) -> AsyncIterator[bytes]:
        yield f"--{_BOUNDARY}\r\n".encode()
        after = 0
        while not self.feed.closed:
            picture = await self.feed.picture(after=after, heatmap=heatmap, seconds=_PATIENCE_S)
            if picture is not None:
                after, jpeg = picture
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                # Browsers show a picture once they see the boundary behind it.
                yield head.encode() + jpeg + f"\r\n--{_BOUNDARY}\r\n".encode()

    async def _state(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response()
        return StreamingResponse(self._news(), media_type="text/event-stream")

    async def _news(self) -> AsyncIterator[str]:
        """Yield Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
        yield f"retry: 1000\n{_message('about', about_json(self.about))}"
        events_sent = taught = -1
        while not self.feed.closed:
            if events_sent != self.feed.events_seen:
                events_sent = self.feed.events_seen
                source = camera(self.feed)["source"]
                yield _message("events", events_json(list(self.feed.events), source=source))
            if self.teaching is not None and taught != self.teaching.version:
                taught = self.teaching.version
                state = json.dumps(self.teaching.state(), ensure_ascii=False)
                yield _message("teaching", state)
            versions = self._versions()
            yield _message("state", state_json(self.feed, self.about.labels))
            await asyncio.sleep(_STATES_APART_S)
            await self.feed.wait_for(
                lambda versions=versions: self._versions() != versions,  # type: ignore[misc]
                seconds=_HEARTBEAT_S,
            )
        yield _message("end", "{}")

    def _versions(self) -> tuple[Any, ...]:
        taught = 0 if self.teaching is None else self.teaching.version
        return self.feed.newest[0], self.feed.events_seen, self.feed.health, taught

    async def _classify(self, request: Request) -> Response:
        if self._uploads.locked():
            raise RefusedError(503, "too many photographs at once; send it again")
        async with self._uploads:
            reading = read_body(
                request.stream(),
                announced=request.headers.get("content-length"),
                limit=self.about.max_bytes,
            )
            try:
                body = await asyncio.wait_for(reading, _UPLOAD_S)
            except asyncio.TimeoutError:
                raise RefusedError(408, f"not here after {_UPLOAD_S:g} s") from None
            content_type = request.headers.get("content-type", "")
            async with self._decoding:  # one decoded photograph in the memory at a time
                return JSONResponse(await asyncio.to_thread(self._classified, body, content_type))

    def _classified(self, body: bytes, content_type: str) -> dict[str, Any]:
        data = photograph_in(body, content_type)
        rgb = decode_photograph(data, pixels=self.about.max_pixels)
        prediction = self.classify(rgb)
        overlay = (
            None if prediction.heatmap is None else self.pictures.data_url(rgb, prediction.heatmap)
        )
        return prediction_json(prediction, overlay=overlay)

    async def _health(self, _request: Request) -> Response:
        values = camera(self.feed)
        status = HTTPStatus.OK if values["state"] == SourceState.LIVE.value else 503
        return JSONResponse(values, status)


def _wants_heatmap(request: Request) -> bool:
    return request.query_params.get("heatmap") == "1"


async def _file(request: Request) -> Response:
    name, media_type = FILES[request.scope["path"]]
    return Response(content(name), media_type=media_type)


def _message(event: str, data: str) -> str:
    return f"event: {event}\ndata: {data}\n\n"


async def _explain(_request: Request, error: Any) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _refuse(_request: Request, error: Any) -> Response:
    # What still comes of a body that was refused is not read.
    return JSONResponse({"error": str(error)}, error.status, {"Connection": "close"})
