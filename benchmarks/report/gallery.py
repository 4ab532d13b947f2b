"""The images on which a model and the reference differ."""

from pathlib import Path

from ...models.report.markup import Markup, join, tag
from ...models.report.thumbnails import Thumbnails
from ..results.schema import Disagreement, Model
from . import words

SHOWN = 24


def draw_gallery(model: Model, *, reference: str, thumbnails: Thumbnails) -> Markup:
    """Return a card per image on which the two differ, at most 24."""
    shown = model.against.shown[:SHOWN] if model.against else ()
    cards = [
        _card(image, model=model.name, reference=reference, picture=thumbnails[image.path])
        for image in shown
    ]
    return tag("ul", join(cards), class_="gallery")


def kind_of(image: Disagreement) -> str:
    """Return what the difference means: an image that is lost, gained, or wrong with both."""
    if image.reference_guess == image.truth:
        return "lost"
    return "gained" if image.guess == image.truth else "both wrong"


def _card(image: Disagreement, *, model: str, reference: str, picture: str | None) -> Markup:
    name = Path(image.path).name
    seen = (
        tag("img", src=picture, alt=f"{name}, truth: {image.truth}", loading="lazy")
        if picture
        else tag("div", f"{name} cannot be read", class_="missing")
    )
    kind = kind_of(image)
    class_ = {"lost": "worse", "gained": "better", "both wrong": "same"}[kind]
    rows = [
        tag("dt", "truth"), tag("dd", image.truth),
        tag("dt", reference), tag("dd", _guess(image.reference_guess, image.reference_score)),
        tag("dt", model), tag("dd", _guess(image.guess, image.score)),
    ]  # fmt: skip
    return tag(
        "li",
        seen,
        tag("p", kind, class_=f"kind t-{class_}"),
        tag("dl", *rows),
        tag("p", image.path, class_="path"),
    )


def _guess(label: str, score: float) -> Markup:
    return join([label, " ", tag("span", words.number(score), class_="score")])
