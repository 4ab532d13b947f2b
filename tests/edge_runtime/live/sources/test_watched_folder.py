"""A folder that is watched: odd names, deep folders, large files, and what the run writes there."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest
from live_servers import number_of, picture
from skips import require_linux

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.images import RGBImage
from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.sources import watched_folder
from edgeclf.edge_runtime.live.sources.watched_folder import WatchedFolder
from edgeclf.edge_runtime.text import printable


class Watching:
    """A folder whose clock passes a quarter of a second with each look at it."""

    def __init__(self, folder: Path, *ignored: Path) -> None:
        self.now = 0.0
        self.warnings: list[str] = []
        self.folder = WatchedFolder(
            folder, warn=self.warnings.append, ignored=ignored, clock=lambda: self.now
        )

    def take(self, seconds: float = 1.0) -> list[tuple[str, int]]:
        """Return source and number of the pictures that come within so many seconds."""
        found = []
        for _ in range(round(seconds * 4)):
            while (frame := self.folder.take(0)) is not None:
                found.append((frame.source, number_of(frame.bgr)))
            self.now += 0.25
        return found


def write(path: Path, number: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ok, data = cv2.imencode(".png", picture(number))
    assert ok
    path.write_bytes(data.tobytes())
    return path


def test_what_the_run_writes_itself_is_not_watched(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "link").symlink_to(inbox)
    # Through a link, and one that is not there yet.
    watching = Watching(inbox, tmp_path / "link" / "events", inbox / "a" / "unsure")
    for name in ("events/1.png", "events/oil/2.png", "a/unsure/3.png"):
        write(inbox / name)
    photographs = [write(inbox / name, 5) for name in ("1.png", "a/2.png", "events2/3.png")]
    assert watching.take() == [(str(path), 5) for path in photographs]


@pytest.mark.parametrize("name", ["inbox", "inbox/../inbox", "link"])
def test_a_folder_cannot_be_watched_and_written_to(tmp_path: Path, name: str) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "link").symlink_to("inbox")
    with pytest.raises(EdgeclfError, match="choose another folder for them"):
        Watching(tmp_path / "inbox", tmp_path / name)


def test_a_folder_that_is_written_to_from_above_is_watched(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    watching = Watching(tmp_path / "inbox", tmp_path, tmp_path / "seen.jsonl")
    path = write(tmp_path / "inbox" / "a.png", 7)
    assert watching.take() == [(str(path), 7)]


@pytest.fixture
def dig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Stand in a folder so deep; what the system cannot name is taken away a level at a time."""
    monkeypatch.chdir(tmp_path)

    def down(levels: int) -> None:
        for _ in range(levels):
            Path("d").mkdir(exist_ok=True)
            os.chdir("d")

    yield down
    os.chdir(tmp_path)
    levels = 0
    while Path("d").is_dir():
        os.chdir("d")
        levels += 1
    for _ in range(levels):
        for path in Path().glob("*.png"):
            path.unlink()
        os.chdir("..")
        Path("d").rmdir()


def test_folders_that_are_deeper_than_pythons_stack(
    tmp_path: Path, dig: Callable[[int], None]
) -> None:
    watching = Watching(Path())
    dig(1200)
    write(Path("a.png"), 3)
    dig(1000)  # deeper than the system can name
    write(Path("b.png"), 4)
    os.chdir(tmp_path)
    assert watching.take() == [("./" + "d/" * 1200 + "a.png", 3)]
    assert watching.folder.health().state is SourceState.LIVE
    [warning] = watching.warnings  # once, however often it is looked at
    assert warning.endswith("d: left out (File name too long)")


def test_odd_names_are_escaped(tmp_path: Path) -> None:
    require_linux()
    watching = Watching(tmp_path)
    names = [b"two\nlines.png", b"M\xfcller.png", b"\x1b[31mred.png", "ü\u2028.png".encode()]
    for number, name in enumerate(names):
        write(tmp_path / os.fsdecode(name), number)
    (tmp_path / "damaged\r.png").write_bytes(b"no image")
    found = dict(watching.take(10))
    assert found == {
        f"{tmp_path}/two\\nlines.png": 0,
        f"{tmp_path}/M\\udcfcller.png": 1,
        f"{tmp_path}/\\x1b[31mred.png": 2,
        f"{tmp_path}/ü\\u2028.png": 3,
    }
    [warning] = watching.warnings
    assert warning.startswith(f"{tmp_path}/damaged\\r.png: ")
    for text in (*found, warning):
        assert text.encode().decode().isprintable()
    assert printable("plain ü") == "plain ü"


def test_a_file_that_is_too_large_is_skipped_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = Watching(tmp_path)
    with (tmp_path / "huge.tif").open("wb") as file:
        file.truncate(10**12)  # 1 TB, of which none is on the disk
    path = write(tmp_path / "photo.png", 9)
    assert watching.take(10) == [(str(path), 9)]
    [warning] = watching.warnings
    assert warning == f"{tmp_path}/huge.tif: 1000000000000 bytes; 268435456 are the most here"
    assert watching.folder.health().counts.damaged == 1

    def exhaust(_path: Path) -> RGBImage:
        raise MemoryError

    monkeypatch.setattr(watched_folder, "read_image", exhaust)
    write(tmp_path / "large.png")
    assert watching.take(10) == []
    assert watching.warnings[1:] == [f"{tmp_path}/large.png: does not fit into the memory"]


def test_many_damaged_files_hold_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watching = Watching(tmp_path)
    for number in range(50):
        (tmp_path / f"{number}.png").write_bytes(b"no image")
    read: list[Path] = []
    inner: Callable[[Path], RGBImage] = watched_folder.read_image

    def slow(path: Path) -> RGBImage:
        read.append(path)
        watching.now += 0.1
        return inner(path)

    monkeypatch.setattr(watched_folder, "read_image", slow)
    for _ in range(3):
        assert watching.folder.take(0) is None
        watching.now += 0.25
    assert watching.folder.take(0.35) is None
    assert 1 <= len(read) <= 6
