"""Which model to ship."""

from collections.abc import Sequence

from .schema import Model, Verdict

_SIGNIFICANT = 0.05

# Less is neither felt nor measured again on another day.
_AS_FAST = 1.02


def decide(models: Sequence[Model]) -> Verdict | None:
    """Return the verdict on `models`; None without a reference, or without another that ran."""
    reference = next((model for model in models if model.reference and model.bytes), None)
    compared = [model for model in models if model.against and model.timings]
    if reference is None or not compared:
        return None
    harmless = [model for model in compared if not _loses(model)]
    best = min(_about_the_fastest(harmless) or compared, key=_points)
    assert best.against is not None
    assert best.timings[0].ratio is not None
    losses = [drop for drop in best.against.recall_drops if drop.points > 0]
    return Verdict(
        model=best.name,
        reference=reference.name,
        loses=not harmless,
        drop=best.against.drop,
        worst_class=max(losses, key=lambda drop: drop.points, default=None),
        ratio=best.timings[0].ratio,
        bytes_ratio=(best.bytes or 0) / (reference.bytes or 1),
    )


def _about_the_fastest(models: Sequence[Model]) -> list[Model]:
    """Return the fastest of `models`, and those that nobody could tell from it, in their order."""
    least = min((model.timings[0].p50_ms for model in models), default=0.0)
    return [model for model in models if model.timings[0].p50_ms <= least * _AS_FAST]


def _loses(model: Model) -> bool:
    drop = model.against.drop if model.against else None
    return drop is not None and drop.points > 0 and drop.p_value < _SIGNIFICANT


def _points(model: Model) -> float:
    return model.against.drop.points if model.against else 0.0
