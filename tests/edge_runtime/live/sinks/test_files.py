"""Sinks on their own threads: full disks, dead sinks, and files that end whole."""

import csv
import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from live_news import EPOCH, event, health, observation, wait_until
from schemas import valid, valid_rows
from skips import require_linux, skip_without

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.live.observation import Event, Observation, SourceHealth, SourceState
from edgeclf.edge_runtime.live.sinks import rotation
from edgeclf.edge_runtime.live.sinks import video as record
from edgeclf.edge_runtime.live.sinks.line_files import CsvTable, JsonLines
from edgeclf.edge_runtime.live.sinks.pictures import (
    EventPictures,
    UncertainConfig,
    UncertainFrames,
)
from edgeclf.edge_runtime.live.sinks.queued import Outlet, QueuedSink, close_sinks
from edgeclf.edge_runtime.live.sinks.rotation import LineFile
from edgeclf.edge_runtime.live.sinks.video import VideoConfig, VideoFile
from edgeclf.edge_runtime.prediction import CSV_COLUMNS, Refusal


class Gate(Outlet[str]):
    """Writes only while its gate is open, and fails with `error` if there is one."""

    name = "gate"

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.error: Exception | None = None
        self.error_at_close: Exception | None = None
        self.written: list[str] = []
        self.threads: set[str] = set()
        self.priorities: set[int] = set()
        self.closed = False

    def pick(self, observation: Observation) -> str | None:
        number = observation.frame.number
        return None if number < 0 else f"frame {number}"

    def pick_event(self, event: Event, observation: Observation) -> str:  # noqa: ARG002
        return f"event {event.frame}"

    def pick_health(self, health: SourceHealth) -> str:
        return health.state.value

    def write(self, item: str) -> None:
        self.entered.set()
        self.open.wait()
        self.threads.add(threading.current_thread().name)
        if sys.platform == "linux":
            self.priorities.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        if self.error is not None:
            raise self.error
        self.written.append(item)

    def close(self) -> None:
        self.closed = True
        if self.error_at_close is not None:
            raise self.error_at_close


@pytest.fixture
def gate() -> Any:
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def warnings() -> list[str]:
    return []


def fill(sink: QueuedSink[str], gate: Gate, count: int) -> None:
    """Hand in frames; the first is in the sink's hands, the others wait."""
    sink.observe(observation(0))
    gate.entered.wait(20)
    for number in range(1, count):
        sink.observe(observation(number))


def test_everything_is_written_in_order_on_another_thread(gate: Gate, warnings: list[str]) -> None:
    gate.open.set()
    sink = QueuedSink(gate, bound=9, warn=warnings.append)
    sink.report_health(health(SourceState.CONNECTING))
    sink.observe(observation(1))
    sink.observe(observation(-1))
    sink.report_event(event(1), observation(1))
    sink.close(20)
    assert gate.written == ["connecting", "frame 1", "event 1"]
    assert gate.threads == {"sink gate"}
    assert gate.closed
    assert warnings == []
    sink.observe(observation(2))
    assert len(gate.written) == 3


def test_a_sink_steps_back_behind_the_camera(gate: Gate, warnings: list[str]) -> None:
    require_linux()  # elsewhere a thread has no priority of its own
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    gate.open.set()
    sink = QueuedSink(gate, bound=9, warn=warnings.append)
    sink.observe(observation(1))
    sink.close(20)
    assert gate.priorities == {min(ours + 5, 19)}
    assert os.getpriority(os.PRIO_PROCESS, 0) == ours


def test_a_sink_that_hangs_stops_nobody_and_is_reported(gate: Gate, warnings: list[str]) -> None:
    now = [0.0]
    sink = QueuedSink(gate, bound=4, warn=warnings.append, clock=lambda: now[0])
    fill(sink, gate, 10)
    assert sink.dropped == 5
    assert warnings == ["gate: too slow: 1 dropped, 1 in all"]
    now[0] = 61.0
    sink.observe(observation(10))
    assert warnings[1:] == ["gate: too slow: 5 dropped, 6 in all"]
    gate.open.set()
    sink.close(20)
    assert gate.written == ["frame 0", "frame 7", "frame 8", "frame 9", "frame 10"]
    assert len(gate.written) + sink.dropped == 11


def test_events_stay_when_frames_must_go(gate: Gate, warnings: list[str]) -> None:
    sink = QueuedSink(gate, bound=3, warn=warnings.append)
    fill(sink, gate, 2)
    for number in (2, 3, 4):
        sink.report_event(event(number), observation(number))
    sink.observe(observation(5))
    gate_was_full = sink.dropped
    sink.report_event(event(6), observation(6))
    gate.open.set()
    sink.close(20)
    assert gate.written == ["frame 0", "event 3", "event 4", "event 6"]
    assert gate_was_full == 2
    assert sink.dropped == 3
    assert warnings[-1] == "gate: too slow: 2 dropped, 3 in all"


def test_closing_a_sink_that_hangs_gives_up(gate: Gate, warnings: list[str]) -> None:
    sink = QueuedSink(gate, bound=9, warn=warnings.append)
    fill(sink, gate, 4)
    sink.close(0.05)
    assert not gate.closed
    assert sink.lost == 3
    assert warnings == [
        "gate: not done within 0.05 s, and left behind",
        "gate: 3 lost, 3 in all",
    ]


def test_sinks_that_hang_are_closed_side_by_side(warnings: list[str]) -> None:
    gates = [Gate() for _ in range(8)]
    sinks = [QueuedSink(gate, bound=9, warn=warnings.append) for gate in gates]
    for sink in sinks:
        sink.observe(observation())
    closed = threading.Thread(target=close_sinks, args=(sinks,), kwargs={"within_s": 0.2})
    closed.start()
    closed.join(5)  # one after the other, they would take 8 s
    assert not closed.is_alive()
    for gate in gates:
        gate.open.set()


def test_a_failure_is_reported_once_and_so_is_its_end(gate: Gate, warnings: list[str]) -> None:
    gate.open.set()
    sink = QueuedSink(gate, bound=99, warn=warnings.append)
    gate.error = OSError(errno.ENOSPC, "No space left on device")
    for number in range(5):
        sink.observe(observation(number))
    wait_until(lambda: sink.lost == 5)
    gate.error = None
    sink.observe(observation(5))
    wait_until(lambda: len(warnings) == 2)
    gate.error = OSError(errno.EIO, "Input/output error")
    sink.observe(observation(6))
    sink.close(20)
    assert gate.written == ["frame 5"]
    assert warnings == [
        "gate: No space left on device; goes on when it can, what comes until then is lost",
        "gate: writes again; 5 lost meanwhile",
        "gate: 1 lost, 6 in all",
    ]


def feed(outlet: Outlet[Any], count: int, **options: Any) -> QueuedSink[Any]:
    warnings: list[str] = []
    sink = QueuedSink(outlet, bound=10_000, warn=warnings.append)
    for number in range(count):
        sink.observe(observation(number, **options))
    sink.close(20)
    assert warnings == []
    return sink


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [valid("device/run-live", json.loads(line)) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (UnicodeEncodeError("utf-8", "M\udcfcller", 1, 2, "no surrogates"),
         "a bug (UnicodeEncodeError in test_files.py, line "),
        (cv2.error("no codec for S3CRET"), "a bug (error in test_files.py, line "),
        (MemoryError(), "a bug (MemoryError in test_files.py, line "),
        (EdgeclfError("one line"), "one line"),
    ],
)  # fmt: skip
def test_a_sinks_thread_survives_any_exception_and_reports_it(
    gate: Gate, warnings: list[str], error: Exception, reason: str
) -> None:
    gate.open.set()
    gate.error = gate.error_at_close = error
    sink = QueuedSink(gate, bound=9, warn=warnings.append)
    sink.observe(observation(0))
    wait_until(lambda: sink.lost == 1)
    assert warnings[0].startswith(f"gate: {reason}")
    gate.error = None
    sink.observe(observation(1))
    sink.close(20)
    assert gate.written == ["frame 1"]
    assert (sink.written, sink.lost) == (1, 1)
    assert warnings[1:] == ["gate: writes again; 1 lost meanwhile", warnings[-1]]
    assert warnings[-1].startswith(f"gate: {reason}")
    assert warnings[-1].endswith("at its end")
    assert "S3CRET" not in "".join(warnings)


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "news.jsonl"
    sink = QueuedSink(JsonLines(path), bound=9, warn=print)
    sink.report_health(health(SourceState.STALE))
    sink.observe(observation(3))
    sink.report_event(event(3), observation(3))
    sink.close(20)
    state, frame, change = json_lines(path)
    assert (state["type"], state["state"], state["reason"]) == ("source", "stale", "the cable")
    assert (state["received"], state["replaced"], state["fps"]) == (7, 3, 9.5)
    assert frame == {
        "schema": 1, "type": "frame", "time": "2025-11-25T09:15:00.423Z", "source": "camera",
        "frame": 3, "label": "oil", "score": 0.9, "refused": None,
        "novelty": None, "novelty_reason": None, "frame_label": "oil", "frame_score": 0.9,
        "top": [["oil", 0.9], ["good", 0.1]], "ms": 12.0, "age_ms": 34.5,
        "steps_ms": {"preprocess": 1.0, "invoke": 12.0, "postprocess": 0.125},
    }  # fmt: skip
    assert (change["type"], change["label"], change["previous"]) == ("event", "oil", "good")
    assert change["source"] == "camera"


def test_what_was_refused_is_written(tmp_path: Path) -> None:
    refused = Refusal("oil", 0.5, 0.6)
    seen = observation(3, label="oil", score=0.5)
    seen = replace(seen, decision=replace(seen.decision, label="unknown", refused=refused))
    sinks = [
        QueuedSink(outlet, bound=9, warn=print)
        for outlet in (JsonLines(tmp_path / "news.jsonl"), CsvTable(tmp_path / "news.csv"))
    ]
    for sink in sinks:
        sink.observe(seen)
        sink.report_event(replace(event(3, label="unknown"), refused=refused), seen)
        sink.close(20)
    for row in json_lines(tmp_path / "news.jsonl"):
        assert row["label"] == "unknown"
        assert row["refused"] == {"label": "oil", "score": 0.5, "threshold": 0.6}
    [row] = valid_rows("device/run-csv", tmp_path / "news.csv")
    assert (row["label"], row["refused"], row["threshold"]) == ("unknown", "oil", 0.6)


def test_json_lines_are_rotated_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "news.jsonl"
    feed(JsonLines(path, max_bytes=2000, keep=3), 100)
    names = ["news.1.jsonl", "news.2.jsonl", "news.3.jsonl", "news.jsonl"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert all(file.stat().st_size <= 2000 for file in tmp_path.iterdir())
    newest_last = [tmp_path / name for name in (*reversed(names[:3]), names[3])]
    numbers = [row["frame"] for file in newest_last for row in json_lines(file)]
    assert numbers == list(range(100 - len(numbers), 100))


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    feed(CsvTable(path, max_bytes=900), 3, label='a "quoted", label')
    feed(CsvTable(path, max_bytes=900), 20)
    rows = []
    for file in (tmp_path / "news.2.csv", tmp_path / "news.1.csv", path):
        with file.open(newline="") as stream:
            header, *more = csv.reader(stream)
        assert tuple(header) == CSV_COLUMNS
        rows += more
    assert [row[3] for row in rows] == [*"012", *map(str, range(20))]
    assert rows[0] == [
        "1", "2025-11-25T09:15:00.123Z", "camera", "0", 'a "quoted", label', "0.9", "", "",
        'a "quoted", label', "0.9", "12.0", "34.5", "", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@x"])
def test_a_table_holds_no_formula(tmp_path: Path, label: str) -> None:
    path = tmp_path / "news.csv"
    feed(CsvTable(path, max_bytes=600), 1, label=label)
    with path.open(newline="") as stream:
        row = list(csv.reader(stream))[1]
    assert row[4] == row[8] == f"'{label}"


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


def test_a_table_of_other_columns_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text("name,age\n")
    with pytest.raises(EdgeclfError, match=r"news\.csv: has other columns; choose another file"):
        CsvTable(path)
    assert path.read_text() == "name,age\n"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeclfError, match="cannot be written"):
        JsonLines(tmp_path / "file" / "news.jsonl")


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


def test_a_picture_of_each_event(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    sink = QueuedSink(EventPictures(folder), bound=9, warn=print)
    sink.observe(observation(0))
    seen = observation(1, size_wh=(320, 240))
    sink.report_event(event(1, label="Öl / Fett"), seen)
    sink.close(20)
    [path] = folder.iterdir()
    assert path.name == "20251125T091500.223Z_Öl-Fett.jpg"
    written = read_image(path)
    assert written.shape == (240, 320, 3)
    difference = np.abs(written.astype(int) - seen.frame.bgr)
    assert difference[:180].max() < 10
    assert difference[215:].max() > 80


def test_a_picture_that_finds_no_room_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write(path, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    sink = QueuedSink(EventPictures(tmp_path), bound=9, warn=warnings.append)
    sink.report_event(event(1), observation(1))
    wait_until(lambda: sink.lost == 1)
    monkeypatch.undo()
    sink.report_event(event(2), observation(2))
    sink.close(20)
    assert [path.name for path in tmp_path.iterdir()] == ["20251125T091500.323Z_oil.jpg"]
    assert "No space left on device" in warnings[0]
    assert len(warnings) == 2


def keep(folder: Path, observations: list[Observation], **config: float) -> list[str]:
    sink = QueuedSink(UncertainFrames(folder, UncertainConfig(**config)), bound=999, warn=print)
    for each in observations:
        sink.observe(each)
    sink.close(20)
    return sorted(path.name for path in folder.glob("*.jpg"))


def test_uncertain_frames_are_kept_clean(tmp_path: Path) -> None:
    sure = observation(0, score=0.9)
    low = observation(1, score=0.55, second=0.05, at=100)
    close = observation(2, score=0.65, second=0.5, at=200)
    names = keep(tmp_path, [sure, low, close])
    assert names == ["20251125T091640.123Z.jpg", "20251125T091820.123Z.jpg"]
    written = cv2.imread(str(tmp_path / names[0]))
    assert written is not None
    assert np.abs(written.astype(int) - low.frame.bgr).max() < 10


def test_uncertain_frames_are_so_many_a_minute(tmp_path: Path) -> None:
    frames = [observation(number, score=0.4) for number in range(600)]  # a minute
    assert len(keep(tmp_path, frames, per_minute=5)) == 5


def test_the_oldest_uncertain_frames_go(tmp_path: Path) -> None:
    tmp_path.joinpath("own.jpg").write_bytes(bytes(5000))
    sorted_in = tmp_path / "oil" / "20240101T000000.000Z.jpg"
    sorted_in.parent.mkdir()
    sorted_in.write_bytes(bytes(5000))
    [first] = keep(tmp_path / "one", [observation(0, score=0.4)])
    size = (tmp_path / "one" / first).stat().st_size
    frames = [observation(number, score=0.4, at=60 * number) for number in range(9)]
    names = keep(tmp_path, frames, cap_mb=3.5 * size / 1e6)
    assert names[-1] == "own.jpg"
    assert [name[9:13] for name in names[:-1]] == ["0921", "0922", "0923"]
    assert sorted_in.exists()


def frames_of(path: Path) -> tuple[int, float, tuple[int, int]]:
    video = cv2.VideoCapture(str(path))
    count, size_wh = 0, (0, 0)
    while (read := video.read())[0]:
        count, size_wh = count + 1, read[1].shape[1::-1]
    return count, video.get(cv2.CAP_PROP_FPS), size_wh


def test_a_video_plays_as_fast_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "seen.avi"
    feed(VideoFile(path), 41)  # four seconds of 10 fps
    [only] = tmp_path.iterdir()
    assert only == path
    count, fps, size_wh = frames_of(path)
    assert count / fps == pytest.approx(4, abs=0.3)
    assert size_wh == (96, 64)


def test_a_slow_camera_is_recorded_in_real_time(tmp_path: Path) -> None:
    path = tmp_path / "seen.avi"
    sink = QueuedSink(VideoFile(path), bound=99, warn=print)
    for number in range(5):
        sink.observe(observation(number, at=number, size_wh=(1920, 1080)))
    sink.close(20)
    count, fps, size_wh = frames_of(path)
    assert count / fps == pytest.approx(4, abs=0.3)
    assert size_wh == (1280, 720)


def test_a_video_is_cut_where_the_camera_was_away_and_when_large(tmp_path: Path) -> None:
    path = tmp_path / "seen.avi"
    moments = [*range(3), *range(100, 103), *range(200, 203)]
    sink = QueuedSink(VideoFile(path, VideoConfig(keep=1)), bound=99, warn=print)
    for number, at in enumerate(moments):
        sink.observe(observation(number, at=at))
    sink.close(20)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["seen.1.avi", "seen.avi"]
    assert frames_of(path)[0] == frames_of(tmp_path / "seen.1.avi")[0] == 17
    feed(VideoFile(path, VideoConfig(keep=99, max_bytes=20_000)), 200)
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert len(sizes) > 4
    assert max(sizes) < 60_000


def test_a_video_stops_before_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    path, free = tmp_path / "seen.avi", [1 << 40]
    usage = record.shutil.disk_usage
    monkeypatch.setattr(
        record.shutil, "disk_usage", lambda folder: usage(folder)._replace(free=free[0])
    )
    sink = QueuedSink(VideoFile(path), bound=99, warn=warnings.append)
    for number in range(5):
        sink.observe(observation(number, at=number))
    wait_until(lambda: sink.written == 5)
    free[0] = 1 << 20
    sink.observe(observation(5, at=5))
    wait_until(lambda: sink.lost == 1)
    assert frames_of(path)[0] == 33
    free[0] = 1 << 40
    sink.observe(observation(6, at=6))
    sink.close(20)
    assert frames_of(path)[0] == 1
    assert "less than 32 MiB left" in warnings[0]
    assert len(warnings) == 2


def test_a_video_is_an_avi_file(tmp_path: Path) -> None:
    with pytest.raises(EdgeclfError, match=r"a video is an \.avi file; name it seen\.avi"):
        VideoFile(tmp_path / "seen.mp4")


def test_the_moments_are_those_of_the_epoch() -> None:
    assert observation(0).frame.taken_at == EPOCH
