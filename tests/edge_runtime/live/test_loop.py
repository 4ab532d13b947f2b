"""The loop from frames to sinks, on sources and sinks that the test plays."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_servers import picture
from numpy.typing import NDArray

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.live.decisions import Decider, DecisionConfig
from edgeclf.edge_runtime.live.loop import LoopConfig, run_loop, stop_on_signals
from edgeclf.edge_runtime.live.observation import (
    Decision,
    Event,
    LiveFrame,
    Observation,
    SourceCounts,
    SourceHealth,
    SourceState,
)
from edgeclf.edge_runtime.novelty.model import Novelty
from edgeclf.edge_runtime.preprocess import RESIZE_RULES, ResizeRule, preprocess

LABELS = ("good", "oil")


@pytest.fixture(scope="module")
def model(tiny_models: Path) -> Path:
    return tiny_models / "int8.tflite"


@pytest.fixture
def shared_classifier(model: Path) -> Classifier:
    return Classifier(model, threads=1)


class Source:
    """Gives so many frames, then ends; tells of the health as it is told."""

    def __init__(self, frames: int) -> None:
        self.left = frames
        self.given = 0
        self.closed = False
        self.state = SourceHealth("camera", SourceState.LIVE, 0, "", 25, SourceCounts())

    @property
    def ended(self) -> bool:
        return self.left == 0

    def take(self, timeout_s: float) -> LiveFrame | None:
        assert 0 < timeout_s < 1
        self.left -= 1
        self.given += 1
        frame = LiveFrame(self.given - 1, picture(self.given), time.monotonic(), time.time())
        return replace(frame, decode_ms=1.5)

    def health(self) -> SourceHealth:
        return self.state

    def close(self) -> None:
        self.closed = True


class Log:
    """A sink that keeps what it is told."""

    name = "log"

    def __init__(self) -> None:
        self.seen: list[Observation] = []
        self.events: list[tuple[Event, Observation]] = []
        self.health: list[SourceHealth] = []
        self.closed = 0

    def observe(self, observation: Observation) -> None:
        self.seen.append(observation)

    def report_event(self, event: Event, observation: Observation) -> None:
        self.events.append((event, observation))

    def report_health(self, health: SourceHealth) -> None:
        self.health.append(health)

    def close(self) -> None:
        self.closed += 1


class Stop(Log):
    """Sets `later` a moment after it has seen a frame."""

    def __init__(self) -> None:
        super().__init__()
        self.later = threading.Event()

    def observe(self, observation: Observation) -> None:
        if not self.seen:
            threading.Timer(0.2, self.later.set).start()
        super().observe(observation)


def run(
    classifier: Classifier,
    source: Source,
    *sinks: Log,
    config: LoopConfig | None = None,
    stop: threading.Event | None = None,
) -> int:
    return run_loop(
        source,
        classifier,
        Decider(classifier.spec.labels, DecisionConfig()),
        sinks,
        stop=stop or threading.Event(),
        config=config or LoopConfig(),
    )


# One classifier, blue first.


@pytest.mark.parametrize("rule", RESIZE_RULES)
@pytest.mark.parametrize("size_hw", [(24, 24), (20, 30)])
@pytest.mark.parametrize("shape_hw", [(24, 24), (108, 192), (33, 20), (10, 90), (480, 641)])
def test_preprocessing_treats_each_channel_on_its_own(
    rule: ResizeRule, size_hw: tuple[int, int], shape_hw: tuple[int, int]
) -> None:
    bgr = np.random.default_rng(0).integers(0, 256, (*shape_hw, 3), dtype=np.uint8)
    rgb = np.ascontiguousarray(bgr[..., ::-1])
    np.testing.assert_array_equal(
        preprocess(bgr, size_hw=size_hw, rule=rule)[..., ::-1],
        preprocess(rgb, size_hw=size_hw, rule=rule),
    )


def test_a_frame_is_seen_as_the_same_photograph_is(
    model: Path, shared_classifier: Classifier
) -> None:
    bgr = picture(77, 480, 640)
    bgr[:, :, 0] = 0  # red and blue are not alike
    before = bgr.copy()
    result = shared_classifier.classify_frame(bgr, top=4)
    rgb = np.ascontiguousarray(bgr[..., ::-1])
    prediction = Classifier(model, threads=1).classify(rgb, top=4)
    assert result.prediction.top == prediction.top
    assert result.prediction.label == prediction.label
    assert shared_classifier.classify(rgb, top=4).top == prediction.top
    np.testing.assert_array_equal(bgr, before)
    assert result.scores.shape == (4,)
    assert float(result.scores.max()) == prediction.score
    assert set(result.steps_ms) == {"preprocess", "invoke", "postprocess"}
    assert all(ms > 0 for ms in result.steps_ms.values())
    assert result.prediction.ms == pytest.approx(
        result.steps_ms["preprocess"] + result.steps_ms["invoke"]
    )


def test_several_threads_get_what_one_gets(shared_classifier: Classifier) -> None:
    pictures = [picture(number) for number in range(8)]
    alone = [shared_classifier.classify_frame(bgr).scores for bgr in pictures]
    together: dict[tuple[int, int], NDArray[np.float32]] = {}

    def work(worker: int) -> None:
        for _ in range(20):
            for number, bgr in enumerate(pictures):
                scores = shared_classifier.classify_frame(bgr).scores
                if not np.array_equal(scores, alone[number]):
                    together[worker, number] = scores

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == {}


# The loop.


def test_each_frame_is_classified_and_given_to_each_sink(
    shared_classifier: Classifier,
) -> None:
    source, first, second = Source(5), Log(), Log()
    assert run(shared_classifier, source, first, second, config=LoopConfig(top=2)) == 5
    for log in (first, second):
        assert [seen.frame.number for seen in log.seen] == [0, 1, 2, 3, 4]
        assert log.closed == 1
    assert source.closed
    for seen in first.seen:
        result = shared_classifier.classify_frame(seen.frame.bgr, top=2)
        assert seen.prediction == replace(result.prediction, ms=seen.prediction.ms)
        assert seen.decision.scores == tuple(map(float, result.scores))
        assert list(seen.steps_ms) == ["decode", "preprocess", "invoke", "postprocess"]
        assert seen.steps_ms["decode"] == 1.5
        worked = seen.steps_ms["preprocess"] + seen.steps_ms["invoke"]
        assert worked <= seen.age_ms <= (time.monotonic() - seen.frame.arrived) * 1000


def test_a_change_of_the_label_goes_to_the_sinks(shared_classifier: Classifier) -> None:
    class Third:
        """Confirms a change at the third frame."""

        def decide(
            self,
            scores: NDArray[np.float32],
            *,
            at: float,
            taken_at: float,
            frame: int,
            novelty: Novelty | None = None,
        ) -> tuple[Decision, Event | None]:
            assert novelty is not None
            assert abs((time.time() - taken_at) - (time.monotonic() - at)) < 5
            event = Event("oil", "good", 0.5, taken_at, frame) if frame == 2 else None
            return Decision("oil", 0.5, tuple(map(float, scores))), event

    log = Log()
    stop = threading.Event()
    run_loop(Source(5), shared_classifier, Third(), [log], stop=stop, config=LoopConfig())
    [(event, observation)] = log.events
    assert observation is log.seen[2]
    assert event == Event("oil", "good", 0.5, log.seen[2].frame.taken_at, 2)


def test_the_health_is_reported_when_it_changes_and_at_the_end(
    shared_classifier: Classifier,
) -> None:
    class Ill(Source):
        def take(self, timeout_s: float) -> LiveFrame | None:
            frame = super().take(timeout_s)
            if self.given == 3:
                self.state = replace(self.state, state=SourceState.STALE, reason="no frame comes")
                return None
            return frame

        def close(self) -> None:
            self.state = replace(self.state, state=SourceState.DEAD, reason="closed")

    log = Log()
    assert run(shared_classifier, Ill(6), log) == 5
    shown = [(health.state.value, health.reason) for health in log.health]
    assert shown == [("live", ""), ("stale", "no frame comes")]


def test_it_ends_after_so_many_frames(shared_classifier: Classifier) -> None:
    source = Source(100)
    assert run(shared_classifier, source, config=LoopConfig(max_frames=3)) == 3
    assert source.given == 3
    assert source.closed


def test_it_ends_after_its_time(shared_classifier: Classifier) -> None:
    source = Source(10**9)
    start = time.monotonic()
    assert run(shared_classifier, source, config=LoopConfig(duration_s=0.3)) > 0
    assert time.monotonic() - start >= 0.3


def test_it_classifies_no_more_a_second_than_asked(shared_classifier: Classifier) -> None:
    config = LoopConfig(duration_s=1.0, max_fps=5)
    assert 1 <= run(shared_classifier, Source(10**9), config=config) <= 6


def test_a_slow_pace_does_not_hold_up_the_end(shared_classifier: Classifier) -> None:
    stop = Stop()
    config = LoopConfig(max_fps=0.001)
    assert run(shared_classifier, Source(10**9), stop, config=config, stop=stop.later) == 1


def test_a_stop_ends_it(shared_classifier: Classifier) -> None:
    stop = Stop()
    source, log = Source(10**9), Log()
    frames = run(shared_classifier, source, log, stop, stop=stop.later)
    assert len(log.seen) == frames > 0
    assert source.closed
    assert log.closed == 1


def test_everything_is_closed_even_if_a_sink_fails(shared_classifier: Classifier) -> None:
    class Broken(Log):
        def observe(self, observation: Observation) -> None:
            raise OSError(f"frame {observation.frame.number} on fire")

        def close(self) -> None:
            super().close()
            raise OSError("still on fire")

    source, broken, log = Source(5), Broken(), Log()
    with pytest.raises(OSError, match="still on fire"):
        run(shared_classifier, source, broken, log)
    assert source.closed
    assert (broken.closed, log.closed) == (1, 1)


# Signals.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_in_order_and_the_second_one_as_usual(number: signal.Signals) -> None:
    caught = []
    before = signal.signal(number, lambda *_: caught.append("usual"))
    try:
        with stop_on_signals() as stop:
            assert not stop.is_set()
            os.kill(os.getpid(), number)
            assert stop.wait(30)
            assert caught == []
            os.kill(os.getpid(), number)
            assert caught == ["usual"]
        os.kill(os.getpid(), number)
        assert caught == ["usual"] * 2
    finally:
        signal.signal(number, before)
