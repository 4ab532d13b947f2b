"""Classes that viewers teach: while somebody holds one, frames of the live picture are taken."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ...errors import EdgeclfError
from ...prediction import Observed
from ...teach.class_names import checked_class
from ...teach.left_out import leave_out
from ...teach.photographs import Photograph, keep_photograph, photograph_of
from ...teach.teaching import Teaching
from ..observation import SourceState
from .feed import Feed
from .state import camera
from .uploads import RefusedError, read_body

# Frames of one hold, and how far apart they are at least, in seconds.
MOST_FRAMES = 12
_APART_S = 0.25
# How long a hold waits for a frame, in seconds.
_PATIENCE_S = 2.0
_JPEG_QUALITY = 95
_LARGEST_BODY = 10_000

_Result = TypeVar("_Result")


@dataclass(eq=False)
class _Hold:
    """A class that somebody holds."""

    number: int
    label: str
    after: int  # the number of the last picture that was looked at
    photographs: list[Photograph] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    lesson: "asyncio.Task[None] | None" = None
    error: RefusedError | None = None


class LiveTeaching:
    """Teaches what the camera sees; its methods belong to the server's event loop.

    Attributes:
        version: rises with each change of what `state` returns.
    """

    def __init__(self, feed: Feed, teaching: Teaching) -> None:
        """Teach frames of `feed`."""
        self.version = 0
        self._feed, self._teaching = feed, teaching
        self._hold: _Hold | None = None
        self._last: _Hold | None = None
        self._held = 0
        self._report: list[str] = self._found_again()
        self._changing = asyncio.Lock()

    def state(self) -> dict[str, Any]:
        """Return as a JSON object what was taught, and whether a class is held."""
        hold, taught = self._hold, self._teaching.classifier.spec.taught
        return {
            "classes": list(self._teaching.classifier.spec.labels),
            "network": len(self._teaching.classifier.spec.network_labels),
            "holding": None
            if hold is None
            else {"class": hold.label, "photographs": len(hold.photographs), "most": MOST_FRAMES},
            "lessons": 0 if taught is None else len(taught.lessons),
            "report": self._report,
            "file": str(self._teaching.out),
            "photographs": str(self._teaching.folder),
        }

    def routes(self) -> list[Route]:
        """Return what the server answers of it."""
        return [
            Route("/teach/hold", self._on_hold, methods=["POST"]),
            Route("/teach/release", self._on_release, methods=["POST"]),
            Route("/teach/undo", self._on_undo, methods=["POST"]),
            Route("/taught.tflite", self._file),
        ]

    async def _on_hold(self, request: Request) -> Response:
        """Begin to take frames for a class, until they are enough or the hold is released."""
        name = (await _body(request)).get("class")
        if not isinstance(name, str):
            raise RefusedError(400, 'no class in it; send {"class": "dust"}')
        if self._hold is not None or self._changing.locked():
            raise RefusedError(409, "somebody is teaching; wait until they are done")
        if camera(self._feed)["state"] != SourceState.LIVE.value:
            raise RefusedError(409, "the picture is not live; nothing can be taught of it")
        label = _or_refused(lambda: checked_class(name, self._teaching.classifier.spec.labels))
        self._held += 1
        hold = self._hold = _Hold(self._held, label, max(self._feed.newest[0] - 1, 0))
        hold.lesson = asyncio.create_task(self._teach(hold))
        self._tell()
        return JSONResponse({"hold": hold.number})

    async def _on_release(self, request: Request) -> Response:
        """End a hold, and answer once what it took is taught."""
        number = (await _body(request)).get("hold")
        hold = self._hold or self._last
        if hold is None or hold.number != number or hold.lesson is None:
            raise RefusedError(404, "nothing is held by that number")
        hold.released.set()
        await asyncio.shield(hold.lesson)
        if hold.error is not None:
            raise hold.error
        return JSONResponse(self.state() | {"taught": hold.label, "frames": len(hold.photographs)})

    async def _on_undo(self, _request: Request) -> Response:
        """Take back the last lesson."""
        if self._hold is not None:
            raise RefusedError(409, "somebody is teaching; wait until they are done")
        async with self._changing:
            lesson = await asyncio.to_thread(_or_refused, self._teaching.undo)
            self._report = await asyncio.to_thread(self._found_again)
        self._tell()
        count = len(lesson.photographs)
        return JSONResponse(self.state() | {"undone": lesson.label, "frames": count})

    async def _file(self, _request: Request) -> Response:
        """Answer with the file, as it was last acknowledged."""
        out = self._teaching.out
        if not await asyncio.to_thread(out.is_file):
            raise RefusedError(404, "nothing was taught yet")
        return FileResponse(out, media_type="application/octet-stream", filename=out.name)

    async def _teach(self, hold: _Hold) -> None:
        try:
            await self._take_frames(hold)
            async with self._changing:
                await asyncio.to_thread(
                    _or_refused,
                    lambda: self._teaching.teach(hold.label, hold.photographs, one_view=True),
                )
                self._report = await asyncio.to_thread(self._found_again)
        except RefusedError as error:
            hold.error = error
        finally:
            self._last, self._hold = hold, None
            self._tell()

    async def _take_frames(self, hold: _Hold) -> None:
        """Take frames until there are enough, or the hold is released; one at the least."""
        while len(hold.photographs) < MOST_FRAMES:
            is_new = await self._feed.wait_for(
                lambda: self._feed.newest[0] > hold.after, seconds=_PATIENCE_S
            )
            if not is_new and not hold.photographs:
                raise RefusedError(HTTPStatus.CONFLICT, "no frame came; nothing was taught")
            if not is_new:
                return
            hold.after, observation = self._feed.newest
            assert observation is not None
            if observation.observed is not None:
                seen = observation.frame.bgr, observation.observed
                hold.photographs.append(await asyncio.to_thread(self._keep, hold.label, *seen))
            self._tell()
            try:
                await asyncio.wait_for(hold.released.wait(), _APART_S)
            except asyncio.TimeoutError:
                continue
            return

    def _keep(self, label: str, bgr: NDArray[np.uint8], seen: Observed) -> Photograph:
        """Write a frame as a photograph, at once: who lets go shall wait for the file alone."""
        data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
        photograph = _or_refused(lambda: photograph_of(data, seen, name="frame.jpg"))
        _or_refused(lambda: keep_photograph(self._teaching.folder, label, photograph))
        return photograph

    def _found_again(self) -> list[str]:
        return [str(one) for one in leave_out(self._teaching.classifier.spec)]

    def _tell(self) -> None:
        self.version += 1
        self._feed.wake()


def _or_refused(do: Callable[[], _Result]) -> _Result:
    try:
        return do()
    except EdgeclfError as error:
        raise RefusedError(422, str(error)) from None


async def _body(request: Request) -> dict[str, Any]:
    """Return the JSON object that was sent."""
    announced = request.headers.get("content-length")
    data = await read_body(request.stream(), announced=announced, limit=_LARGEST_BODY)
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise RefusedError(400, "no JSON object; send one")
    return values
