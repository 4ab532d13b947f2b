"""A camera that is cut off every minute, for as long as you like.

`python -m edgeclf.benchmarks.lab.live_soak MODEL --minutes 30` serves Motion JPEG on loopback,
classifies it at full speed, and watches what must not grow: memory, threads, open files.
"""

import ctypes
import math
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.classifier import Classifier
from ...edge_runtime.command_line.option_types import FiniteRange
from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.live.decisions import Decider, DecisionConfig
from ...edge_runtime.live.loop import LoopConfig, run_loop, stop_on_signals
from ...edge_runtime.live.observation import Event, Observation, Sink, SourceHealth
from ...edge_runtime.live.sinks.options import SinkOptions, open_sinks
from ...edge_runtime.live.sources.address import CameraAddress
from ...edge_runtime.live.sources.grabber import Grabber
from ...edge_runtime.live.sources.http_mjpeg import HttpMjpeg
from ...edge_runtime.live.sources.jpeg import decode_jpeg
from ...edge_runtime.quiet import quiet_opencv
from ...models.metrics.statistics import Estimate
from ..measure.memory import memory_of_our_own
from ..results.estimates import slope_estimate

_WARM_UP_MINUTES = 5.0  # until allocators have filled their pools
_FLAT_MB_AN_HOUR = 1.0
_SAMPLE_S = 0.5
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
    """A sink that takes down, twice a second, what must not grow."""

    name = "soak"

    def __init__(self, minutes: float) -> None:
        self._started = time.monotonic()
        # Of their full size from the beginning: what is measured here must not grow itself.
        self._ages = np.zeros(_MOST_MS, np.int64)  # by whole milliseconds
        self._samples = np.zeros((math.ceil(minutes * 60 / _SAMPLE_S) + 1, 2))
        self._taken = 0

    @property
    def samples(self) -> NDArray[np.float64]:
        """Hours since the start and MB of memory, of shape (samples, 2)."""
        return self._samples[: self._taken]

    def ages_ms(self, *shares: float) -> list[int]:
        """Return the ages below which such shares of the classified frames lie."""
        below = np.cumsum(self._ages) / self._ages.sum()
        return [int(np.searchsorted(below, share)) for share in shares]

    def observe(self, observation: Observation) -> None:
        self._ages[min(int(observation.age_ms), _MOST_MS - 1)] += 1
        seconds = time.monotonic() - self._started
        if self._taken * _SAMPLE_S <= seconds and self._taken < len(self._samples):
            _give_back_what_is_free()
            self._samples[self._taken] = seconds / 3600, memory_of_our_own() / 2**20
            self._taken += 1

    def report_event(self, event: Event, observation: Observation) -> None:
        pass

    def report_health(self, health: SourceHealth) -> None:
        line = (
            f"{time.monotonic() - self._started:7.1f} s  {health.state.value:<12}  "
            f"{memory_of_our_own() / 2**20:7.1f} MB  {threading.active_count()} threads  "
            f"{_descriptors()} files  {self._ages.sum()} classified  "
            f"{health.counts.disconnects} disconnects"
        )
        click.echo(line)

    def close(self) -> None:
        pass


class _Timed:
    """Another sink, and the longest call of it in the camera's loop.

    Attributes:
        name: that of the other.
        longest_ms: how long the loop was in it, at most.
        at_work_ms: for how much of that the loop had a processor.
    """

    def __init__(self, sink: Sink) -> None:
        self.name = sink.name
        self.longest_ms = self.at_work_ms = 0.0
        self._sink = sink

    def observe(self, observation: Observation) -> None:
        self._time(lambda: self._sink.observe(observation))

    def report_event(self, event: Event, observation: Observation) -> None:
        self._time(lambda: self._sink.report_event(event, observation))

    def report_health(self, health: SourceHealth) -> None:
        self._time(lambda: self._sink.report_health(health))

    def close(self) -> None:
        self._sink.close()

    def _time(self, call: Callable[[], None]) -> None:
        start, start_of_work = time.perf_counter(), time.thread_time()
        call()
        ms = (time.perf_counter() - start) * 1000
        if ms > self.longest_ms:
            self.longest_ms, self.at_work_ms = ms, (time.thread_time() - start_of_work) * 1000


def _give_back_what_is_free() -> None:
    """Let glibc return the pages that it keeps for what comes next.

    It keeps none, or as much as two decoded frames, and rarely changes its mind: a single such step
    within half an hour would pass for growth.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _descriptors() -> int:
    return len(list(_DESCRIPTORS.iterdir())) if _DESCRIPTORS.is_dir() else 0


def _growth_mb_an_hour(samples: NDArray[np.float64], *, warm_up_minutes: float) -> Estimate:
    """Return by how much memory grew once the warm-up was over."""
    later = samples[samples[:, 0] * 60 >= warm_up_minutes]
    try:
        return slope_estimate(later[:, 0], later[:, 1])
    except ValueError:
        raise EdgeclfError("too short a soak for a slope; give more --minutes") from None


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--minutes",
    default=30.0,
    show_default=True,
    type=FiniteRange(min=0.1),
    help="Minutes to run.",
)
@click.option(
    "--fps",
    default=100.0,
    show_default=True,
    type=FiniteRange(min=1),
    help="Frames that the camera sends a second.",
)
@click.option(
    "--every", default=60.0, show_default=True, help="Seconds between disconnects of the camera."
)
@click.option(
    "--height",
    default=480,
    show_default=True,
    type=click.IntRange(min=32),
    help="Height of a frame in pixels.",
)
@click.option(
    "--record", type=click.Path(path_type=Path), help="AVI file to record the frames to meanwhile."
)
def soak(
    model: Path, minutes: float, fps: float, every: float, height: int, record: Path | None
) -> None:
    """Classify a camera with a .tflite MODEL that is cut off every minute, and watch memory."""
    quiet_opencv()
    classifier = Classifier(model)
    shape_hw = (height // 16 * 16, height * 4 // 3 // 16 * 16)
    camera = _Camera(fps=fps, seconds=every, shape_hw=shape_hw)
    decode_jpeg(camera.pictures[0])  # it keeps one file open, for warnings
    before = threading.active_count(), _descriptors()
    watch = _Watch(minutes)
    further = [
        _Timed(sink)
        for sink in open_sinks(SinkOptions(record=record), labels=classifier.spec.labels)
    ]
    with stop_on_signals() as stop:
        address = CameraAddress("http", "soak", "http", "127.0.0.1", camera.port, target="/")
        source = Grabber(lambda: HttpMjpeg(address), name=address.name)
        frames = run_loop(
            source,
            classifier,
            Decider(classifier.spec.labels, DecisionConfig()),
            [watch, *further],
            stop=stop,
            config=LoopConfig(duration_s=minutes * 60),
        )
    time.sleep(1)  # the camera notices at its next frame that we have gone
    after = threading.active_count(), _descriptors()
    counts = source.health().counts
    ages = watch.ages_ms(0.5, 0.99, 1 - 1e-12)
    warm_up_minutes = min(_WARM_UP_MINUTES, minutes / 2)
    growth = _growth_mb_an_hour(watch.samples, warm_up_minutes=warm_up_minutes)
    click.echo(
        f"{frames} classified of {counts.received}, {counts.disconnects} disconnects, "
        f"{counts.damaged} damaged, {counts.timeouts} timeouts; age {ages[0]} ms median, "
        f"{ages[1]} ms at 99 %, {ages[2]} ms at most; threads and files {before} before, "
        f"{after} after"
    )
    click.echo(
        f"memory {watch.samples[0, 1]:.1f} MB at the start, {watch.samples[-1, 1]:.1f} MB at the "
        f"end; after the first {warm_up_minutes:g} minutes {growth.value:+.2f} MB an "
        f"hour (95 %: {growth.interval.low:+.2f} to {growth.interval.high:+.2f})"
    )
    for sink in further:
        click.echo(
            f"{sink.name}: the camera's loop was in it for {sink.longest_ms:.1f} ms at most, "
            f"{sink.at_work_ms:.1f} ms of them at work"
        )
    if after != before:
        sys.exit("threads or open files were left over")
    if growth.interval.low > _FLAT_MB_AN_HOUR:
        sys.exit(f"memory grows by more than {_FLAT_MB_AN_HOUR:g} MB an hour")


if __name__ == "__main__":
    soak()
