"""What quantization costs, and the tables that tell it."""

from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from edgeclf.benchmarks.peers.quantize.exchange import Exchange, Scores
from edgeclf.convert.techniques.catalogue import NAMES
from edgeclf.edge_runtime.command_line.table import format_table

# In the order of the table.
TITLES = {
    "float32": "Keras float32",
    "tflite": "TFLite int8, as it comes",
    "rewrite": "our rewrite and ranges",
    **{name: f"+ {name}" for name in NAMES},
    NAMES[-1]: f"+ {NAMES[-1]}: edgeclf int8",
    "int16x8": "edgeclf int16x8",
    "litert-static": "LiteRT Quantizer, static int8",
    "litert-dynamic": "LiteRT Quantizer, dynamic int8",
    "ort-s8s8": "ONNX Runtime int8, S8S8",
    "ort-u8s8": "ONNX Runtime int8, U8S8",
    "nncf": "NNCF int8 in OpenVINO",
}

_BEST = 5

# Half of a step of scores in uint8: what is less may be anything.
_LEAST = 1 / 512


@dataclass(frozen=True)
class Cost:
    """What a model loses against float32 on the same images.

    The last two look at the scores of the float model's five best classes and at the sum of the
    others: what uint8 scores cannot tell from zero counts for nothing, in any model.

    Attributes:
        top1: share of images whose best class is right, 0 to 1.
        drop_points: top-1 accuracy lost, in percentage points.
        agreement: share of images on which both name the same class, 0 to 1.
        divergence: mean Kullback-Leibler divergence of the model's scores from float's, in nats.
        variation: mean total variation distance between both, 0 to 1.
    """

    top1: float
    drop_points: float
    agreement: float
    divergence: float
    variation: float


def cost(exchange: Exchange, entry: str, seed: int) -> Cost:
    """Return what `entry` costs, calibrated on the images of `seed`, on all others."""
    scored = exchange.scored(seed)
    truth, reference = exchange.truth[scored], exchange.reference[scored]
    scores = reference if entry == "float32" else exchange.scores(entry, seed)
    return cost_of(scores, reference, truth)


def cost_of(scores: Scores, reference: Scores, truth: NDArray[np.intp]) -> Cost:
    """Return what a model with these `scores` costs.

    Args:
        scores: float32 of shape (images, classes), 0 to 1.
        reference: the float model's, of the same shape.
        truth: the right class of each image.
    """
    best = np.argsort(-reference, 1)[:, :_BEST]
    p, q = _coarse(reference, best), _coarse(scores, best)
    top1 = float((scores.argmax(1) == truth).mean())
    return Cost(
        top1=top1,
        drop_points=100 * (float((reference.argmax(1) == truth).mean()) - top1),
        agreement=float((scores.argmax(1) == reference.argmax(1)).mean()),
        divergence=float((p * np.log(p / q)).sum(1).mean()),
        variation=float(np.abs(p - q).sum(1).mean() / 2),
    )


def mean_cost(costs: list[Cost]) -> Cost:
    """Return the mean of each figure."""
    names = [field.name for field in fields(Cost)]
    return Cost(**{name: float(np.mean([asdict(one)[name] for one in costs])) for name in names})


def cost_table(costs: dict[str, list[Cost]]) -> str:
    """Return the table of each entry's mean over the seeds, and each seed's below it."""
    header = ["model", "seed", "top-1", "drop", "agreement", "KL", "variation"]
    rows = [_row(TITLES[name], "mean", mean_cost(each)) for name, each in costs.items()]
    rows += [
        _row(TITLES[name], str(seed), one)
        for name, each in costs.items()
        for seed, one in enumerate(each)
    ]
    return format_table(header, rows)


def _row(title: str, seed: str, one: Cost) -> list[str]:
    return [
        title,
        seed,
        f"{one.top1:.4f}",
        f"{one.drop_points:.2f}",
        f"{one.agreement:.4f}",
        f"{one.divergence:.4f}",
        f"{one.variation:.4f}",
    ]


def _coarse(scores: Scores, best: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the shares of the classes `best` and of all others together, none of them zero."""
    chosen = np.take_along_axis(scores, best, 1).astype(np.float64)
    others = 1 - chosen.sum(1, keepdims=True)
    shares = np.maximum(np.concatenate([chosen, others], 1), _LEAST)
    return np.asarray(shares / shares.sum(1, keepdims=True))
