"""A photograph that somebody sends: limited before it is read, and before it is decoded."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

from ...images import ImageError, RGBImage, decode_image

# How many times the limit is read before the line is cut.
_THROWN_AWAY = 5
_MOST_PARTS = 16
# The status of the HTTP answer to each fault of an image, and what to do; 422 for the others.
_KNOWN = "; send a JPEG, PNG, WebP, BMP or TIFF file"
_DAMAGED = (422, "; send one that can be decoded")
_REFUSALS = {
    "empty": (400, _KNOWN),
    "unknown": (415, _KNOWN),
    "large": (413, "; send a smaller photograph"),
}

# It warns of each damaged form on stderr, which whoever sends them could fill.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())


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
    """Return the image file in `body`: all of it, or the first file of a multipart form.

    Raises:
        RefusedError: the form is damaged, holds no whole file or more than 16 parts.
    """
    kind, options = parse_options_header(content_type)
    if kind.lower() != b"multipart/form-data":
        return body
    parts: list[Field | File] = []

    def add(part: Field | File) -> None:
        if len(parts) == _MOST_PARTS:
            raise FormParserError(f"more than {_MOST_PARTS} parts")
        parts.append(part)

    try:
        form = FormParser(
            "multipart/form-data",
            add,
            add,
            boundary=options.get(b"boundary"),
            config={"MAX_MEMORY_FILE_SIZE": len(body)},  # beyond that it writes to the disk
        )
        form.write(body)
        form.finalize()
    except FormParserError as error:
        raise RefusedError(400, f"the multipart form cannot be read: {error}") from None
    for part in parts:
        if isinstance(part, File):
            part.file_object.seek(0)
            return part.file_object.read()
    raise RefusedError(400, "no whole file in the multipart form; send one")


def decode_photograph(data: bytes, *, pixels: int) -> RGBImage:
    """Return the photograph upright, RGB uint8 of shape (height, width, 3).

    Raises:
        RefusedError: it is empty, no image, damaged or has more than `pixels`.
    """
    try:
        return decode_image(data, name="photograph", most_pixels=pixels)
    except ImageError as error:
        status, mend = _REFUSALS.get(error.fault, _DAMAGED)
        reason = "not an image" if error.fault == "unknown" else error.reason
        raise RefusedError(status, f"{reason}{mend}") from None
