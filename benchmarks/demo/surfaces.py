"""A seeded generator of surface photographs: dark glass, clean or with one kind of defect.

The pictures stand in for an inspection data set where none can be downloaded. Every picture,
clean ones included, carries distractors (reflections, fingerprints, lint, dust), and the defects
range from plain to barely visible, so that neither colour nor brightness gives a class away.

Lengths are fractions of the picture's side, intensities are grey levels of 0..255.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

SURFACE_CLASSES: tuple[str, ...] = ("good", "oil", "scratch", "stain")

_MIN_SIZE = 32
_SUPERSAMPLING = 4
_OIL_REFRACTIVE_INDEX = 1.45
_RGB_WAVELENGTHS_NM = np.array((610.0, 540.0, 460.0))

_Field = NDArray[np.floating[Any]]  # (size, size), or (size, size, 3) where it holds colours


@dataclass(frozen=True)
class _Defect:
    """What a defect does to the light that reaches the camera: picture * gain + added."""

    gain: _Field
    added: _Field
    mask: NDArray[np.bool_]


def draw_surface(
    defect: str, *, size: int, rng: Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw one photograph of a surface and the mask of its defect.

    `defect` is one of SURFACE_CLASSES and `size` the side in pixels, at least 32. Returns the
    picture, RGB uint8 of shape (size, size, 3), and the mask, bool of shape (size, size), which
    is True on the defect and all False for "good". Equal states of `rng` give equal results.
    """
    if defect not in SURFACE_CLASSES:
        raise ValueError(f"unknown defect {defect!r}; valid are {', '.join(SURFACE_CLASSES)}")
    if size < _MIN_SIZE:
        raise ValueError(f"size is {size}, but must be at least {_MIN_SIZE}")
    light = _uneven_light(size, rng)[..., None]
    picture = light * _tint(rng, 0.16) * rng.uniform(28, 75)
    picture = picture + _reflections(size, rng) + _fingerprint(size, rng)[..., None]
    draw = {"good": _no_defect, "oil": _oil, "scratch": _scratch, "stain": _stain}[defect]
    drawn = draw(size, rng)
    # A defect in the dark still scatters stray light, so that not all of it goes with the light.
    picture = picture * drawn.gain[..., None] + drawn.added * (0.5 + 0.5 * light)
    return _photograph(picture + _dust_and_lint(size, rng)[..., None], rng), drawn.mask


def write_surfaces(folder: Path, *, per_class: int, size: int, seed: int) -> None:
    """Write `per_class` PNG pictures of each class, and the masks of the defects.

    Picture i = 1, 2, ... of a class goes to folder/<class>/<class>_<i>.png, its mask (grey, 0 or
    255) under the same name to the sibling <folder>-masks/<class>/; "good" has no masks. A picture
    depends on the seed, its class, i and the size alone, so a larger set extends a smaller one.
    """
    masks = folder.with_name(f"{folder.name}-masks")
    for class_index, defect in enumerate(SURFACE_CLASSES):
        for i in range(1, per_class + 1):
            rng = np.random.default_rng([seed, class_index, i])
            picture, mask = draw_surface(defect, size=size, rng=rng)
            name = f"{defect}_{i:04d}.png"
            _write_png(folder / defect / name, picture[..., ::-1])
            if defect != "good":
                _write_png(masks / defect / name, mask.astype(np.uint8) * np.uint8(255))


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    # Encoded in memory, since cv2.imwrite does not take every path and fails without an exception.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


# --- The clean surface and its distractors ---


def _uneven_light(size: int, rng: Generator) -> _Field:
    x, y = _grid(size, rng)
    vignette = 1 - rng.uniform(0.2, 1.0) * (x**2 + y**2)
    return np.asarray(np.clip(vignette + 0.2 * _noise(size, 4, rng), 0.15, 1.6))


def _reflections(size: int, rng: Generator) -> _Field:
    total = np.zeros((size, size, 3))
    for _ in range(rng.integers(1, 3)):
        x, y = _grid(size, rng)
        if rng.random() < 0.35:  # a lamp, which resembles a patch of oil
            shape = np.exp(-((x / rng.uniform(0.08, 0.3)) ** 2 + (y / rng.uniform(0.08, 0.2)) ** 2))
        else:  # the light of a window, at times not much wider than a scratch
            width = _log_uniform(rng, 0.022, 0.15)
            shape = _inside(width - np.abs(y), 0.006 + width * rng.uniform(0.15, 0.5))
            shape = shape * np.exp(-((x / rng.uniform(0.3, 1.2)) ** 2))
        total += shape[..., None] * _tint(rng, 0.15) * rng.uniform(12, 60)
    return total


def _fingerprint(size: int, rng: Generator) -> _Field:
    x, y = _grid(size, rng)
    patch = np.exp(-((x / rng.uniform(0.12, 0.3)) ** 2 + (y / rng.uniform(0.1, 0.2)) ** 2))
    bow = np.hypot(x + rng.uniform(0.08, 0.4), 0.7 * y) + 0.02 * _noise(size, 5, rng)
    ridges = 0.7 + np.sin(2 * np.pi * bow * rng.uniform(18, 28))
    patch *= max(0.0, rng.uniform(-5, 7))
    return np.asarray(patch * ridges + 1.2 * np.abs(_noise(size, 12, rng)))


def _dust_and_lint(size: int, rng: Generator) -> _Field:
    canvas = _canvas(size)
    for _ in range(rng.integers(2, 14)):
        at = rng.integers(0, len(canvas), 2).tolist()
        radius = round(len(canvas) * rng.uniform(0.002, 0.007))
        cv2.circle(canvas, at, radius, int(rng.integers(60, 255)), -1)
    for _ in range(rng.integers(0, 3)):  # lint is shorter and more curled than a scratch
        _draw_hairline(canvas, rng.uniform(0.05, 0.13), rng.uniform(1.5, 4.0), 0.008, rng)
    return _shrunk(canvas, size) * rng.uniform(15, 60)


# --- The defects ---


def _no_defect(size: int, _rng: Generator) -> _Defect:
    nothing = np.zeros((size, size))
    return _Defect(nothing + 1, np.zeros((size, size, 3)), nothing > 0)


def _oil(size: int, rng: Generator) -> _Defect:
    depth = _blob_depth(size, rng.uniform(0.16, 0.32), rng)
    cover = _inside(depth, rng.uniform(0.012, 0.04))
    relief = np.clip(0.4 + 2.5 * depth + 0.15 * _noise(size, 5, rng), 0, None)
    thickness_nm = rng.uniform(150, 420) * relief[..., None]
    # Two-beam interference: the thickness decides which wavelengths cancel.
    waves = 2 * _OIL_REFRACTIVE_INDEX * thickness_nm / _RGB_WAVELENGTHS_NM
    film = 0.4 - 0.5 * np.cos(2 * np.pi * waves)
    grey = film.mean(axis=2, keepdims=True)
    colour = grey + rng.uniform(0.4, 0.9) * (film - grey)
    added = cover[..., None] * colour * _log_uniform(rng, 25, 52)
    return _Defect(1 - 0.15 * cover, added, cover > 0.5)


def _scratch(size: int, rng: Generator) -> _Defect:
    canvas = _canvas(size)
    for _ in range(rng.integers(1, 4)):
        length, bend, width = rng.uniform((0.3, -0.6, 0.007), (0.75, 0.6, 0.018))
        _draw_hairline(canvas, length, bend, width, rng)
    cover = _shrunk(canvas, size)
    strength = _log_uniform(rng, 50, 130)
    dark = rng.random() < 0.25  # a groove that sends the light elsewhere
    gain = 1 - cover * (min(0.9, strength / 90) if dark else 0.3)
    added = cover[..., None] * _tint(rng, 0.08) * (0.0 if dark else strength)
    return _Defect(gain, added, cover > 0.2)


def _stain(size: int, rng: Generator) -> _Defect:
    depth = _blob_depth(size, rng.uniform(0.1, 0.24), rng)
    if rng.random() < 0.5:  # a second, smaller drop
        depth = np.maximum(depth, _blob_depth(size, rng.uniform(0.04, 0.09), rng))
    inside = _inside(depth, 0.006)
    width = rng.uniform(0.008, 0.025)
    broken = np.clip(0.7 + 0.5 * _noise(size, 5, rng), 0, 1.3)
    rim = broken * np.exp(-(((depth - width) / width) ** 2))
    haze = inside * (0.35 + 0.15 * _noise(size, 24, rng))
    strength = _log_uniform(rng, 25, 64)
    dark = rng.random() < 0.35
    gain = 1 - 0.15 * inside - np.clip(rim * strength / 60, 0, 0.7) * dark
    added = (haze + rim * (not dark))[..., None] * _tint(rng, 0.12) * strength
    return _Defect(gain, added, inside > 0.5)


# --- The camera ---


def _photograph(picture: _Field, rng: Generator) -> NDArray[np.uint8]:
    blurred = cv2.GaussianBlur(picture, (0, 0), max(0.3, rng.uniform(0.003, 0.008) * len(picture)))
    exposed = blurred * rng.uniform(0.75, 1.35) * _tint(rng, 0.06) + rng.uniform(0, 10)
    noise = rng.standard_normal(picture.shape) * rng.uniform(1.0, 4.0)
    pixels = np.clip(exposed + noise, 0, 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 97))]
    jpeg = cv2.imencode(".jpg", pixels[..., ::-1], quality)[1]
    decoded = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


# --- Shapes ---


def _grid(size: int, rng: Generator) -> tuple[_Field, _Field]:
    """Coordinates about a random point, turned by a random angle."""
    axis = (np.arange(size) + 0.5) / size
    centre, angle = rng.uniform(0.15, 0.85, 2), rng.uniform(0, 2 * np.pi)
    x, y = axis[None, :] - centre[0], axis[:, None] - centre[1]
    return np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x


def _noise(size: int, cells: int, rng: Generator) -> _Field:
    coarse = rng.standard_normal((cells, cells))
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float64)


def _inside(depth: _Field, edge: float) -> _Field:
    return np.asarray(0.5 + 0.5 * np.tanh(depth / (2 * edge)))


def _blob_depth(size: int, radius: float, rng: Generator) -> _Field:
    """The distance to the outline of an irregular blob, about positive inside of it."""
    x, y = _grid(size, rng)
    x = x * rng.uniform(0.7, 1.0)
    angle = np.arctan2(y, x)
    outline = 1 + 0.06 * _noise(size, 9, rng)
    for k in range(2, 6):
        outline = outline + rng.normal(0, 0.18 / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    return radius * outline - np.hypot(x, y)


def _draw_hairline(
    canvas: NDArray[np.uint8], length: float, bend: float, width: float, rng: Generator
) -> None:
    """Draw a curve that turns by `bend` radians and has tapering ends and varying pressure."""
    steps = 24
    heading = rng.uniform(0, 2 * np.pi) + np.linspace(-bend / 2, bend / 2, steps)
    path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0) * length / steps
    path += rng.uniform(0.2, 0.8, 2) - path.mean(axis=0)
    points = (path * len(canvas)).round().astype(int).tolist()
    along = np.linspace(0, 1, steps)
    pressure = np.sin(np.pi * along) ** 0.5 * (0.8 + 0.2 * np.cos(9 * along + rng.uniform(0, 6)))
    for i in range(1, steps):
        thickness = max(1, round(width * pressure[i] * len(canvas)))
        cv2.line(canvas, points[i - 1], points[i], int(64 + 191 * pressure[i]), thickness)


def _canvas(size: int) -> NDArray[np.uint8]:
    return np.zeros((size * _SUPERSAMPLING, size * _SUPERSAMPLING), np.uint8)


def _shrunk(canvas: NDArray[np.uint8], size: int) -> _Field:
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small / 255, np.float64)


def _tint(rng: Generator, spread: float) -> _Field:
    return rng.uniform(1 - spread, 1 + spread, 3)


def _log_uniform(rng: Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
