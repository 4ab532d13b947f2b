"""Frozen dataclasses to JSON and back, by their types."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from ...edge_runtime.errors import EdgeclfError
from .statistics import Interval

Record = TypeVar("Record")

_LARGEST = 2**63


def to_json(value: Any) -> Any:
    """Return a record as JSON: dataclasses as objects, tuples as lists, intervals as their ends."""
    if isinstance(value, Interval):
        return [value.low, value.high]
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[Record], value: Any, *, where: str, mend: str = "measure again") -> Record:
    """Return the record of type `kind` that `to_json` made `value` from.

    Further keys are ignored. A field with a default may be missing: files are older than it.

    Args:
        kind: a frozen dataclass.
        value: what a JSON file holds.
        where: stands before a place in the errors.
        mend: stands behind it.

    Raises:
        EdgeclfError: something is missing or of another type.
    """
    try:
        record: Record = _read(kind, value, where)
    except ValueError as error:
        raise EdgeclfError(f"{error}; {mend}") from None
    return record


def _read(kind: Any, value: Any, where: str) -> Any:
    if kind is Interval:
        ends = _read(tuple[float, ...], value, where)
        _check(len(ends) == 2, "two numbers", value, where)
        return Interval(*ends)
    if isinstance(kind, UnionType):  # X | None
        [inner] = [part for part in get_args(kind) if part is not NoneType]
        return None if value is None else _read(inner, value, where)
    if isinstance(kind, type) and is_dataclass(kind):
        _check(isinstance(value, dict), "an object", value, where)
        return kind(
            **{
                name: _read(hint, _member(value, name, where), f"{where}.{name}")
                for name, hint in _hints(kind).items()
                if name in value or name not in _defaults(kind)
            }
        )
    if get_origin(kind) is tuple:
        _check(isinstance(value, list), "a list", value, where)
        inner = get_args(kind)[0]
        return tuple(_read(inner, item, f"{where}[{i}]") for i, item in enumerate(value))
    if get_origin(kind) is dict:
        _check(isinstance(value, dict), "an object", value, where)
        inner = get_args(kind)[1]
        return {key: _read(inner, item, f"{where}.{key}") for key, item in value.items()}
    return _read_plain(kind, value, where)


def _read_plain(kind: Any, value: Any, where: str) -> Any:
    if get_origin(kind) is Literal:
        known = get_args(kind)
        _check(isinstance(value, str) and value in known, " or ".join(known), value, where)
        return value
    names = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
    if kind is float and type(value) is int and abs(value) < _LARGEST:
        value = float(value)
    _check(type(value) is kind, names[kind], value, where)
    _check(kind not in (int, float) or abs(value) < _LARGEST, "a number below 2^63", value, where)
    return value


def _member(value: dict[str, Any], name: str, where: str) -> Any:
    if name not in value:
        raise ValueError(f"{where}: lacks {name!r}")
    return value[name]


def _check(is_so: bool, expected: str, value: Any, where: str) -> None:
    if not is_so:
        # The whole text of what is nested may be too deep to make.
        kinds: dict[type, str] = {list: "a list", dict: "an object"}
        got = kinds.get(type(value)) or f"{value!r:.40}"
        raise ValueError(f"{where}: expected {expected}, got {got}")


@cache
def _defaults(kind: Any) -> frozenset[str]:
    return frozenset(field.name for field in fields(kind) if field.default is not MISSING)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}
