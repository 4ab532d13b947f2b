"""The images on which a model and the reference differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...models.report.thumbnails import Thumbnails
from ..results.schema import Disagreement, Model
from . import words

_SHOWN = 24
_STYLES = {"lost": "worse", "gained": "better", "both wrong": "same"}


@dataclass(frozen=True)
class Card:
    """An image on which a model and the reference differ.

    Attributes:
        path: the file.
        name: of the file.
        picture: as a data URI; None if it cannot be read.
        kind: what the difference means, of `kind_of`.
        style: its colour: `worse`, `better` or `same`.
        truth: its class.
        guesses: name, class and score of the reference, then of the model.
    """

    path: str
    name: str
    picture: str | None
    kind: str
    style: str
    truth: str
    guesses: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Gallery:
    """The images on which a model and the reference differ.

    Attributes:
        model: its name.
        about: how many there are, and are shown.
        cards: of those shown, at most 24.
    """

    model: str
    about: str
    cards: Sequence[Card]


def make_gallery(model: Model, *, reference: str, thumbnails: Thumbnails) -> Gallery:
    """Return the images on which `model`, which has been compared, and the reference differ."""
    assert model.against
    differing = model.against.disagreements
    about = f"differs on {words.count(differing, 'image')}"
    if differing > _SHOWN:
        about += f", {_SHOWN} of them here"
    shown = model.against.shown[:_SHOWN]
    cards = [_card(image, model.name, reference, thumbnails[image.path]) for image in shown]
    return Gallery(model.name, about, cards)


def kind_of(image: Disagreement) -> str:
    """Return what the difference means: an image that is lost, gained, or wrong with both."""
    if image.reference_guess == image.truth:
        return "lost"
    return "gained" if image.guess == image.truth else "both wrong"


def _card(image: Disagreement, model: str, reference: str, picture: str | None) -> Card:
    kind = kind_of(image)
    guesses = [
        (reference, image.reference_guess, words.number(image.reference_score)),
        (model, image.guess, words.number(image.score)),
    ]
    name = Path(image.path).name
    return Card(image.path, name, picture, kind, _STYLES[kind], image.truth, guesses)
