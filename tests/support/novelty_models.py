"""A novelty model that is small enough to reckon with by hand."""

import numpy as np

from edgeclf.edge_runtime.novelty.model import HeldOut, NoveltyModel
from edgeclf.edge_runtime.novelty.space import encoded


def drawn_model() -> NoveltyModel:
    """The model of two classes around (1, 2, 3, 4), one axis wide."""
    centre = np.array([1, 2, 3, 4]) / np.sqrt(30)
    return NoveltyModel(
        channels=4,
        centre=encoded(centre, "<f4"),
        axes=encoded(np.eye(4)[:1], "<f2"),
        variances=encoded(np.full(1, 0.01), "<f4"),
        rest_variance=0.01,
        class_means=encoded(np.array([[0.05], [-0.05]]), "<f2"),
        distance=(-2.0, 1.0),
        weights=(1.0, 1.0),
        blend=(-2.0, 1.0),
        false_unknown=0.01,
        held_out=HeldOut(10, 10, 0.0, (0.0, 0.3)),
    )
