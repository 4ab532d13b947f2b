"""FlatBuffers read without generated code; what points outside of the file is an error.

A table is known by its position; a field by its slot, its place among the fields in the schema.
Layout: https://flatbuffers.dev/internals/
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NUMBERS = {code: struct.Struct("<" + code) for code in "BHIQi"}


class FlatbufferError(ValueError):
    """The bytes are no FlatBuffer, are damaged, or were cut short."""


@dataclass(frozen=True)
class Table:
    """A table in a FlatBuffer.

    Attributes:
        data: the whole FlatBuffer.
        at: where the table lies in it.
    """

    data: bytes | bytearray
    at: int

    def integer(self, slot: int, code: str, default: int = 0) -> int:
        """Return a number stored as the `struct` format `code`."""
        at = self.position(slot)
        return _read(self.data, at, code) if at else default

    def text(self, slot: int) -> str | None:
        """Return a string, or None if there is none."""
        found = self._vector(slot, 1)
        if found is None:
            return None
        return self.data[found[0] : found[0] + found[1]].decode(errors="replace")

    def array(self, slot: int, dtype: str) -> NDArray[Any]:
        """Return a vector of numbers of the NumPy type `dtype`, without a copy."""
        kind = np.dtype(dtype).newbyteorder("<")
        start, count = self._vector(slot, kind.itemsize) or (0, 0)
        return np.frombuffer(self.data, kind, count=count, offset=start)

    def table(self, slot: int) -> "Table | None":
        """Return a table, or None if there is none."""
        at = self.target(slot)
        return Table(self.data, at) if at else None

    def tables(self, slot: int) -> list["Table"]:
        """Return a vector of tables."""
        start, count = self._vector(slot, 4) or (0, 0)
        places = range(start, start + 4 * count, 4)
        return [Table(self.data, at + _read(self.data, at, "I")) for at in places]

    def position(self, slot: int) -> int:
        """Return where the field in `slot` is stored, 0 if it is not."""
        vtable = self.at - _read(self.data, self.at, "i")
        if 4 + 2 * slot >= _read(self.data, vtable, "H"):
            return 0
        offset = _read(self.data, vtable + 4 + 2 * slot, "H")
        return self.at + offset if offset else 0

    def target(self, slot: int) -> int:
        """Return where lies what the offset in `slot` points to, 0 if there is none."""
        at = self.position(slot)
        return at + _read(self.data, at, "I") if at else 0

    @property
    def slots(self) -> int:
        """How many fields the table's writer knew."""
        return _read(self.data, self.at - _read(self.data, self.at, "i"), "H") // 2 - 2

    def _vector(self, slot: int, size: int) -> tuple[int, int] | None:
        start = self.target(slot)
        if not start:
            return None
        count = _read(self.data, start, "I")
        if start + 4 + count * size > len(self.data):
            raise FlatbufferError(f"a vector at byte {start} ends beyond the last one")
        return start + 4, count


def root_table(data: bytes | bytearray, identifier: bytes) -> Table:
    """Return the root of the FlatBuffer `data`, which must carry the file `identifier`."""
    if data[4:8] != identifier:
        raise FlatbufferError(f"it does not carry the identifier {identifier.decode()}")
    return Table(data, _read(data, 0, "I"))


def _read(data: bytes | bytearray, at: int, code: str) -> int:
    number = _NUMBERS[code]
    if not 0 <= at <= len(data) - number.size:
        raise FlatbufferError(f"it points to byte {at} of {len(data)}")
    value: int = number.unpack_from(data, at)[0]
    return value
