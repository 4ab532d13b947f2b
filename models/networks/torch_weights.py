"""Weights files of PyTorch, without PyTorch and without `pickle`.

Until version 1.6 `torch.save` wrote a state dict as five pickles and the bytes of the arrays behind
them. A pickle is a program; loading it runs what it calls. Here the few instructions that a state
dict needs are carried out on lists and dicts of our own, nothing that is named is looked up, and
every other instruction is an error.
"""

import math
import pickletools
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # the first pickle, the same in all files
_PROTOCOL = 1001
_KINDS = {"torch FloatStorage": "<f4", "torch LongStorage": "<i8"}
_TENSOR = "torch._utils _rebuild_tensor_v2"
_DICT = "collections OrderedDict"


class _Name(NamedTuple):
    """A class or function that the pickle names."""

    name: str


class _Storage(NamedTuple):
    """The bytes of an array, which come behind the pickles."""

    key: str
    kind: str
    size: int


class _Tensor(NamedTuple):
    """All of a storage, as an array: in each direction its size, and the values from one to the
    next."""

    storage: _Storage
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def fits(self) -> bool:
        """Whether it has as many values as the storage, and none beyond it."""
        sizes = (*self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or not all(type(size) is int for size in sizes):
            return False
        last = sum(step * (size - 1) for size, step in zip(self.shape, self.strides, strict=True))
        return min(sizes, default=1) > 0 and math.prod(self.shape) == self.storage.size > last

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the array whose storage holds `values`."""
        steps = [step * values.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(values, self.shape, steps, writeable=False)


def read_state_dict(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of a state dict that `torch.save` wrote before version 1.6.

    Raises:
        ValueError: it is none, cut short, or holds anything but arrays of float32 and int64.
    """
    stream = BytesIO(content)
    _unpickle(stream)  # the magic number
    protocol, system, tensors, keys = (_unpickle(stream) for _ in range(4))
    if protocol != _PROTOCOL or not _holds(system, "little_endian", True):
        raise ValueError("another protocol than 1001, or of a big-endian machine")
    if not isinstance(tensors, dict) or not isinstance(keys, list) or not _all_text(keys):
        raise ValueError("no state dict")
    other = next((name for name, one in tensors.items() if not isinstance(one, _Tensor)), None)
    if other is not None:
        raise ValueError(f"{other!r} is no tensor")
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    if len(storages) < len(tensors) or sorted(storages) != sorted(keys):
        raise ValueError("tensors without a storage of their own")
    arrays = {key: _read_array(stream, storages[key]) for key in keys}
    return {name: tensor.of(arrays[tensor.storage.key]) for name, tensor in tensors.items()}


def _read_array(stream: BytesIO, storage: _Storage) -> NDArray[Any]:
    size = int.from_bytes(stream.read(8), "little")
    kind = np.dtype(storage.kind)
    left = len(stream.getbuffer()) - stream.tell()
    if size != storage.size or size * kind.itemsize > left:
        raise ValueError(f"{storage.size} values are cut short")
    return np.frombuffer(stream.read(size * kind.itemsize), kind)


def _holds(found: Any, key: str, value: object) -> bool:
    return isinstance(found, dict) and found.get(key) is value


def _unpickle(stream: BytesIO) -> Any:
    """Return what the pickle at the stream's place makes, and leave the stream behind it."""
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name == "STOP":
            return machine.pop()
        machine.step(opcode.name, argument)
    raise ValueError("a pickle without an end")


class _Machine:
    """The stack and the memo of a pickle, for the instructions that state dicts need."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def pop(self) -> Any:
        """Take the last value off the stack."""
        if not self._stack:
            raise ValueError("a pickle takes more than it gave")
        return self._stack.pop()

    def step(self, name: str, argument: Any) -> None:
        """Carry out an instruction of the name that `pickletools` has for it."""
        if name in _WITH_VALUE:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in {"BINPUT", "LONG_BINPUT"}:
            self._memo[argument] = self._stack[-1] if self._stack else None
        elif name in {"BINGET", "LONG_BINGET"}:
            self._stack.append(self._memo[argument])
        elif name == "MARK":
            self._marks.append(len(self._stack))
        elif name in {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}:
            self._stack.append(tuple(self._items(name)))
        elif name in {"SETITEM", "SETITEMS", "APPEND", "APPENDS"}:
            self._fill(name, self._items(name))
        elif name == "GLOBAL":
            self._stack.append(_Name(argument))
        elif name == "BINPERSID":
            self._stack.append(_storage(self.pop()))
        elif name == "REDUCE":
            arguments = self.pop()
            self._stack.append(_call(self.pop(), arguments))
        elif name == "BUILD":  # an OrderedDict's `_metadata`, which says nothing of the arrays
            self.pop()
        elif name != "PROTO":
            raise ValueError(f"a pickle with {name}, which no state dict has")

    def _items(self, name: str) -> list[Any]:
        """Take off the stack what lies above the last mark, or a fixed number of values."""
        fixed = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "APPEND": 1, "SETITEM": 2}.get(name)
        mark = None if fixed or not self._marks else self._marks.pop()
        start = mark if fixed is None else len(self._stack) - fixed
        if start is None or not 0 <= start <= len(self._stack):
            raise ValueError("a pickle takes more than it gave")
        items, self._stack[start:] = self._stack[start:], []
        return items

    def _fill(self, name: str, items: list[Any]) -> None:
        target = self._stack[-1] if self._stack else None
        if name.startswith("APPEND") and isinstance(target, list):
            target += items
        elif name.startswith("SET") and isinstance(target, dict) and _all_text(items[::2]):
            target.update(zip(items[::2], items[1::2], strict=True))
        else:
            raise ValueError(f"a pickle with {name} on a {type(target).__name__}")


# Instructions whose argument is the value, and those that always give the same.
_WITH_VALUE = {"LONG1", "BININT", "BININT1", "BININT2", "BINUNICODE"}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "NONE": lambda: None,
}


def _all_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _storage(found: Any) -> _Storage:
    """Return the storage that a persistent id of PyTorch stands for."""
    match found:
        case ("storage", _Name(kind), str(key), "cpu", int(size), None) if kind in _KINDS:
            return _Storage(key, _KINDS[kind], size)
    raise ValueError("a pickle that refers to something else than arrays of numbers")


def _call(function: Any, arguments: Any) -> Any:
    """Return what PyTorch would make by one of the two calls that a state dict is made of."""
    match function, arguments:
        case (_Name(name), ()) if name == _DICT:
            return {}
        case (
            _Name(name),
            (_Storage() as storage, 0, tuple(shape), tuple(strides), bool(), dict()),
        ):
            tensor = _Tensor(storage, shape, strides)
            if name == _TENSOR and tensor.fits:
                return tensor
            raise ValueError("a tensor that is not all of its storage")
    # What it holds may refer to itself, or fill any memory when it is written out.
    named = function.name[:80] if isinstance(function, _Name) else type(function).__name__
    raise ValueError(f"a pickle that calls {named!r}")
