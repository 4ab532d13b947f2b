"""What the tests of `edgeclf bulk` read of its output."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet

# What two runs over the same images may differ in.
OF_THE_MOMENT = ("ms", "time")


def read_manifest(out: Path) -> dict[str, Any]:
    """The manifest in an output folder."""
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def read_rows(out: Path) -> list[dict[str, Any]]:
    """All rows of an output folder, in the order of its manifest."""
    return [
        row
        for part in read_manifest(out)["parts"]
        for row in pyarrow.parquet.read_table(out / part["path"]).to_pylist()
    ]


def lasting_table(out: Path) -> bytes:
    """The columns of all rows that two runs must have in common, as Arrow's bytes."""
    parts = [
        pyarrow.parquet.read_table(out / part["path"]).drop_columns(list(OF_THE_MOMENT))
        for part in read_manifest(out)["parts"]
    ]
    table = pyarrow.concat_tables(part.replace_schema_metadata() for part in parts)
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return bytes(sink.getvalue())
