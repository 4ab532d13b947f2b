"""Which model to ship."""

from collections.abc import Sequence

from ...models.recommendation import Tradeoff, recommended_index
from .schema import Model, Verdict


def decide(models: Sequence[Model]) -> Verdict | None:
    """Return the verdict on `models`; None without a reference, or without another that ran."""
    reference = next((model for model in models if model.reference and model.bytes), None)
    compared = [model for model in models if model.against and model.timings]
    if reference is None or not compared:
        return None
    chosen = recommended_index([_tradeoff(model) for model in compared])
    best = min(compared, key=_points) if chosen is None else compared[chosen]
    assert best.against is not None
    assert best.timings[0].ratio is not None
    losses = [drop for drop in best.against.recall_drops if drop.points > 0]
    return Verdict(
        model=best.name,
        reference=reference.name,
        loses=chosen is None,
        drop=best.against.drop,
        worst_class=max(losses, key=lambda drop: drop.points, default=None),
        ratio=best.timings[0].ratio,
        bytes_ratio=(best.bytes or 0) / (reference.bytes or 1),
    )


def _tradeoff(model: Model) -> Tradeoff:
    assert model.against is not None
    drop = model.against.drop
    return Tradeoff(
        is_harmless=drop.points <= 0 or not drop.is_significant,
        drop_points=drop.points,
        cost=model.timings[0].p50_ms,
    )


def _points(model: Model) -> float:
    return model.against.drop.points if model.against else 0.0
