"""What tests of files that sinks write share."""

import json
from pathlib import Path
from typing import Any

from live_news import observation
from schemas import valid

from edgeclf.edge_runtime.live.sinks.queued import Outlet, QueuedSink


def feed(outlet: Outlet[Any], count: int, **options: Any) -> QueuedSink[Any]:
    warnings: list[str] = []
    sink = QueuedSink(outlet, bound=10_000, warn=warnings.append)
    for number in range(count):
        sink.observe(observation(number, **options))
    sink.close(20)
    assert warnings == []
    return sink


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [valid("device/run-live", json.loads(line)) for line in path.read_bytes().splitlines()]
