"""Where images come from: files, folders, globs and videos."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import EdgeclfError
from .images import IMAGE_SUFFIXES, ImageError, RGBImage, is_image, read_image
from .images.folders import find_matches, scan_folder
from .videos.reading import read_video

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".webm"})


@dataclass(frozen=True)
class Frame:
    """One image of a source.

    Attributes:
        source: the file it came from.
        index: its number in a video, from 0; 0 for an image file.
        rgb: uint8 of shape (height, width, 3).
    """

    source: str
    index: int
    rgb: RGBImage


def is_video(path: Path) -> bool:
    """Tell by its name whether `path` is a video file."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def find_files(
    sources: tuple[str, ...], *, warn: Callable[[str], object] = lambda _line: None
) -> list[Path]:
    """Return the image and video files that `sources` name: files, folders (deep) and globs.

    Args:
        sources: what the user gave.
        warn: called with a line on each thing that is skipped.

    Raises:
        EdgeclfError: a source names nothing that can be classified.
    """
    return [path for source in sources for path in _find(source, warn)]


def read_frames(path: Path) -> Iterator[Frame | ImageError]:
    """Yield the frames of an image or a video; what cannot be read comes as an `ImageError`."""
    if is_video(path):
        for index, frame in enumerate(read_video(path)):
            yield frame if isinstance(frame, ImageError) else Frame(str(path), index, frame)
        return
    try:
        yield Frame(str(path), 0, read_image(path))
    except ImageError as error:
        yield error


def _find(source: str, warn: Callable[[str], object]) -> list[Path]:
    if not source:
        raise EdgeclfError("an empty name: give an image, a video, a folder or a glob")
    path = Path(source)
    if path.is_dir():
        scan = scan_folder(path, wanted=_is_readable)
        for line in scan.warnings(path):
            warn(line)
        if not scan.files:
            raise EdgeclfError(f"{source}: holds no image and no video; {_known()}")
        return list(scan.files)
    if path.exists():
        if not _is_readable(path):
            raise EdgeclfError(f"{source}: neither an image nor a video by its name; {_known()}")
        return [path]
    matches = find_matches(source)
    found = [file for file in matches if _is_readable(file)]
    if not found:
        raise EdgeclfError(f"{source}: no such file; give an image, a folder, a glob or a video")
    if len(found) < len(matches):
        warn(f"{source}: skipped {len(matches) - len(found)} files that are no image and no video")
    return found


def _is_readable(path: Path) -> bool:
    return is_image(path) or is_video(path)


def _known() -> str:
    return f"known: {' '.join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))}"
