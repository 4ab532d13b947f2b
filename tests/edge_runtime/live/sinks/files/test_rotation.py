"""Files of lines on disks that are full, and after a power cut."""

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from live_news import observation, wait_until
from sink_files import json_lines
from skips import skip_without

from edgeclf.edge_runtime.live.sinks.files import rotation
from edgeclf.edge_runtime.live.sinks.files.line_files import JsonLines
from edgeclf.edge_runtime.live.sinks.files.rotation import LineFile
from edgeclf.edge_runtime.live.sinks.queued import QueuedSink


def test_lines_are_on_the_disk_once_a_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(
        rotation.os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size)
    )
    lines = LineFile(tmp_path / "news.jsonl", max_bytes=20, keep=9)
    for _ in range(3):
        lines.append(b"ten bytes\n")
    assert synced == [20]  # the file that was full
    lines.close()
    assert synced == [20, 10]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Leave so many bytes on the disk: a write that has no room for all writes a part, as Linux."""
    left, write = [1 << 40], os.write

    def limited(handle: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(handle, bytes(data)[: left[0]])
        left[0] -= written
        return written

    monkeypatch.setattr(rotation.os, "write", limited)
    return lambda count: left.__setitem__(0, count)


def test_a_full_disk_leaves_no_half_line(
    tmp_path: Path, disk: Callable[[int], None], warnings: list[str]
) -> None:
    path = tmp_path / "news.jsonl"
    sink = QueuedSink(JsonLines(path), bound=99, warn=warnings.append)
    disk(500)
    for number in range(6):
        sink.observe(observation(number))
    wait_until(lambda: sink.written + sink.lost == 6)
    disk(1 << 40)
    sink.observe(observation(6))
    sink.close(20)
    numbers = [row["frame"] for row in json_lines(path)]
    assert numbers == [*range(len(numbers) - 1), 6]
    assert len(numbers) + sink.lost == 7
    assert sink.lost
    assert warnings == [
        f"{path}: No space left on device; goes on when it can, what comes until then is lost",
        f"{path}: writes again; {sink.lost} lost meanwhile",
    ]


def test_a_half_line_that_cannot_be_cut_is_ended(
    tmp_path: Path, disk: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(rotation.os, "ftruncate", refuse)
    file = LineFile(tmp_path / "x.txt", max_bytes=1000, keep=1)
    file.append(b"first\n")
    disk(3)
    with pytest.raises(OSError, match="No space left"):
        file.append(b"second\n")
    disk(1 << 40)
    file.append(b"third\n")
    file.close()
    assert (tmp_path / "x.txt").read_bytes() == b"first\nsec\nthird\n"


def test_what_a_power_cut_has_left_does_not_spoil_the_next_line(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"whole\nhal")
    file = LineFile(path, max_bytes=1000, keep=1)
    file.append(b"next\n")
    file.close()
    assert path.read_bytes() == b"whole\nhal\nnext\n"


@pytest.mark.parametrize("away", ["deleted", "moved"])
def test_a_file_that_is_taken_away_is_begun_anew(tmp_path: Path, away: str) -> None:
    path = tmp_path / "x.csv"
    file = LineFile(path, max_bytes=1000, keep=1, header=b"h\n")
    file.append(b"1\n")
    if away == "deleted":
        path.unlink()
    else:
        path.rename(tmp_path / "y.csv")
    file.append(b"2\n")
    file.close()
    assert path.read_bytes() == b"h\n2\n"


def test_a_real_disk_that_is_full(tmp_path: Path) -> None:
    """The kernel's own ENOSPC, on a file system of 64 kB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        skip_without("mount")
    try:
        warnings: list[str] = []
        path, filler = tmp_path / "news.jsonl", tmp_path / "filler"
        filler.write_bytes(bytes(50_000))
        sink = QueuedSink(JsonLines(path), bound=9999, warn=warnings.append)
        for number in range(200):
            sink.observe(observation(number))
        wait_until(lambda: sink.written + sink.lost == 200)
        filler.unlink()
        sink.observe(observation(200))
        sink.close(20)
        numbers = [row["frame"] for row in json_lines(path)]
        assert numbers == [*range(len(numbers) - 1), 200]
        assert len(numbers) + sink.lost == 201
        assert sink.lost
        assert len(warnings) == 2
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_pipe_gets_the_lines_and_no_older_files(tmp_path: Path) -> None:
    path, received = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = LineFile(path, max_bytes=10, keep=3, header=b"h\n")
    for number in range(9):
        file.append(b"line %d\n" % number)
        received.append(os.read(reader, 1000))
    file.close()
    os.close(reader)
    assert received == [b"h\nline 0\n", *(b"line %d\n" % number for number in range(1, 9))]
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]


def test_what_a_link_leads_to_is_rotated_and_the_link_stays(tmp_path: Path) -> None:
    link, target = tmp_path / "stdout", tmp_path / "disk" / "x.jsonl"
    target.parent.mkdir()
    link.symlink_to(target)
    file = LineFile(link, max_bytes=5, keep=1)
    file.append(b"one\n")
    file.append(b"two\n")
    file.close()
    assert link.is_symlink()
    assert (target.read_bytes(), target.with_name("x.1.jsonl").read_bytes()) == (b"two\n", b"one\n")
