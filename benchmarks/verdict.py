"""Which model to ship."""

from collections.abc import Sequence

from .results import Model, Verdict

_SIGNIFICANT = 0.05


def decide(models: Sequence[Model]) -> Verdict | None:
    """Return the verdict on `models`; None without a reference, or without another that ran."""
    reference = next((model for model in models if model.reference and model.bytes), None)
    contenders = [model for model in models if model.against and model.timings]
    if reference is None or not contenders:
        return None
    harmless = [model for model in contenders if not _loses(model)]
    if harmless:
        best = min(harmless, key=lambda model: model.timings[0].p50_ms)
    else:
        best = min(contenders, key=_points)
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


def _loses(model: Model) -> bool:
    drop = model.against.drop if model.against else None
    return drop is not None and drop.points > 0 and drop.p_value < _SIGNIFICANT


def _points(model: Model) -> float:
    return model.against.drop.points if model.against else 0.0
