"""A photograph that somebody sends: limited before it is read, and before it is decoded."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ...images import ImageError, RGBImage, decode_image

# How many times the limit is read before the line is cut.
_THROWN_AWAY = 5
# The status of the HTTP answer to each fault of an image, and what to do; 422 for the others.
_KNOWN = "; send a JPEG, PNG, WebP, BMP or TIFF file"
_DAMAGED = (422, "; send one that can be decoded")
_REFUSALS = {
    "empty": (400, _KNOWN),
    "unknown": (415, _KNOWN),
    "large": (413, "; send a smaller photograph"),
}


@dataclass(frozen=True)
class Limits:
    """What an upload may be at most.

    Attributes:
        bytes: of the request's body.
        pixels: of the image, by its header.
    """

    bytes: int = 20_000_000
    pixels: int = 50_000_000


class RefusedError(Exception):
    """An upload that is not taken.

    Attributes:
        status: of the HTTP answer.
    """

    def __init__(self, status: int, reason: str) -> None:
        """Refuse with `status`, for `reason`."""
        super().__init__(reason)
        self.status = status


async def read_body(chunks: AsyncIterator[bytes], *, announced: str | None, limit: int) -> bytes:
    """Return the body, unless it is larger than `limit` bytes.

    What is too large is read on for a while and thrown away: who is cut off while sending never
    reads why.

    Args:
        chunks: what comes.
        announced: the request's Content-Length.
        limit: how many bytes it may be.
    """
    refusal = RefusedError(413, f"more than {limit / 1e6:g} MB; send a smaller photograph")
    if announced is not None and announced.isdecimal() and int(announced) > _THROWN_AWAY * limit:
        raise refusal
    body = bytearray()
    came = 0
    async for chunk in chunks:
        came += len(chunk)
        if came <= limit:
            body += chunk
        elif came > _THROWN_AWAY * limit:
            raise refusal
        else:
            body.clear()
    if came > limit:
        raise refusal
    return bytes(body)


def photograph_in(body: bytes, content_type: str) -> bytes:
    """Return the image file in `body`: all of it, or the first file of a multipart form."""
    if not content_type.lower().startswith("multipart/form-data"):
        return body
    boundary = re.search(r'boundary="?([^";]{1,70})', content_type, re.IGNORECASE)
    if boundary is None:
        raise RefusedError(400, "multipart/form-data without a boundary")
    # RFC 2046, 5.1.1: the line break before a delimiter belongs to the delimiter.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:-1]:
        head, blank, content = part.partition(b"\r\n\r\n")
        if blank and b"filename=" in head:
            return content
    raise RefusedError(400, "no file in the multipart form; send one")


def decode_photograph(data: bytes, *, pixels: int) -> RGBImage:
    """Return the photograph upright, RGB uint8 of shape (height, width, 3).

    Raises:
        RefusedError: it is empty, no image, damaged or has more than `pixels`.
    """
    try:
        return decode_image(data, name="photograph", most_pixels=pixels)
    except ImageError as error:
        status, mend = _REFUSALS.get(error.fault, _DAMAGED)
        raise RefusedError(status, f"{error}{mend}") from None
