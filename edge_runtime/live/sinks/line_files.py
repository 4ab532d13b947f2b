"""What happens, as lines of JSON or as a table of comma-separated values."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from ...text import csv_cell
from ..observation import Event, Observation, SourceHealth
from .queued import Outlet
from .rotation import LineFile
from .rows import Row, event_row, health_row, observation_row, with_iso_time

_MAX_BYTES = 16 << 20
_KEEP = 4

CSV_COLUMNS = (
    "time",
    "frame",
    "label",
    "score",
    "frame_label",
    "frame_score",
    "age_ms",
    "invoke_ms",
)


class JsonLines(Outlet[Row]):
    """A JSON object a line: frames, events and the camera's states, told apart by `type`."""

    def __init__(self, path: Path, *, max_bytes: int = _MAX_BYTES, keep: int = _KEEP) -> None:
        """Append to `path`; beyond `max_bytes` to a new file, with `keep` older ones kept."""
        self.name = str(path)
        self._file = LineFile(path, max_bytes=max_bytes, keep=keep)

    def pick(self, observation: Observation) -> Row:
        """Take every frame."""
        return observation_row(observation)

    def pick_event(self, event: Event, observation: Observation) -> Row:  # noqa: ARG002
        """Take every event."""
        return event_row(event)

    def pick_health(self, health: SourceHealth) -> Row:
        """Take every state."""
        return health_row(health)

    def write(self, item: Row) -> None:
        """Append a line."""
        line = json.dumps(with_iso_time(item), ensure_ascii=False)
        self._file.append(line.encode(errors="backslashreplace") + b"\n")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class CsvTable(Outlet[Row]):
    """A row a frame, under `CSV_COLUMNS`."""

    def __init__(self, path: Path, *, max_bytes: int = _MAX_BYTES, keep: int = _KEEP) -> None:
        """Append to `path`; beyond `max_bytes` to a new file, with `keep` older ones kept."""
        self.name = str(path)
        header = _csv_line(CSV_COLUMNS)
        self._file = LineFile(path, max_bytes=max_bytes, keep=keep, header=header)

    def pick(self, observation: Observation) -> Row:
        """Take every frame."""
        return observation_row(observation)

    def write(self, item: Row) -> None:
        """Append a line."""
        row = with_iso_time(item) | {"invoke_ms": item["steps_ms"].get("invoke", "")}
        self._file.append(_csv_line([row[column] for column in CSV_COLUMNS]))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _csv_line(values: Sequence[object]) -> bytes:
    line = io.StringIO()
    cells = [csv_cell(value) if isinstance(value, str) else value for value in values]
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()
