"""Pictures of events, and of frames that the model is unsure of."""

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest
from live_news import event, observation, wait_until

from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.live.observation import Observation
from edgeclf.edge_runtime.live.sinks.files.pictures import (
    EventPictures,
    UncertainConfig,
    UncertainFrames,
)
from edgeclf.edge_runtime.live.sinks.queued import QueuedSink


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
