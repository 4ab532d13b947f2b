"""What a file was taught on a device: photographs of classes, lesson by lesson."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..validation.strict_json import member, typed
from .appearance import PROPERTIES, AppearanceRange
from .features import Floats
from .model import NoveltyModel
from .prototypes import Prototypes
from .space import decoded

MOST_PHOTOGRAPHS = 1000
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Lesson:
    """Photographs of one class that were taught together.

    Attributes:
        label: the class.
        taught_at: when, in ISO 8601.
        one_view: whether they show one thing at one time, as frames of a camera do.
        photographs: the SHA-256 of each file, in hexadecimal.
    """

    label: str
    taught_at: str
    one_view: bool
    photographs: tuple[str, ...]

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Lesson":
        """Read the JSON object of a lesson; a damaged one is a ValueError, KeyError or
        TypeError."""
        photographs = [typed("a digest", one, str) for one in member(values, "photographs", list)]
        if not photographs or not all(map(_SHA256.fullmatch, photographs)):
            raise ValueError("a lesson without photographs, or with digests that are none")
        label = member(values, "label", str)
        if not label:
            raise ValueError("a lesson without a class")
        return cls(
            label=label,
            taught_at=member(values, "taught_at", str),
            one_view=member(values, "one_view", bool),
            photographs=tuple(photographs),
        )


@dataclass(frozen=True)
class TaughtHead:
    """What a file was taught. Arrays are little-endian bytes in base64.

    Attributes:
        outputs: number of the network's own classes, the first of the labels.
        channels: length of a feature vector.
        lessons: in their order.
        features: of each photograph of each lesson, of length 1, float16 of shape (photographs,
            channels).
        scores: the network's own, float16 of shape (photographs, outputs).
        appearances: of the photographs, float32 of shape (photographs, properties); None of a file
            that does not know what its training images look like.
        self_test: the scores that this head makes of the self-test's outputs and features, float32
            of shape (inputs, labels); None of a file without a self-test.
    """

    outputs: int
    channels: int
    lessons: tuple[Lesson, ...]
    features: str
    scores: str
    appearances: str | None = None
    self_test: str | None = None

    @classmethod
    def from_json(cls, values: dict[str, Any], *, labels: Sequence[str]) -> "TaughtHead":
        """Read the JSON object of a head; a damaged one is a ValueError, KeyError or TypeError.

        Args:
            values: the object.
            labels: of the network and of the lessons.
        """
        lessons = [typed("a lesson", one, dict) for one in member(values, "lessons", list)]
        head = cls(
            outputs=member(values, "outputs", int),
            channels=member(values, "channels", int),
            lessons=tuple(map(Lesson.from_json, lessons)),
            features=member(values, "features", str),
            scores=member(values, "scores", str),
            appearances=member(values, "appearances", str) if "appearances" in values else None,
            self_test=member(values, "self_test", str) if "self_test" in values else None,
        )
        head._check(labels)
        return head

    def to_json(self) -> dict[str, Any]:
        """Return what people want to know of it."""
        return {
            "photographs": {label: self.views_of(label).size for label in self.labels},
            "lessons": [
                {"label": one.label, "taught_at": one.taught_at, "sha256": list(one.photographs)}
                for one in self.lessons
            ],
        }

    def __str__(self) -> str:
        """Return the same in words."""
        counts = ", ".join(f"{label} {self.views_of(label).size}" for label in self.labels)
        return f"by photographs: {counts}; last on {self.lessons[-1].taught_at}"

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that were taught, each once; the network may know some of them."""
        return tuple(dict.fromkeys(lesson.label for lesson in self.lessons))

    @cached_property
    def photographs(self) -> tuple[tuple[str, str, int], ...]:
        """Digest, class and view of each photograph, in the order of the features."""
        found: list[tuple[str, str, int]] = []
        for number, lesson in enumerate(self.lessons):
            for place, digest in enumerate(lesson.photographs):
                view = number if lesson.one_view else number + (place + 1) * len(self.lessons)
                found.append((digest, lesson.label, view))
        return tuple(found)

    def views_of(self, label: str) -> NDArray[np.intp]:
        """Return the number of the view that each photograph of a class is of."""
        return np.asarray([view for _, name, view in self.photographs if name == label], np.intp)

    @cached_property
    def photograph_features(self) -> Floats:
        """The features, float32 of shape (photographs, channels)."""
        return decoded(self.features, "<f2").reshape(-1, self.channels)

    @cached_property
    def photograph_scores(self) -> Floats:
        """The network's own scores, float32 of shape (photographs, outputs)."""
        return decoded(self.scores, "<f2").reshape(-1, self.outputs)

    @cached_property
    def photograph_appearances(self) -> Floats:
        """What the photographs look like, float32 of shape (photographs or 0, properties)."""
        return decoded(self.appearances or "", "<f4").reshape(-1, len(PROPERTIES))

    def appearance_ranges(
        self, *, without: tuple[str, int] | None = None
    ) -> tuple[AppearanceRange, ...]:
        """Return what the photographs of each class look like; without a class's view, if given."""
        appearances, found = self.photograph_appearances, []
        for taught in self.labels if len(appearances) else ():
            rows = [
                place
                for place, (_, label, view) in enumerate(self.photographs)
                if label == taught and (label, view) != without
            ]
            if rows:
                found.append(AppearanceRange.around(appearances[rows]))
        return tuple(found)

    def expected(self, labels: int) -> Floats | None:
        """Return the self-test's scores, of shape (inputs, labels), if it holds any."""
        return (
            None if self.self_test is None else decoded(self.self_test, "<f4").reshape(-1, labels)
        )

    def prototypes(self, novelty: NoveltyModel, labels: Sequence[str]) -> Prototypes:
        """Return the classes as means of features.

        Args:
            novelty: of the same file.
            labels: the file's.
        """
        places = {label: place for place, label in enumerate(self.labels)}
        means = np.zeros((len(places), self.channels))
        views = np.zeros(len(places), np.intp)
        for (label, _), mean in self.view_means(novelty).items():
            means[places[label]] += mean
            views[places[label]] += 1
        return Prototypes(
            space=novelty.space,
            known_distance=float(np.exp(novelty.distance[0])),
            labels=len(labels),
            places=np.asarray([labels.index(label) for label in places], np.intp),
            means=np.asarray(means / views[:, np.newaxis], np.float32),
            views=views,
        )

    def view_means(self, novelty: NoveltyModel) -> dict[tuple[str, int], Floats]:
        """Return the mean offset of each view's photographs, by class and view."""
        offsets = novelty.space.offset(self.photograph_features)
        members: dict[tuple[str, int], list[int]] = {}
        for place, (_, label, view) in enumerate(self.photographs):
            members.setdefault((label, view), []).append(place)
        return {key: np.asarray(offsets[rows].mean(0)) for key, rows in members.items()}

    def _check(self, labels: Sequence[str]) -> None:
        photographs = [digest for digest, _, _ in self.photographs]
        if not 1 <= len(photographs) <= MOST_PHOTOGRAPHS or self.channels < 1:
            raise ValueError(f"{len(photographs)} taught photographs")
        if len(set(photographs)) < len(photographs):
            raise ValueError("a taught photograph that is there twice")
        own = tuple(labels[: max(self.outputs, 0)])
        new = tuple(label for label in self.labels if label not in own)
        if not own or (*own, *new) != tuple(labels):
            raise ValueError("taught classes that are not those of the labels")
        arrays = [self.photograph_features, self.photograph_scores]
        if self.appearances is not None:
            arrays.append(self.photograph_appearances)
        if any(len(array) != len(photographs) for array in arrays):
            raise ValueError("taught photographs whose arrays do not fit together")
        expected = self.expected(len(labels))
        arrays += [] if expected is None else [expected]
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError("taught photographs with numbers that are none")
