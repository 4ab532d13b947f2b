"""A spec with a lesson more or less: the same network, with what it was taught made anew."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np

from ..errors import EdgeclfError
from ..knowledge import Knowledge
from ..model_file.spec import ModelSpec
from ..novelty.features import unit_length
from ..novelty.space import encoded
from ..novelty.taught import MOST_PHOTOGRAPHS, Lesson, TaughtHead
from .photographs import Photograph


def with_lesson(
    known: Knowledge, label: str, photographs: Sequence[Photograph], *, one_view: bool
) -> ModelSpec:
    """Return the spec with photographs of one class taught.

    Args:
        known: what the file knows, with novelty.
        label: a class of the file, or a new one.
        photographs: at least one, none of which it was taught before.
        one_view: whether they show one thing at one time.

    Raises:
        EdgeclfError: there are too many photographs.
    """
    spec = known.spec
    taught, novelty = spec.taught, spec.novelty
    assert novelty is not None
    features = np.stack([one.features for one in photographs])
    scores = np.stack([one.scores for one in photographs])
    appearances = [one.appearance for one in photographs if one.appearance is not None]
    lesson = Lesson(
        label=label,
        taught_at=datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
        one_view=one_view,
        photographs=tuple(one.sha256 for one in photographs),
    )
    features = unit_length(features)
    if taught is not None:
        features = np.concatenate([taught.photograph_features, features])
        scores = np.concatenate([taught.photograph_scores, scores])
        appearances = [*taught.photograph_appearances, *appearances]
    if len(features) > MOST_PHOTOGRAPHS:
        raise EdgeclfError(
            f"{len(features)} taught photographs; a file holds {MOST_PHOTOGRAPHS} at most: train "
            "with them"
        )
    head = TaughtHead(
        outputs=len(spec.network_labels),
        channels=novelty.channels,
        lessons=(*(taught.lessons if taught else ()), lesson),
        features=encoded(features, "<f2"),
        scores=encoded(scores, "<f2"),
        appearances=encoded(np.stack(appearances), "<f4") if appearances else None,
    )
    return _with_head(known, head)


def without_last_lesson(known: Knowledge) -> ModelSpec:
    """Return the spec, which was taught something, without its last lesson."""
    taught = known.spec.taught
    assert taught is not None
    left = len(taught.photographs) - len(taught.lessons[-1].photographs)
    if not left:
        return _with_head(known, None)
    head = replace(
        taught,
        lessons=taught.lessons[:-1],
        features=encoded(taught.photograph_features[:left], "<f2"),
        scores=encoded(taught.photograph_scores[:left], "<f2"),
        appearances=(
            encoded(taught.photograph_appearances[:left], "<f4")
            if taught.appearances is not None
            else None
        ),
        self_test=None,
    )
    return _with_head(known, head)


def _with_head(known: Knowledge, head: TaughtHead | None) -> ModelSpec:
    """Return the spec with another head, its labels and the head's part of the self-test."""
    spec = known.spec
    own = spec.network_labels
    labels = own if head is None else tuple(dict.fromkeys((*own, *head.labels)))
    thresholds = spec.thresholds
    if thresholds is not None:
        thresholds = {label: least for label, least in thresholds.items() if label in labels}
    renewed = replace(spec, labels=labels, taught=head, thresholds=thresholds)
    if head is None or spec.self_test is None:
        return renewed
    scores = replace(known, spec=renewed).head_scores(spec.self_test)
    if scores is None:
        return renewed
    return replace(renewed, taught=replace(head, self_test=encoded(scores, "<f4")))
