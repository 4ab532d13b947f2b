"""Whether a .tflite file is sound: no offset, index or size in it may lead native code astray.

The runtimes verify a FlatBuffer themselves, but not that a buffer holds what its tensor's shape
says, nor that a stride is a number to divide by. NumPy reads all tables of a kind at once, which
takes milliseconds for DenseNet121.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .flatbuffer import FlatbufferError
from .tflite_file import IDENTIFIER

Places = NDArray[np.int64]

# Bits of an element, by the number of its type; types that no classifier has are missing.
_BITS = {
    0: 32, 1: 16, 2: 32, 3: 8, 4: 64, 6: 8, 7: 16, 8: 64, 9: 8, 10: 64, 11: 128, 12: 64, 15: 32,
    16: 16, 17: 4, 18: 16, 19: 2, 20: 4,
}  # fmt: skip

# By the type of an operator's options, the slots that hold strides, dilations and sizes of filters,
# with their defaults: of convolutions, depthwise convolutions and pools.
_FACTORS = {
    1: ((1, 0), (2, 0), (4, 1), (5, 1)),
    2: ((1, 0), (2, 0), (5, 1), (6, 1)),
    5: ((1, 0), (2, 0), (3, 0), (4, 0)),
}
_LARGEST_FACTOR = 1 << 16

_CUSTOM = 32  # of an operator code
_LARGEST_TENSOR = 1 << 28  # bytes
_HIGHEST_RANK = 8


def check_structure(data: bytes | memoryview) -> None:
    """Complain of a .tflite file whose parts do not fit together.

    Args:
        data: the FlatBuffer, without files behind it.

    Raises:
        FlatbufferError: what is wrong with it.
    """
    if data[4:8] != IDENTIFIER:
        raise FlatbufferError(f"it does not carry the identifier {IDENTIFIER.decode()}")
    file = _File(data)
    try:
        _check_model(file.tables(file.read("u4", np.zeros(1, np.int64)).astype(np.int64)))
    except IndexError:  # of NumPy, at a byte that is not there
        raise FlatbufferError(f"it points beyond the last of its {len(data)} bytes") from None


def _check_model(model: "_Tables") -> None:
    if model.numbers(0, "u4")[0] != 3:
        raise FlatbufferError("it is of another version than 3")
    buffers = model.children(4)
    sizes = buffers.vectors(0, 1)[1]
    if (buffers.numbers(1, "u8") > 1).any():
        raise FlatbufferError("its weights lie outside of the FlatBuffer")
    codes = model.children(1)
    codes.check_texts(1)
    graphs = model.children(2)
    if not graphs.count:
        raise FlatbufferError("it holds no graph")
    for place in range(graphs.count):
        _check_graph(graphs.one(place), sizes, codes)
    metadata = model.children(6)
    metadata.check_texts(0)
    _check_below(metadata.numbers(1, "u4"), buffers.count, "buffer")
    _check_signatures(model.children(7), graphs)


def _check_graph(graph: "_Tables", sizes: Places, codes: "_Tables") -> None:
    tensors, operators = graph.children(0), graph.children(3)
    held = sizes[_check_below(tensors.numbers(2, "u4"), sizes.size, "buffer")]
    _check_tensors(tensors, held)
    codes_used = _check_below(operators.numbers(0, "u4"), codes.count, "operator code")
    read, reader = operators.integers(1)
    made, maker = operators.integers(2)
    inputs, outputs = graph.integers(1)[0], graph.integers(2)[0]
    for places, least in ((read, -1), (made, 0), (inputs, 0), (outputs, 0)):
        if places.size and not (least <= places.min() and places.max() < tensors.count):
            raise FlatbufferError(f"it names a tensor that is none of its {tensors.count}")
    # What an operator reads is there by then.
    ready = np.where((held > 0) | (tensors.numbers(5, "u1") > 0), -1, operators.count)
    ready[inputs] = -1
    ready[made[::-1]] = maker[::-1]
    # What a custom operator computes in is made by no other, as of Arm's Ethos-U.
    used = (read >= 0) & (codes.numbers(3, "i4")[codes_used] != _CUSTOM)[reader]
    if (ready[read[used]] >= reader[used]).any():
        raise FlatbufferError("an operator reads a tensor that nothing has made")
    _check_options(operators)


def _check_tensors(tensors: "_Tables", held: Places) -> None:
    tensors.check_texts(3)
    tensors.vectors(7, 4)
    types = tensors.numbers(1, "u1")
    bits = np.array([_BITS.get(kind, 0) for kind in range(256)])[types]
    if not bits.all():
        raise FlatbufferError(f"it has a tensor of type {types[bits == 0][0]}")
    if tensors.places(6, 4).any():
        raise FlatbufferError("it has a sparse tensor")
    dims, owners = tensors.integers(0)
    ranks = np.bincount(owners, minlength=tensors.count)
    if ranks.max(initial=0) > _HIGHEST_RANK or (dims < 1).any():
        raise FlatbufferError("it has a tensor whose shape is none")
    elements = np.ones(tensors.count)
    np.multiply.at(elements, owners, dims.astype(np.float64))  # no overflow
    stored = np.ceil(elements * bits / 8)
    if stored.max(initial=0) > _LARGEST_TENSOR:
        raise FlatbufferError(f"it has a tensor of {stored.max():.0f} bytes")
    for place in np.flatnonzero((held > 0) & (held != stored))[:1]:
        raise FlatbufferError(
            f"tensor {place} takes {stored[place]:.0f} bytes, its buffer holds {held[place]}"
        )
    starts = np.cumsum(ranks) - ranks
    _check_quantization(*tensors.child(4), dims, starts, ranks)


def _check_quantization(
    tables: "_Tables", owners: Places, dims: Places, starts: Places, ranks: Places
) -> None:
    for slot in (0, 1):
        tables.vectors(slot, 4)
    counts = tables.vectors(2, 4)[1]
    zero_points = tables.vectors(3, 8)[1]
    if ((zero_points > 0) & (zero_points != counts)).any():
        raise FlatbufferError("it has not as many zero points as scales")
    several = np.flatnonzero(counts > 1)
    axes = tables.numbers(6, "i4")[several]
    if (axes < 0).any() or (axes >= ranks[owners[several]]).any():
        raise FlatbufferError("it has scales along an axis that is none")
    if (dims[starts[owners[several]] + axes] != counts[several]).any():
        raise FlatbufferError("it has not as many scales as channels")


def _check_options(operators: "_Tables") -> None:
    kinds = operators.numbers(3, "u1")
    options, owners = operators.child(4)
    operators.child(12)
    operators.vectors(5, 1)
    operators.vectors(8, 4)
    for kind, slots in _FACTORS.items():
        chosen = options.some(kinds[owners] == kind)
        for slot, default in slots:
            factors = chosen.numbers(slot, "i4", default)
            if factors.size and not (factors.min() >= 1 and factors.max() <= _LARGEST_FACTOR):
                raise FlatbufferError("an operator has a stride, dilation or filter of no size")


def _check_signatures(signatures: "_Tables", graphs: "_Tables") -> None:
    of = _check_below(signatures.numbers(4, "u4"), graphs.count, "graph")
    signatures.check_texts(2)
    for place in range(signatures.count):
        tensors = graphs.one(int(of[place])).children(0).count
        for slot in (0, 1):
            ends = signatures.one(place).children(slot)
            ends.check_texts(0)
            _check_below(ends.numbers(1, "u4"), tensors, "tensor")


def _check_below(numbers: Places, limit: int, what: str) -> Places:
    if numbers.size and numbers.max() >= limit:
        raise FlatbufferError(f"it names {what} {numbers.max()} of {limit}")
    return numbers


@dataclass(frozen=True)
class _File:
    """The bytes, read at many places at once."""

    data: bytes | memoryview
    views: dict[str, NDArray[Any]] = field(default_factory=dict)

    def read(self, dtype: str, at: Places) -> NDArray[Any]:
        """Return the little-endian numbers at the bytes `at`, which need not be aligned."""
        if dtype not in self.views:
            kind = np.dtype("<" + dtype)
            count = max(len(self.data) - kind.itemsize + 1, 0)
            self.views[dtype] = np.ndarray((count,), kind, self.data, strides=(1,))
        return self.views[dtype][at]

    def tables(self, at: Places) -> "_Tables":
        vtables = at - self.read("i4", at)
        if (vtables < 0).any():
            raise FlatbufferError("it points before the first byte")
        spans = self.read("u2", vtables).astype(np.int64)
        extents = self.read("u2", vtables + 2).astype(np.int64)
        if (spans < 4).any() or (spans % 2).any() or (extents < 4).any():
            raise FlatbufferError("it has a table without fields")
        if ((vtables + spans > len(self.data)) | (at + extents > len(self.data))).any():
            raise FlatbufferError("it has a table that ends beyond the last byte")
        return _Tables(self, at, vtables, spans, extents)


@dataclass(frozen=True)
class _Tables:
    """Tables of one kind: where they lie, and their lists of fields."""

    file: _File
    at: Places
    vtables: Places
    spans: Places
    extents: Places

    @property
    def count(self) -> int:
        return self.at.size

    def some(self, chosen: NDArray[Any]) -> "_Tables":
        parts = (self.at, self.vtables, self.spans, self.extents)
        return _Tables(self.file, *(part[chosen] for part in parts))

    def one(self, place: int) -> "_Tables":
        return self.some(np.array([place]))

    def places(self, slot: int, width: int) -> Places:
        """Return where the field in `slot` of each table lies, 0 where there is none."""
        entry = 4 + 2 * slot
        known = self.spans > entry
        offsets = np.zeros(self.count, np.int64)
        offsets[known] = self.file.read("u2", self.vtables[known] + entry)
        if (offsets + width > self.extents)[offsets > 0].any():
            raise FlatbufferError("it has a field that ends beyond its table")
        return np.where(offsets > 0, self.at + offsets, 0)

    def numbers(self, slot: int, dtype: str, default: int = 0) -> Places:
        """Return the number in `slot` of each table."""
        at = self.places(slot, np.dtype(dtype).itemsize)
        numbers = np.full(self.count, default, np.int64)
        numbers[at > 0] = self.file.read(dtype, at[at > 0])
        return numbers

    def targets(self, slot: int) -> Places:
        """Return where lies what the offset in `slot` of each table points to, 0 without one."""
        at = self.places(slot, 4)
        at[at > 0] += self.file.read("u4", at[at > 0])
        return at

    def vectors(self, slot: int, width: int) -> tuple[Places, Places]:
        """Return start and length of the vector in `slot` of each table; 0 and 0 without one."""
        at = self.targets(slot)
        counts = np.zeros(self.count, np.int64)
        counts[at > 0] = self.file.read("u4", at[at > 0])
        if (at + 4 + counts * width > len(self.file.data)).any():
            raise FlatbufferError("it has a vector that ends beyond the last byte")
        return at + 4, counts

    def check_texts(self, slot: int) -> None:
        """Complain of a string in `slot` that is no UTF-8, which Python's bindings cannot name."""
        data = self.file.data
        starts, counts = self.vectors(slot, 1)
        found = [
            data[at : at + count]
            for at, count in zip(starts.tolist(), counts.tolist(), strict=True)
        ]
        try:
            b"\0".join(found).decode()
        except UnicodeDecodeError:
            raise FlatbufferError("it has a name that is no UTF-8") from None

    def gather(self, slot: int, dtype: str) -> tuple[NDArray[Any], Places]:
        """Return the items of all vectors in `slot`, one after the other, and whose each is."""
        width = np.dtype(dtype).itemsize
        starts, counts = self.vectors(slot, width)
        total = int(counts.sum())
        if total > len(self.file.data) // width:
            raise FlatbufferError("its vectors overlap")
        owners, within = _items(counts)
        return self.file.read(dtype, starts[owners] + width * within), owners

    def integers(self, slot: int) -> tuple[Places, Places]:
        """Return what `gather` does, of int32."""
        items, owners = self.gather(slot, "i4")
        return items.astype(np.int64), owners

    def children(self, slot: int) -> "_Tables":
        """Return the tables of all vectors of tables in `slot`."""
        starts, counts = self.vectors(slot, 4)
        offsets, owners = self.gather(slot, "u4")
        _, within = _items(counts)
        return self.file.tables(starts[owners] + 4 * within + offsets)

    def child(self, slot: int) -> tuple["_Tables", Places]:
        """Return the tables in `slot`, and whose each is."""
        targets = self.targets(slot)
        owners = np.flatnonzero(targets)
        return self.file.tables(targets[owners]), owners


def _items(counts: Places) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return of each item of vectors of these lengths whose it is, and its place in the vector."""
    lengths = counts.astype(np.intp)  # `repeat` takes no int64 on 32 bits
    owners = np.repeat(np.arange(len(lengths), dtype=np.intp), lengths)
    return owners, np.arange(owners.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
