"""JSON lines and tables of a live run."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from live_news import event, health, observation
from schemas import valid_rows
from sink_files import feed, json_lines

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.sinks.files.line_files import CsvTable, JsonLines
from edgeclf.edge_runtime.live.sinks.queued import QueuedSink
from edgeclf.edge_runtime.prediction import CSV_COLUMNS, Refusal


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "news.jsonl"
    sink = QueuedSink(JsonLines(path), bound=9, warn=print)
    sink.report_health(health(SourceState.STALE))
    sink.observe(observation(3))
    sink.report_event(event(3), observation(3))
    sink.close(20)
    state, frame, change = json_lines(path)
    assert (state["type"], state["state"], state["reason"]) == ("source", "stale", "the cable")
    assert (state["received"], state["replaced"], state["fps"]) == (7, 3, 9.5)
    assert frame == {
        "schema": 1, "type": "frame", "time": "2025-11-25T09:15:00.423Z", "source": "camera",
        "frame": 3, "label": "oil", "score": 0.9, "refused": None,
        "novelty": None, "novelty_reason": None, "frame_label": "oil", "frame_score": 0.9,
        "top": [["oil", 0.9], ["good", 0.1]], "ms": 12.0, "age_ms": 34.5,
        "steps_ms": {"preprocess": 1.0, "invoke": 12.0, "postprocess": 0.125},
    }  # fmt: skip
    assert (change["type"], change["label"], change["previous"]) == ("event", "oil", "good")
    assert change["source"] == "camera"


def test_what_was_refused_is_written(tmp_path: Path) -> None:
    refused = Refusal("oil", 0.5, 0.6)
    seen = observation(3, label="oil", score=0.5)
    seen = replace(seen, decision=replace(seen.decision, label="unknown", refused=refused))
    sinks = [
        QueuedSink(outlet, bound=9, warn=print)
        for outlet in (JsonLines(tmp_path / "news.jsonl"), CsvTable(tmp_path / "news.csv"))
    ]
    for sink in sinks:
        sink.observe(seen)
        sink.report_event(replace(event(3, label="unknown"), refused=refused), seen)
        sink.close(20)
    for row in json_lines(tmp_path / "news.jsonl"):
        assert row["label"] == "unknown"
        assert row["refused"] == {"label": "oil", "score": 0.5, "threshold": 0.6}
    [row] = valid_rows("device/run-csv", tmp_path / "news.csv")
    assert (row["label"], row["refused"], row["threshold"]) == ("unknown", "oil", 0.6)


def test_json_lines_are_rotated_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "news.jsonl"
    feed(JsonLines(path, max_bytes=2000, keep=3), 100)
    names = ["news.1.jsonl", "news.2.jsonl", "news.3.jsonl", "news.jsonl"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert all(file.stat().st_size <= 2000 for file in tmp_path.iterdir())
    newest_last = [tmp_path / name for name in (*reversed(names[:3]), names[3])]
    numbers = [row["frame"] for file in newest_last for row in json_lines(file)]
    assert numbers == list(range(100 - len(numbers), 100))


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    feed(CsvTable(path, max_bytes=900), 3, label='a "quoted", label')
    feed(CsvTable(path, max_bytes=900), 20)
    rows = []
    for file in (tmp_path / "news.2.csv", tmp_path / "news.1.csv", path):
        with file.open(newline="") as stream:
            header, *more = csv.reader(stream)
        assert tuple(header) == CSV_COLUMNS
        rows += more
    assert [row[3] for row in rows] == [*"012", *map(str, range(20))]
    assert rows[0] == [
        "1", "2025-11-25T09:15:00.123Z", "camera", "0", 'a "quoted", label', "0.9", "", "",
        'a "quoted", label', "0.9", "12.0", "34.5", "", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@x"])
def test_a_table_holds_no_formula(tmp_path: Path, label: str) -> None:
    path = tmp_path / "news.csv"
    feed(CsvTable(path, max_bytes=600), 1, label=label)
    with path.open(newline="") as stream:
        row = list(csv.reader(stream))[1]
    assert row[4] == row[8] == f"'{label}"


def test_a_table_of_other_columns_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text("name,age\n")
    with pytest.raises(EdgeclfError, match=r"news\.csv: has other columns; choose another file"):
        CsvTable(path)
    assert path.read_text() == "name,age\n"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeclfError, match="cannot be written"):
        JsonLines(tmp_path / "file" / "news.jsonl")
