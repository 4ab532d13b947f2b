"""Messages between a benchmark and its workers: a line of JSON, then as many bytes as it says."""

import json
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Message = dict[str, Any]


def send(stream: IO[bytes], message: Message, payload: bytes = b"") -> None:
    """Write a message and the bytes that go with it."""
    stream.write(json.dumps(message | {"bytes": len(payload)}).encode() + b"\n")
    stream.write(payload)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[Message, bytes] | None:
    """Read a message and its bytes; None once the other side has ended."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    message: Message = json.loads(line)
    payload = stream.read(message["bytes"])
    return (message, payload) if len(payload) == message["bytes"] else None


def array_of(payload: bytes, *, dtype: str, columns: int) -> NDArray[Any]:
    """Return the payload as an array of shape (rows, columns)."""
    return np.frombuffer(payload, dtype).reshape(-1, columns)
