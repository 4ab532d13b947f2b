"""The cameras: there, allowed, and giving pictures."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ..cameras import find_camera
from ..errors import EdgeclfError
from ..live.sources.address import CameraAddress
from ..live.sources.cameras import capture_maker
from ..live.sources.capture import Capture
from ..live.sources.grabber import Grabber
from ..machine import ROOT, read_text
from .check import Check, ok, skipped

_DEADLINE_SECONDS = 10.0
# What a Raspberry Pi also calls video devices: its codecs and image processors.
_NO_CAMERAS = ("bcm2835-codec", "bcm2835-isp", "pispbe", "rpi-hevc", "rpivid")


def camera_checks(source: str | None, *, root: Path = ROOT) -> Iterator[Check]:
    """Yield how the cameras are.

    Args:
        source: the camera that has to work; None for whichever there are.
        root: where /dev and /sys are.
    """
    try:
        camera = None if source is None else (find_camera(source) or Path(source))
    except EdgeclfError as error:
        yield _devices(root, needed=False)
        yield _unusable(error)
        return
    yield _devices(root, needed=isinstance(camera, CameraAddress) and camera.kind == "v4l2")
    if camera is not None:
        yield _frame(camera)


def _unusable(error: EdgeclfError) -> Check:
    return Check("camera", "failed", str(error), "see `edgeclf run --help` for the sources")


def _devices(root: Path, *, needed: bool) -> Check:
    names = {
        path: read_text(root / "sys/class/video4linux" / path.name / "name") or "unnamed"
        for path in sorted((root / "dev").glob("video[0-9]*"), key=_number)
    }
    cameras = {path: name for path, name in names.items() if not name.startswith(_NO_CAMERAS)}
    if not cameras:
        if needed:
            mend = "plug it in; `lsusb` or `rpicam-hello --list-cameras` tell whether it is there"
            return Check("cameras", "failed", "no /dev/video* of a camera", mend)
        return skipped("cameras", "no /dev/video* of a camera")
    text = ", ".join(f"{path.name} ({name})" for path, name in cameras.items())
    locked = [path.name for path in cameras if not os.access(path, os.R_OK | os.W_OK)]
    if locked:
        mend = "sudo usermod -aG video $USER, then log in again"
        detail = f"{text}; not allowed to open {', '.join(locked)}{_group()}"
        return Check("cameras", "failed" if needed else "warning", detail, mend)
    return ok("cameras", text)


def _group() -> str:
    import grp

    try:
        video = grp.getgrnam("video").gr_gid
    except KeyError:
        return ""
    return "" if video in {*os.getgroups(), os.getegid()} else ": not in the group video"


def _number(path: Path) -> int:
    digits = path.name.removeprefix("video")
    return int(digits) if digits.isdecimal() else -1


def _frame(camera: CameraAddress | Path) -> Check:
    try:
        source = camera.resolved() if isinstance(camera, CameraAddress) else camera
        name = source.name if isinstance(source, CameraAddress) else str(source)
        connect = capture_maker(source)
    except EdgeclfError as error:
        return _unusable(error)
    shape, reason = first_frame(connect, name=name, seconds=_DEADLINE_SECONDS)
    if shape is None:
        text = f"{name} gives no picture within {_DEADLINE_SECONDS:.0f} s"
        return Check(
            "camera",
            "failed",
            f"{text}: {reason}" if reason else text,
            "check cable, address and password, and that no other program uses the camera",
        )
    return ok("camera", f"{name} gives pictures of {shape[1]}×{shape[0]}")


def first_frame(
    connect: Callable[[], Capture], *, name: str, seconds: float
) -> tuple[tuple[int, int] | None, str]:
    """Return height and width of a picture of the camera, or None and why there is none in time."""
    grabber = Grabber(connect, name=name)
    try:
        frame = grabber.take(seconds)
        return (None, grabber.health().reason) if frame is None else (frame.bgr.shape[:2], "")
    finally:
        grabber.close()
