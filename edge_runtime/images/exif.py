"""How a photograph is to be turned, by its EXIF data."""

import struct

_ORIENTATION = 0x0112


def orientation_of(exif: bytes) -> int:
    """Return the orientation that EXIF data states, 1 to 8; 1 where they state none.

    Args:
        exif: a TIFF header with its first directory, with or without `Exif` in front of it.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, at)
        for entry in range(at + 2, at + 2 + 12 * entries, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, entry)
            if tag == _ORIENTATION:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
