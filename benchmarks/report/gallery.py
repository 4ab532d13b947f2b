"""The images on which a model and the reference differ."""

from pathlib import Path
from typing import Any

from ...models.report.thumbnails import Thumbnails
from ..results.schema import Disagreement, Model
from . import words

_SHOWN = 24
_STYLES = {"lost": "worse", "gained": "better", "both wrong": "same"}


def make_gallery(model: Model, *, reference: str, thumbnails: Thumbnails) -> dict[str, Any]:
    """Return the images on which `model` and the reference differ, as benchmark.html names them: at
    most 24."""
    assert model.against
    differing = model.against.disagreements
    about = f"differs on {words.count(differing, 'image')}"
    if differing > _SHOWN:
        about += f", {_SHOWN} of them here"
    shown = model.against.shown[:_SHOWN]
    cards = [_card(image, model.name, reference, thumbnails[image.path]) for image in shown]
    return {"model": model.name, "about": about, "cards": cards}


def kind_of(image: Disagreement) -> str:
    """Return what the difference means: an image that is lost, gained, or wrong with both."""
    if image.reference_guess == image.truth:
        return "lost"
    return "gained" if image.guess == image.truth else "both wrong"


def _card(image: Disagreement, model: str, reference: str, picture: str | None) -> dict[str, Any]:
    kind = kind_of(image)
    return {
        "path": image.path,
        "name": Path(image.path).name,
        "picture": picture,
        "kind": kind,
        "style": _STYLES[kind],
        "truth": image.truth,
        "guesses": [
            (reference, image.reference_guess, words.number(image.reference_score)),
            (model, image.guess, words.number(image.score)),
        ],
    }
