"""How a photograph looks, in a form that can be held against thousands of others.

A hash finds pictures that may be the same, within milliseconds. A spectrum tells whether they are:
the correlation of two pictures over all shifts, blind to exposure, and sure of itself.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 64
# Half of each frequency's amplitude is taken away: correlation (0) is led astray by streaks and
# shading, phase correlation (1) by noise.
_WHITENING = 0.5
# Widths of the Gaussians, in pixels of the small picture: what is broader than the first is
# lighting, and contrast is levelled over the second.
_DETAIL, _LEVELLED = 4.0, 6.0
# Pictures that agree in one place alone, say a spot on black, do not show the same.
_PLACE = SIDE // 4

Grey = NDArray[np.uint8]
Spectrum = NDArray[np.complex64]


@dataclass(frozen=True)
class Match:
    """How alike two pictures are once one is shifted onto the other, -1 to 1.

    Attributes:
        whole: correlation of their details.
        elsewhere: the same without the place, a sixteenth of the picture, that speaks most for it.
    """

    whole: float
    elsewhere: float

    def reaches(self, whole: float, elsewhere: float) -> bool:
        """Tell whether both figures are at least so high."""
        return self.whole >= whole and self.elsewhere >= elsewhere


def perceptual_hash(grey: Grey) -> NDArray[np.uint8]:
    """Return 64 bits, as 8 bytes, that stay as they are when a picture is resized or lightened.

    Signs of the 8x8 lowest frequencies of a cosine transform against their median: pHash, in
    C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010.
    """
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = cv2.dct(small)[:8, :8].ravel()
    return np.packbits(lowest > np.median(lowest[1:]))


def spectrum(grey: Grey, *, keep_aspect: bool) -> Spectrum:
    """Return the details of a picture as a spectrum of shape (64, 33) and unit energy.

    Args:
        grey: of shape (height, width).
        keep_aspect: whether the longer side becomes 64 pixels, or both.
    """
    height, width = grey.shape
    longest = max(height, width)
    size = (SIDE, SIDE)
    if keep_aspect:
        size = max(1, round(width * SIDE / longest)), max(1, round(height * SIDE / longest))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = small - cv2.GaussianBlur(small, (0, 0), _DETAIL)
    # One grey level more, so that what is nothing but rounding stays small.
    detail /= np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _LEVELLED)) + 1
    rows, columns = (np.hanning(n + 2)[1:-1] for n in detail.shape)
    picture = np.zeros((SIDE, SIDE), np.float32)
    picture[: size[1], : size[0]] = (detail - detail.mean()) * np.sqrt(np.outer(rows, columns))
    frequencies = np.fft.rfft2(picture)
    frequencies /= np.abs(frequencies) ** _WHITENING + 1e-6
    energy = float(np.linalg.norm(np.fft.irfft2(frequencies, s=(SIDE, SIDE))))
    return np.asarray(frequencies / energy if energy > 1e-3 else 0 * frequencies, np.complex64)


def correlations(one: Spectrum, others: Spectrum) -> NDArray[np.float32]:
    """Return the highest correlation over all shifts of `one` with each of `others`."""
    shifted = np.fft.irfft2(one.conj() * others, s=(SIDE, SIDE))
    return np.asarray(shifted.max((-2, -1)), np.float32)


def match(one: Spectrum, other: Spectrum) -> Match:
    """Hold two pictures against each other."""
    shifted = np.fft.irfft2(one.conj() * other, s=(SIDE, SIDE))
    down, right = np.unravel_index(shifted.argmax(), shifted.shape)
    first, second = (np.fft.irfft2(each, s=(SIDE, SIDE)) for each in (one, other))
    second = np.roll(second, (-int(down), -int(right)), (0, 1))

    agreement = np.asarray(first * second, np.float32)
    place = cv2.boxFilter(
        agreement, -1, (_PLACE, _PLACE), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    row, column = np.unravel_index(place.argmax(), place.shape)
    half = _PLACE // 2
    rest = np.ones_like(agreement)
    rest[max(0, row - half) : row + half, max(0, column - half) : column + half] = 0
    energies = float((first**2 * rest).sum() * (second**2 * rest).sum())
    elsewhere = float((agreement * rest).sum()) / energies**0.5 if energies > 1e-12 else 0.0
    return Match(float(shifted[down, right]), elsewhere)
