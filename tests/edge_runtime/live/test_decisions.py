"""A label that is steady, at any frame rate, and that forgets what a dead camera showed."""

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.decisions import Decider, DecisionConfig
from edgeclf.edge_runtime.live.observation import Decision, Event

LABELS = ("good", "oil", "scratch")
EPOCH = 1.7e9
SEEDS = range(20)


def scores_of(**values: float) -> np.ndarray:
    return np.array([values.get(label, 0.0) for label in LABELS], np.float32)


GOOD, OIL, SCRATCH = (scores_of(**{label: 0.9}) for label in LABELS)


def feed(
    decider: Decider, frames: Iterable[np.ndarray], *, fps: float = 10, start: float = 100.0
) -> tuple[list[Decision], list[Event]]:
    decisions, events = [], []
    for number, scores in enumerate(frames):
        at = start + number / fps
        decision, event = decider.decide(scores, at=at, taken_at=EPOCH + at, frame=number)
        decisions.append(decision)
        events += [event] if event else []
    return decisions, events


def random_walk(seed: int, count: int = 400) -> list[np.ndarray]:
    """Noisy softmax scores of a scene that changes now and then."""
    random = np.random.default_rng(seed)
    scene = random.integers(0, 3, 1 + count // 25).repeat(25)[:count]
    logits = random.normal(0, 1.0, (count, 3))
    logits[np.arange(count), scene] += 1.5
    exponentials = np.exp(logits)
    return list((exponentials / exponentials.sum(1, keepdims=True)).astype(np.float32))


def test_without_smoothing_a_frame_is_what_the_model_says() -> None:
    decisions, events = feed(Decider(LABELS, DecisionConfig()), [GOOD, OIL, OIL])
    assert [decision.label for decision in decisions] == ["good", "oil", "oil"]
    assert decisions[1].scores == tuple(OIL.astype(float))
    assert decisions[1].score == OIL[1]
    first, second = events
    assert (first.label, first.previous, first.frame) == ("good", None, 0)
    assert (second.label, second.previous, second.frame) == ("oil", "good", 1)
    assert second.began_at == pytest.approx(EPOCH + 100.1)


@pytest.mark.parametrize("fps", [2, 5, 10, 25])
def test_an_average_is_the_same_at_every_frame_rate(fps: int) -> None:
    config = DecisionConfig(smooth_s=0.7)
    decisions, _ = feed(Decider(LABELS, config), [GOOD] + [OIL] * 3 * fps, fps=fps)
    for seconds in (1, 2, 3):
        expected = 0.9 * (1 - math.exp(-seconds / 0.7))  # the step response of the filter
        assert decisions[seconds * fps].scores[1] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_average_stays_between_what_it_has_seen(seed: int) -> None:
    frames = random_walk(seed)
    decisions, _ = feed(Decider(LABELS, DecisionConfig(smooth_s=0.5)), frames)
    for count, decision in enumerate(decisions, 1):
        seen = np.array(frames[:count], np.float64)
        assert (seen.min(0) - 1e-9 <= decision.scores).all()
        assert (decision.scores <= seen.max(0) + 1e-9).all()
        assert sum(decision.scores) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("config", [
    DecisionConfig(smooth_s=0.3, min_duration_s=0.6, threshold=0.5),
    DecisionConfig(vote=(3, 5), min_duration_s=0.6, threshold=0.4),
    DecisionConfig(min_duration_s=0.6),
])  # fmt: skip
def test_events_are_the_changes_of_the_steady_label(seed: int, config: DecisionConfig) -> None:
    decisions, events = feed(Decider(LABELS, config), random_walk(seed))
    changes = [
        (number, after.label)
        for number, (before, after) in enumerate(pairwise(decisions), 1)
        if after.label != before.label
    ]
    shown = [(event.frame, event.label) for event in events]
    assert shown[-len(changes) :] == changes
    assert [event.previous for event in events] == [None, *(label for _, label in shown[:-1])]
    for event in events:
        confirmed_at = EPOCH + 100 + event.frame / 10
        assert confirmed_at - event.began_at >= 0.6 - 1e-6
    gaps = np.diff([event.frame for event in events]) / 10
    assert (gaps >= 0.6 - 1e-6).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "steadier",
    [DecisionConfig(smooth_s=0.5), DecisionConfig(vote=(4, 6)), DecisionConfig(hysteresis=0.3)],
)
def test_it_flickers_less_than_the_frames(seed: int, steadier: DecisionConfig) -> None:
    frames = random_walk(seed)
    raw = feed(Decider(LABELS, DecisionConfig(hysteresis=0)), frames)[1]
    assert len(feed(Decider(LABELS, steadier), frames)[1]) < 0.7 * len(raw)


def test_a_score_about_the_threshold_does_not_flicker() -> None:
    config = DecisionConfig(threshold=0.7, hysteresis=0.05)
    wobble = [scores_of(oil=value) for value in (0.69, 0.71, 0.68, 0.72, 0.66, 0.64, 0.69, 0.71)]
    decisions, _ = feed(Decider(LABELS, config), wobble)
    labels = [decision.label for decision in decisions]
    assert labels == ["unknown", *["oil"] * 4, "unknown", "unknown", "oil"]
    assert decisions[0].score == pytest.approx(0.69)


def test_two_labels_that_are_as_good_do_not_flicker() -> None:
    pair = [scores_of(good=0.51, oil=0.49), scores_of(good=0.49, oil=0.51)] * 10
    assert len(feed(Decider(LABELS, DecisionConfig()), pair)[1]) == 1


def test_the_label_is_the_best_of_the_classes_that_are_sure_enough() -> None:
    config = DecisionConfig(threshold=0.8, class_thresholds={"scratch": 0.2})
    decider = Decider(LABELS, config)
    [decision], _ = feed(decider, [scores_of(good=0.75, scratch=0.25)])
    assert decision.label == "scratch"
    assert decision.score == pytest.approx(0.25)
    [decision], _ = feed(Decider(LABELS, config), [scores_of(good=0.85, scratch=0.15)])
    assert decision.label == "good"


def test_k_of_n_frames_must_agree() -> None:
    frames = [GOOD, GOOD, OIL, GOOD, OIL, OIL, SCRATCH, OIL]
    decisions, events = feed(Decider(LABELS, DecisionConfig(vote=(3, 5))), frames)
    labels = [decision.label for decision in decisions]
    assert labels == ["unknown"] * 3 + ["good"] * 2 + ["oil"] * 3
    assert [(event.label, event.frame) for event in events] == [("good", 3), ("oil", 5)]
    assert decisions[1].scores == pytest.approx(tuple(GOOD))
    assert decisions[5].scores[1] == pytest.approx(0.9 * 3 / 5)


def test_frames_that_do_not_agree_are_unknown() -> None:
    decider = Decider(LABELS, DecisionConfig(vote=(3, 4)))
    events = feed(decider, [GOOD, OIL] * 4)[1]
    assert [(event.label, event.frame) for event in events] == [("unknown", 3)]


def test_a_label_that_no_frame_speaks_for_is_given_up() -> None:
    frames = [GOOD] * 4 + [OIL, SCRATCH] * 3
    decisions, _ = feed(Decider(LABELS, DecisionConfig(vote=(3, 4))), frames)
    assert [decision.label for decision in decisions[4:]] == ["good"] * 3 + ["unknown"] * 3


def test_a_short_change_is_no_event() -> None:
    config = DecisionConfig(min_duration_s=0.5)
    frames = [GOOD] * 10 + [OIL] * 4 + [GOOD] * 10 + [OIL] * 7
    decisions, events = feed(Decider(LABELS, config), frames)
    assert [event.label for event in events] == ["good", "oil"]
    assert events[1].frame == 29
    assert events[1].began_at == pytest.approx(EPOCH + 102.4)
    assert [decision.label for decision in decisions[:5]] == ["unknown"] * 5
    assert {decision.label for decision in decisions[5:29]} == {"good"}


UNSURE = scores_of(good=0.4, oil=0.4)


@pytest.mark.parametrize("unsure_frames", [0, 1, 5, 9])
def test_a_short_unknown_between_two_labels_is_no_event(unsure_frames: int) -> None:
    config = DecisionConfig(threshold=0.6, unknown_s=1.0)
    frames = [GOOD] * 10 + [UNSURE] * unsure_frames + [OIL] * 10
    decisions, events = feed(Decider(LABELS, config), frames)
    assert [(event.label, event.previous) for event in events] == [("good", None), ("oil", "good")]
    assert {decision.label for decision in decisions} == {"good", "oil"}


def test_an_unknown_that_lasts_is_an_event_with_the_class_that_was_refused() -> None:
    config = DecisionConfig(threshold=0.5, class_thresholds={"oil": 0.7}, unknown_s=1.0)
    frames = [GOOD] * 10 + [scores_of(oil=0.6)] * 15 + [OIL] * 3
    decisions, events = feed(Decider(LABELS, config), frames)
    assert [event.label for event in events] == ["good", "unknown", "oil"]
    assert events[1].frame == 20
    assert events[1].began_at == pytest.approx(EPOCH + 101.0)
    refused = events[1].refused
    assert refused is not None
    assert (refused.label, refused.threshold) == ("oil", 0.7)
    assert refused.score == pytest.approx(0.6)
    assert decisions[20].refused == refused
    assert [decision.refused for decision in decisions[:20]] == [None] * 20
    assert events[0].refused is events[2].refused is None


def test_a_run_that_begins_unknown_says_so_at_once() -> None:
    config = DecisionConfig(threshold=0.6, unknown_s=1.0)
    _, events = feed(Decider(LABELS, config), [UNSURE] * 3 + [OIL] * 3)
    assert [(event.label, event.frame) for event in events] == [("unknown", 0), ("oil", 3)]


def test_a_label_that_comes_back_after_a_short_unknown_is_no_event() -> None:
    config = DecisionConfig(threshold=0.6, unknown_s=1.0)
    frames = ([GOOD] * 5 + [UNSURE] * 5) * 4
    assert len(feed(Decider(LABELS, config), frames)[1]) == 1


def test_frames_that_disagree_refuse_no_class() -> None:
    decisions, _ = feed(Decider(LABELS, DecisionConfig(vote=(3, 4))), [GOOD, OIL] * 4)
    assert decisions[-1].label == "unknown"
    assert decisions[-1].refused is None


@pytest.mark.parametrize("config", [
    DecisionConfig(smooth_s=100.0),
    DecisionConfig(vote=(2, 9)),
    DecisionConfig(min_duration_s=0.1),
])  # fmt: skip
def test_after_a_gap_it_starts_anew(config: DecisionConfig) -> None:
    decider = Decider(LABELS, config)
    feed(decider, [GOOD] * 9)
    decisions, events = feed(decider, [OIL] * 3, start=200.0)
    assert decisions[0].scores == tuple(OIL.astype(float))
    assert [event.label for event in events] == ["oil"]
    assert events[0].previous == "good"
    assert events[0].began_at == pytest.approx(EPOCH + 200.0, abs=0.11)


def test_the_same_label_after_a_gap_is_no_news() -> None:
    decider = Decider(LABELS, DecisionConfig(min_duration_s=0.25))
    assert len(feed(decider, [GOOD] * 9)[1]) == 1
    decisions, events = feed(decider, [GOOD] * 5, start=200.0)
    assert events == []
    assert [decision.label for decision in decisions] == ["unknown"] * 3 + ["good"] * 2


def test_a_clock_that_stands_still_is_survived() -> None:
    decider = Decider(LABELS, DecisionConfig(smooth_s=0.5))
    for scores in (GOOD, OIL):
        decision, _ = decider.decide(scores, at=5.0, taken_at=EPOCH, frame=0)
    assert decision.scores == tuple(GOOD.astype(float))


def test_what_it_refuses() -> None:
    with pytest.raises(EdgeclfError, match=r"0\.5 s and a vote of 3/5 exclude each other"):
        DecisionConfig(smooth_s=0.5, vote=(3, 5))
    with pytest.raises(EdgeclfError, match="a vote of 6/5: give K/N"):
        DecisionConfig(vote=(6, 5))
    with pytest.raises(EdgeclfError, match="'dent', which is no class; the classes: good, oil, s"):
        Decider(LABELS, DecisionConfig(class_thresholds={"dent": 0.5}))


def test_classes_that_are_taught_are_expected_from_then_on() -> None:
    config = DecisionConfig(smooth_s=0.5, threshold=0.5)
    decider = Decider(LABELS, config)
    [first], [event] = feed(decider, [GOOD])
    assert (first.labels, event.label) == (LABELS, "good")
    decider.relabel((*LABELS, "dust"))
    dust = np.array([0, 0, 0, 0.9], np.float32)
    decisions, events = feed(decider, [dust, dust], start=101.0)
    assert [each.label for each in decisions] == ["dust", "dust"]
    assert decisions[0].labels == (*LABELS, "dust")
    assert [(each.label, each.previous) for each in events] == [("dust", "good")]
    decider.relabel(LABELS)
    decisions, events = feed(decider, [GOOD], start=102.0)
    assert decisions[0].scores == pytest.approx((0.9, 0, 0))
    assert [(each.label, each.previous) for each in events] == [("good", "dust")]
