"""How well what was taught is found again when it is left out."""

from dataclasses import dataclass

import numpy as np

from ..model_file.spec import ModelSpec
from ..prediction import name_best


@dataclass(frozen=True)
class LeftOut:
    """What a file says of a class's photographs without having been taught them.

    Attributes:
        label: the class.
        photographs: how many it was taught.
        views: how many things or times these show.
        found: photographs that were named with the class.
        said: what was said of the others, most frequent first.
    """

    label: str
    photographs: int
    views: int
    found: int
    said: tuple[str, ...]

    def __str__(self) -> str:
        """Return it in words."""
        photographs = f"{self.photographs} photograph{'s' if self.photographs > 1 else ''}"
        if self.views < 2:
            where = "" if self.photographs < 2 else " of one view"
            return f"{self.label}: {photographs}{where}: how good it is cannot be told yet"
        others = f"; the others are said to be {', '.join(self.said)}" if self.said else ""
        return f"{self.label}: {self.found} of {photographs} are found again when left out{others}"


def leave_out(spec: ModelSpec) -> list[LeftOut]:
    """Return how each taught class fares, view by view left out.

    Frames of one view are left out together: of near copies each would find the other.
    """
    taught, novelty = spec.taught, spec.novelty
    if taught is None or novelty is None:
        return []
    said: dict[str, list[str]] = {label: [] for label in taught.labels}
    views = {label: set(taught.views_of(label).tolist()) for label in taught.labels}
    for label in taught.labels:
        for view in views[label] if len(views[label]) > 1 else ():
            prototypes = taught.prototypes(novelty, spec.labels, without=view)
            for place, (_, _, its_view) in enumerate(taught.photographs):
                if its_view == view:
                    features = taught.photograph_features[place]
                    scores, distance = prototypes.answer(features, taught.photograph_scores[place])
                    judged = novelty.judge(features, scores, taught_distance=distance)
                    none = np.zeros(len(scores))
                    named = name_best(
                        scores, labels=spec.labels, least=none, top=1, ms=0, novelty=judged
                    )
                    said[label].append(named.label)
    return [
        _left_out(label, len(taught.views_of(label)), len(views[label]), said[label])
        for label in taught.labels
    ]


def _left_out(label: str, photographs: int, views: int, said: list[str]) -> LeftOut:
    others = [name for name in said if name != label]
    names = sorted(set(others), key=lambda name: (-others.count(name), name))
    return LeftOut(
        label=label,
        photographs=photographs,
        views=views,
        found=said.count(label),
        said=tuple(f"{name} {others.count(name)}" for name in names),
    )
