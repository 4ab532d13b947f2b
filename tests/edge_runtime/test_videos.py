"""A video that was trimmed by its edit list is whole; one that is cut short is not."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.edge_runtime.images import ImageError
from edgeclf.edge_runtime.videos.edit_list import played_seconds
from edgeclf.edge_runtime.videos.reading import read_video


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def index(edits: bytes, *, version: int = 0, handler: bytes = b"vide") -> bytes:
    """A box `moov` of a movie with 1000 ticks a second and one track."""
    scale = bytes([version, 0, 0, 0]) + bytes(16 if version else 8) + struct.pack(">II", 1000, 9)
    track = box(b"edts", box(b"elst", edits)) if edits else b""
    track += box(b"mdia", box(b"hdlr", bytes(8) + handler + bytes(12)))
    return box(b"moov", box(b"mvhd", scale) + box(b"trak", track))


@pytest.mark.parametrize(
    ("moov", "expected"),
    [
        (index(struct.pack(">IIIiI", 0, 1, 2500, 40, 1 << 16)), 2.5),
        (index(struct.pack(">II IiI IiI", 0, 2, 900, -1, 1 << 16, 2500, 0, 1 << 16)), 2.5),
        (index(struct.pack(">II IiI IiI", 0, 2, 500, 0, 1 << 16, 2500, 9, 1 << 16)), 3.0),
        (index(struct.pack(">II QqI", 1 << 24, 1, 2500, 40, 1 << 16), version=1), 2.5),
        (index(struct.pack(">IIIiI", 0, 1, 2500, 40, 1 << 16), handler=b"soun"), None),
        (index(b""), None),
        (index(struct.pack(">II", 0, 1 << 30)), None),
        (b"", None),
    ],
    ids=["one", "empty first", "two", "64 bits", "of the sound", "none", "cut", "no index"],
)
def test_edit_lists(tmp_path: Path, moov: bytes, expected: float | None) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(box(b"ftyp", b"isom") + box(b"mdat", bytes(99)) + moov)
    assert played_seconds(path) == expected


def write_video(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), number, np.uint8))
    writer.release()
    return path


def with_edit(data: bytes, milliseconds: int) -> bytes:
    """Have the edit list that FFmpeg writes play less, in the movie's thousand ticks a second."""
    at = data.index(b"elst") + 12
    return data[:at] + struct.pack(">I", milliseconds) + data[at + 4 :]


def test_a_trimmed_video_is_whole(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", 60)
    path.write_bytes(with_edit(path.read_bytes(), 1000))
    frames = list(read_video(path))
    assert not any(isinstance(frame, ImageError) for frame in frames)
    assert 29 <= len(frames) <= 31


def test_a_relative_name_may_hold_a_colon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "x.mp4", 3).rename(tmp_path / "2026-01-01T12:30:00.mp4")
    frames = list(read_video(Path("2026-01-01T12:30:00.mp4")))
    assert [isinstance(frame, ImageError) for frame in frames] == [False] * 3
