"""The images on which a model and the reference differ, small enough to lie inside the page."""

from base64 import b64encode
from pathlib import Path

import cv2

from ...edge_runtime.images import ImageError, read_image
from ..results import Disagreement, Model
from . import words
from .markup import Markup, join, tag

SHOWN = 24
_SIDE = 144  # shown at 96 to 140, so that it is sharp enough


class Thumbnails:
    """Images as data URIs, each read once."""

    def __init__(self, folder: Path) -> None:
        """`folder` is what their paths are relative to."""
        self._folder = folder
        self._found: dict[str, str | None] = {}

    def __getitem__(self, path: str) -> str | None:
        """Return the image at most 144 pixels wide and high; None if it cannot be read."""
        if path not in self._found:
            self._found[path] = _thumbnail(self._folder / path)
        return self._found[path]


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


def _thumbnail(path: Path) -> str | None:
    try:
        image = read_image(path)
    except ImageError:
        return None
    height, width = image.shape[:2]
    factor = min(1.0, _SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 78])
    return f"data:image/jpeg;base64,{b64encode(data.tobytes()).decode()}"
