"""The video of a live run."""

from pathlib import Path

import cv2
import pytest
from live_news import observation, wait_until
from sink_files import feed

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.sinks.files import video as record
from edgeclf.edge_runtime.live.sinks.files.video import VideoConfig, VideoFile
from edgeclf.edge_runtime.live.sinks.queued import QueuedSink


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
