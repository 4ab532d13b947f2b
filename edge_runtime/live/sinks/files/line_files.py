"""What happens, as lines of JSON or as a table of comma-separated values."""

import json
from pathlib import Path

from ....prediction import CSV_COLUMNS, Record, csv_line, csv_row
from ...observation import Event, Observation, SourceHealth
from ..queued import Outlet
from ..rows import event_row, health_row, observation_row
from .rotation import LineFile

_MAX_BYTES = 16 << 20
_KEEP = 4


class JsonLines(Outlet[Record]):
    """A JSON object a line: frames, events and the camera's states, distinguished by `type`."""

    def __init__(self, path: Path, *, max_bytes: int = _MAX_BYTES, keep: int = _KEEP) -> None:
        """Append to `path`; beyond `max_bytes` to a new file, with `keep` older ones kept."""
        self.name = str(path)
        self._file = LineFile(path, max_bytes=max_bytes, keep=keep)

    def pick(self, observation: Observation) -> Record:
        """Take every frame."""
        return observation_row(observation)

    def pick_event(self, event: Event, observation: Observation) -> Record:
        """Take every event."""
        return event_row(event, source=observation.frame.source)

    def pick_health(self, health: SourceHealth) -> Record:
        """Take every state."""
        return health_row(health)

    def write(self, item: Record) -> None:
        """Append a line."""
        line = json.dumps(item, ensure_ascii=False)
        self._file.append(line.encode(errors="backslashreplace") + b"\n")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class CsvTable(Outlet[Record]):
    """A row a frame, under `CSV_COLUMNS`."""

    def __init__(self, path: Path, *, max_bytes: int = _MAX_BYTES, keep: int = _KEEP) -> None:
        """Append to `path`; beyond `max_bytes` to a new file, with `keep` older ones kept."""
        self.name = str(path)
        header = csv_row(CSV_COLUMNS)
        self._file = LineFile(path, max_bytes=max_bytes, keep=keep, header=header)

    def pick(self, observation: Observation) -> Record:
        """Take every frame."""
        return observation_row(observation)

    def write(self, item: Record) -> None:
        """Append a line."""
        self._file.append(csv_line(item))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
