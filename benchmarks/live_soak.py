"""A camera that is cut off every minute, for as long as you like.

`python -m edgeclf.benchmarks.live_soak MODEL --minutes 30` serves Motion JPEG on loopback,
classifies it at full speed, and watches what must not grow: memory, threads, open files.
"""

import socket
import sys
import threading
import time
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.classifier import Classifier
from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.live.decisions import Decider, DecisionConfig
from ..edge_runtime.live.grabber import Grabber
from ..edge_runtime.live.http_mjpeg import HttpMjpeg
from ..edge_runtime.live.jpeg import decode_jpeg
from ..edge_runtime.live.loop import LoopConfig, run_loop, stop_on_signals
from ..edge_runtime.live.observation import Event, Observation, SourceHealth
from ..edge_runtime.live.shared_classifier import SharedClassifier
from ..edge_runtime.quiet import quiet_opencv
from .memory import memory_of_process

_WARM_UP_SHARE = 0.1
_MOST_MS = 10_000
_HEADER = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=soak\r\n\r\n"
_DESCRIPTORS = Path("/proc/self/fd")


class _Camera:
    """Sends pictures to whoever connects, and hangs up after so many seconds."""

    def __init__(self, *, fps: float, seconds: float, shape_hw: tuple[int, int]) -> None:
        self._period_s = 1 / fps
        self._seconds = seconds
        rng = np.random.default_rng(0)
        coarse = rng.integers(0, 256, (shape_hw[0] // 16, shape_hw[1] // 16, 3), dtype=np.uint8)
        bgr = cv2.resize(coarse, shape_hw[::-1], interpolation=cv2.INTER_CUBIC)
        self.pictures = [_jpeg(np.roll(bgr, 8 * step, axis=1)) for step in range(32)]
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, name="soak camera", daemon=True).start()

    def _serve(self) -> None:
        while True:
            connected, _ = self._listening.accept()
            with connected:
                try:
                    self._send_to(connected)
                except OSError:
                    continue  # the client has gone

    def _send_to(self, connected: socket.socket) -> None:
        connected.recv(65536)
        connected.sendall(_HEADER)
        start = due = time.monotonic()
        for number in range(10**9):
            if time.monotonic() - start > self._seconds:
                return
            jpeg = self.pictures[number % len(self.pictures)]
            head = b"--soak\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
            connected.sendall(head + jpeg + b"\r\n")
            due += self._period_s
            time.sleep(max(0.0, due - time.monotonic()))


def _jpeg(bgr: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", bgr)[1].tobytes()


class _Watch:
    """A sink that takes down, every few seconds, what must not grow."""

    name = "soak"

    def __init__(self) -> None:
        self.rows: list[tuple[float, float, int, int]] = []
        self.ages = np.zeros(_MOST_MS, np.int64)  # by whole milliseconds: a list would grow
        self._started = time.monotonic()

    def observe(self, observation: Observation) -> None:
        self.ages[min(int(observation.age_ms), _MOST_MS - 1)] += 1

    def report_event(self, event: Event, observation: Observation) -> None:
        pass

    def report_health(self, health: SourceHealth) -> None:
        seconds = time.monotonic() - self._started
        resident = memory_of_process()[1] / 2**20
        self.rows.append((seconds, resident, threading.active_count(), _descriptors()))
        counts = health.counts
        line = (
            f"{seconds:7.1f} s  {health.state.value:<12}  {resident:7.1f} MB  "
            f"{threading.active_count()} threads  {_descriptors()} files  "
            f"{self.ages.sum()} classified  {counts.disconnects} disconnects"
        )
        click.echo(line)

    def close(self) -> None:
        pass


def _descriptors() -> int:
    return len(list(_DESCRIPTORS.iterdir())) if _DESCRIPTORS.is_dir() else 0


def _slope_mb_an_hour(rows: list[tuple[float, float, int, int]]) -> float:
    """Return by how much memory grew, by least squares, without the warm-up."""
    later = [row for row in rows if row[0] >= rows[-1][0] * _WARM_UP_SHARE]
    if len(later) < 3:
        raise EdgeclfError("too short a soak for a slope; give more --minutes")
    return float(np.polyfit([row[0] / 3600 for row in later], [row[1] for row in later], 1)[0])


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--minutes", default=30.0, show_default=True, type=click.FloatRange(min=0.1))
@click.option("--fps", default=100.0, show_default=True, type=click.FloatRange(min=1))
@click.option("--every", default=60.0, show_default=True, help="Seconds between disconnects.")
@click.option("--height", default=480, show_default=True, type=click.IntRange(min=32))
def soak(model: Path, minutes: float, fps: float, every: float, height: int) -> None:
    """Classify a camera with a .tflite MODEL that is cut off every minute, and watch memory."""
    quiet_opencv()
    classifier = SharedClassifier(Classifier(model))
    shape_hw = (height // 16 * 16, height * 4 // 3 // 16 * 16)
    camera = _Camera(fps=fps, seconds=every, shape_hw=shape_hw)
    decode_jpeg(camera.pictures[0])  # it keeps one file open, for warnings
    before = threading.active_count(), _descriptors()
    watch = _Watch()
    with stop_on_signals() as stop:
        source = Grabber(lambda: HttpMjpeg(f"http://127.0.0.1:{camera.port}/"), name="soak")
        frames = run_loop(
            source,
            classifier,
            Decider(classifier.spec.labels, DecisionConfig()),
            [watch],
            stop=stop,
            config=LoopConfig(duration_s=minutes * 60),
        )
    time.sleep(1)  # the camera notices at its next frame that we have gone
    after = threading.active_count(), _descriptors()
    counts = source.health().counts
    shares = np.cumsum(watch.ages) / watch.ages.sum()
    ages = [int(np.searchsorted(shares, share)) for share in (0.5, 0.99, 1 - 1e-12)]
    click.echo(
        f"{frames} classified of {counts.received}, {counts.disconnects} disconnects, "
        f"{counts.damaged} damaged, {counts.timeouts} timeouts; age {ages[0]} ms median, "
        f"{ages[1]} ms at 99 %, {ages[2]} ms at most; memory {watch.rows[0][1]:.1f} MB at the "
        f"start, {watch.rows[-1][1]:.1f} MB at the end, {_slope_mb_an_hour(watch.rows):+.2f} MB an "
        f"hour; threads and files {before} before, {after} after"
    )
    if after != before:
        sys.exit("threads or open files were left over")


if __name__ == "__main__":
    soak()
