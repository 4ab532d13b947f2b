"""A scene that the model cannot know is `unknown` soon, and says why; a glitch is no event."""

from statistics import NormalDist

import numpy as np
import pytest

from edgeclf.edge_runtime.live.decisions import Decider, DecisionConfig
from edgeclf.edge_runtime.live.observation import Decision, Event
from edgeclf.edge_runtime.novelty.model import Novelty
from edgeclf.edge_runtime.prediction import UNLIKE

LABELS = ("good", "oil", "scratch")
OIL = np.array([0.05, 0.9, 0.05], np.float32)
LIMIT = NormalDist().inv_cdf(0.99)
FPS = 10


def novelty(deviations: float, cause: str = "unlike") -> Novelty:
    return Novelty(NormalDist().cdf(deviations), deviations, LIMIT, cause)


KNOWN, FOREIGN = novelty(0.0), novelty(50.0)


def feed(
    config: DecisionConfig, novelties: list[Novelty], scores: np.ndarray = OIL
) -> tuple[list[Decision], list[Event]]:
    decider, decisions, events = Decider(LABELS, config), [], []
    for number, each in enumerate(novelties):
        at = 100 + number / FPS
        decision, event = decider.decide(
            scores, at=at, taken_at=1.7e9 + at, frame=number, novelty=each
        )
        decisions.append(decision)
        events += [event] if event else []
    return decisions, events


def test_each_frame_alone() -> None:
    (first, second), events = feed(DecisionConfig(), [KNOWN, FOREIGN])
    assert (first.label, first.novelty, first.novelty_reason) == ("oil", 0.5, None)
    assert (second.label, second.novelty_reason) == ("unknown", UNLIKE)
    assert second.novelty > 0.99
    assert [(event.label, event.novelty_reason) for event in events] == [
        ("oil", None),
        ("unknown", UNLIKE),
    ]
    assert second.refused is None  # the score itself was high enough


def test_between_names_the_two_best_classes() -> None:
    torn = np.array([0.45, 0.5, 0.05], np.float32)
    decisions, _ = feed(DecisionConfig(), [novelty(1.02 * LIMIT, "between")], torn)
    assert decisions[0].novelty_reason == "between oil and good"


def test_smoothed_novelty_rises_and_falls_alike() -> None:
    config = DecisionConfig(smooth_s=0.5)
    decisions, _ = feed(config, [KNOWN] * 20 + [FOREIGN] * 20 + [KNOWN] * 20)
    labels = [decision.label for decision in decisions]
    rising, falling = labels.index("unknown") - 20, labels.index("oil", 40) - 40
    assert 1 <= rising <= FPS  # within a second either way, though the deviate is twenty limits
    assert 1 <= falling <= FPS
    novelties = [decision.novelty for decision in decisions]
    assert novelties[19] == pytest.approx(0.5)
    assert max(novelties) <= 1


def test_one_foreign_frame_among_many_is_no_event() -> None:
    config = DecisionConfig(smooth_s=0.5, unknown_s=1.0)
    _, events = feed(config, [KNOWN] * 20 + [FOREIGN] + [KNOWN] * 20)
    assert [event.label for event in events] == ["oil"]


def test_votes_count_novel_frames_as_unknown() -> None:
    config = DecisionConfig(vote=(2, 3))
    decisions, events = feed(config, [KNOWN, KNOWN, FOREIGN, FOREIGN, FOREIGN])
    assert [event.label for event in events] == ["oil", "unknown"]
    assert decisions[-1].novelty_reason == UNLIKE


def test_a_model_that_cannot_tell_says_nothing_of_it() -> None:
    decision, _ = Decider(LABELS, DecisionConfig()).decide(OIL, at=1.0, taken_at=1.7e9, frame=0)
    assert (decision.label, decision.novelty, decision.novelty_reason) == ("oil", None, None)
