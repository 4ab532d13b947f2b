"""The rows of a bulk run: one an image, in Parquet files of a fixed schema."""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow
import pyarrow.parquet

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.prediction import Prediction, iso_time
from .inputs.reading import Decoded
from .output import OutputFolder, part_name

# It rises when a column changes its meaning or goes.
SCHEMA = 1
_HEAD = b"edgeclf.part"
COLUMNS = pyarrow.schema(
    [
        ("schema", pyarrow.int32()),
        ("path", pyarrow.string()),
        ("sha256", pyarrow.string()),
        ("model", pyarrow.string()),
        ("label", pyarrow.string()),
        ("score", pyarrow.float32()),
        ("top", pyarrow.list_(
            pyarrow.struct([("label", pyarrow.string()), ("score", pyarrow.float32())])
        )),
        ("novelty", pyarrow.float64()),
        ("novelty_reason", pyarrow.string()),
        ("ms", pyarrow.float32()),
        ("modified", pyarrow.string()),
        ("error", pyarrow.string()),
        ("time", pyarrow.string()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """What a finished part holds.

    Attributes:
        name: of its file in the output folder.
        rows: how many.
        sha256: of its file.
        seconds: that it took.
        node: the machine that made it.
        labels: rows by label.
        errors: rows with an error.
        unknown: rows by the reason of their novelty.
    """

    name: str
    rows: int
    sha256: str
    seconds: float
    node: str
    labels: Mapping[str, int]
    errors: int
    unknown: Mapping[str, int]


def make_row(
    image: Decoded, prediction: Prediction | None, *, model: str, at: float
) -> dict[str, Any]:
    """Return the row of an image.

    Args:
        image: as it was read.
        prediction: of the model; None for an image with an error.
        model: SHA-256 of the model's file.
        at: when it was classified, seconds since the epoch.
    """
    row: dict[str, Any] = dict.fromkeys(COLUMNS.names)
    row |= {
        "schema": SCHEMA,
        "path": _text(image.path),
        "sha256": image.sha256,
        "model": model,
        "modified": None if image.modified is None else _time_text(image.modified / 1e9),
        "error": None if image.error is None else _text(image.error),
        "time": iso_time(at),
    }
    if prediction is not None:
        row |= {
            "label": prediction.label,
            "score": prediction.score,
            "top": [{"label": label, "score": score} for label, score in prediction.top],
            "novelty": prediction.novelty,
            "novelty_reason": prediction.novelty_reason,
            "ms": image.preprocess_ms + prediction.ms,
        }
    return row


def _text(text: str) -> str:
    """Return `text` with the bytes of a name that are no UTF-8 escaped."""
    return text.encode(errors="backslashreplace").decode()


def _time_text(seconds: float) -> str | None:
    try:
        return iso_time(seconds)
    except (OverflowError, ValueError, OSError):  # a tar shard may say anything
        return None


def write_part(
    out: OutputFolder,
    chunk: int,
    rows: Sequence[dict[str, Any]],
    *,
    plan: str,
    seconds: float,
    node: str,
) -> Part:
    """Write the part of a chunk, whole, and return what it holds.

    Args:
        out: the output folder.
        chunk: its number in the plan.
        rows: as `make_row` returns them.
        plan: SHA-256 of the plan.
        seconds: that the chunk took.
        node: the machine.
    """
    head = {"plan": plan, "chunk": chunk, "seconds": round(seconds, 3), "node": node}
    table = pyarrow.Table.from_pylist(rows, schema=COLUMNS).replace_schema_metadata(
        {_HEAD: json.dumps(head)}
    )
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    data = buffer.getvalue()
    out.write(part_name(chunk), data)
    return _part(part_name(chunk), data, table, head)


def read_part(out: OutputFolder, chunk: int, *, plan: str, images: int) -> Part:
    """Return what the finished part of a chunk holds.

    Raises:
        EdgeclfError: it is damaged, or of another plan.
    """
    name = part_name(chunk)
    data = out.read(name)
    table, head = None, {}
    with suppress(pyarrow.ArrowException, KeyError, TypeError, ValueError):
        table = pyarrow.parquet.read_table(io.BytesIO(data))
        head = json.loads(table.schema.metadata[_HEAD])
    if table is None or (
        (head.get("plan"), head.get("chunk"), table.num_rows) != (plan, chunk, images)
    ):
        raise EdgeclfError(
            f"{out.place.name(out.path(name))}: damaged, or of another run; delete it and resume"
        )
    return _part(name, data, table, head)


def _part(name: str, data: bytes, table: Any, head: Mapping[str, Any]) -> Part:
    return Part(
        name=name,
        rows=table.num_rows,
        sha256=hashlib.sha256(data).hexdigest(),
        seconds=head["seconds"],
        node=head["node"],
        labels=_counts(table["label"]),
        errors=table.num_rows - table["error"].null_count,
        unknown=_counts(table["novelty_reason"]),
    )


def _counts(column: Any) -> dict[str, int]:
    counted = column.value_counts().to_pylist()
    return dict(Counter({one["values"]: one["counts"] for one in counted if one["values"]}))
