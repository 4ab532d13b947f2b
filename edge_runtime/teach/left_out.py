"""How well what was taught is found again when it is left out."""

from dataclasses import dataclass

import numpy as np

from ..model_file.spec import ModelSpec
from ..novelty.appearance import departure_from
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
            return f"{self.label}: {photographs}{where}: how good it is cannot be said yet"
        others = f"; the others are said to be {', '.join(self.said)}" if self.said else ""
        return f"{self.label}: {self.found} of {photographs} are found again when left out{others}"


def leave_out(spec: ModelSpec) -> list[LeftOut]:
    """Return how each taught class fares, view by view left out.

    Frames of one view are left out together: of near copies each would find the other.
    """
    taught, novelty = spec.taught, spec.novelty
    if taught is None or novelty is None:
        return []
    prototypes = taught.prototypes(novelty, spec.labels)
    view_means = taught.view_means(novelty)
    none = np.zeros(len(spec.labels))
    said: dict[str, list[str]] = {label: [] for label in taught.labels}
    for place, (_, label, view) in enumerate(taught.photographs):
        row = taught.labels.index(label)
        if prototypes.views[row] < 2:
            continue
        others = prototypes.without(row, view_means[label, view])
        features = taught.photograph_features[place]
        own = taught.photograph_scores[place]
        scores, distance, share = others.answer(features, own)
        departure = None
        if novelty.appearance is not None:
            taught_ranges = taught.appearance_ranges(without=(label, view))
            ranges = (*novelty.appearance_ranges, *taught_ranges)
            departure = departure_from(ranges, taught.photograph_appearances[place])
        judged = novelty.judge(
            features, own, departure=departure, taught_distance=distance, network_share=share
        )
        named = name_best(scores, labels=spec.labels, least=none, top=1, ms=0, novelty=judged)
        said[label].append(named.label)
    return [
        _left_out(label, len(taught.views_of(label)), int(prototypes.views[row]), said[label])
        for row, label in enumerate(taught.labels)
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
