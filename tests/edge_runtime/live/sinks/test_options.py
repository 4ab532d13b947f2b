"""The options of sinks, as a command gets them."""

import json
import re
import threading
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from live_news import LABELS, event, health, observation, wait_until

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.sinks.options import (
    SinkOptions,
    open_sinks,
    sink_options,
)
from edgeclf.edge_runtime.live.sinks.queued import QueuedSink, close_sinks


@click.command()
@click.argument("word")
@sink_options
@click.option("--threshold", default=0.25)
def live(word: str, threshold: float, **values: Any) -> None:
    """A command with options of its own before and after."""
    click.echo(f"{word} {threshold}")
    got.append(SinkOptions.of(values))


got: list[SinkOptions] = []


def options_of(*arguments: str) -> SinkOptions:
    result = CliRunner().invoke(live, ["word", *arguments])
    assert result.exit_code == 0, result.output
    assert result.output == "word 0.25\n"
    return got.pop()


def test_without_options() -> None:
    options = options_of()
    assert options == SinkOptions()
    assert open_sinks(options, labels=LABELS) == []


def test_all_options() -> None:
    options = options_of(
        "--jsonl", "a.jsonl", "--csv", "b.csv", "--events", "c", "--record", "d.avi",
        "--uncertain", "e", "--uncertain-cap", "12.5", "--mqtt", "mqtt://anna:s3cret@broker/x",
        "--prometheus", ":9464",
    )  # fmt: skip
    assert options == SinkOptions(
        jsonl=Path("a.jsonl"), csv=Path("b.csv"), events=Path("c"), record=Path("d.avi"),
        uncertain=Path("e"), uncertain_cap=12.5, mqtt="mqtt://anna:s3cret@broker/x",
        prometheus=("127.0.0.1", 9464),
    )  # fmt: skip
    assert "s3cret" not in repr(options)


@pytest.mark.parametrize(
    ("given", "address"),
    [("9464", ("127.0.0.1", 9464)), ("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:80", ("::1", 80))],
)
def test_hosts_and_ports(given: str, address: tuple[str, int]) -> None:
    assert options_of("--prometheus", given).prometheus == address


@pytest.mark.parametrize(
    ("option", "value", "mend"),
    [
        ("--prometheus", "host", "give HOST:PORT, such as 127.0.0.1:9464"),
        ("--prometheus", "host:99999", "give HOST:PORT, such as 127.0.0.1:9464"),
        ("--uncertain-cap", "0", "x>=1"),
    ],
)
def test_values_that_are_refused(option: str, value: str, mend: str) -> None:
    result = CliRunner().invoke(live, ["word", option, value])
    assert result.exit_code == 2
    assert option in result.output
    assert mend in " ".join(result.output.split())


def test_all_that_needs_no_broker_at_once(tmp_path: Path) -> None:
    warnings: list[str] = []
    sinks = open_sinks(
        options_of(
            "--jsonl", f"{tmp_path}/a.jsonl", "--csv", f"{tmp_path}/b.csv",
            "--events", f"{tmp_path}/c", "--record", f"{tmp_path}/d.avi",
            "--uncertain", f"{tmp_path}/e", "--prometheus", "0",
        ),
        labels=LABELS,
        warn=warnings.append,
    )  # fmt: skip
    assert len(sinks) == 6
    for sink in sinks:
        sink.report_health(health())
        sink.observe(observation(0, score=0.5))
        sink.report_event(event(0), observation(0))
    queued = [sink for sink in sinks if isinstance(sink, QueuedSink)]
    wait_until(lambda: all(sink.written for sink in queued), within_s=60)
    close_sinks(sinks, within_s=20)
    kinds = [json.loads(line)["type"] for line in (tmp_path / "a.jsonl").open()]
    assert kinds == ["source", "frame", "event"]
    assert len((tmp_path / "b.csv").read_text().splitlines()) == 2
    assert len(list((tmp_path / "c").iterdir())) == len(list((tmp_path / "e").iterdir())) == 1
    assert (tmp_path / "d.avi").stat().st_size > 1000
    assert warnings == []


def test_what_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    options = options_of("--jsonl", f"{tmp_path}/a.jsonl", "--record", f"{tmp_path}/b.mp4")
    with pytest.raises(EdgeclfError, match=r"b\.mp4"):
        open_sinks(options, labels=LABELS)
    assert set(threading.enumerate()) <= before


def test_warnings_go_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "gone" / "events"
    [sink] = open_sinks(options_of("--events", str(folder)), labels=LABELS)
    (tmp_path / "gone").write_text("a file in the way")
    sink.report_event(event(0), observation(0))
    assert isinstance(sink, QueuedSink)
    wait_until(lambda: sink.lost == 1, within_s=60)
    close_sinks([sink], within_s=20)
    assert re.match(rf"Warning: {folder}: .*; goes on when it can", capsys.readouterr().err)


def test_options_load_no_sink(fresh_python: Any) -> None:
    done = fresh_python("""
import sys
import edgeclf.edge_runtime
before = set(sys.modules)
import edgeclf.edge_runtime.live.sinks.options
print(*sorted(name for name in set(sys.modules) - before if "edgeclf" in name))
""")
    live = "edgeclf.edge_runtime.live"
    expected = [
        "edgeclf.edge_runtime.command_line",
        "edgeclf.edge_runtime.command_line.option_types",
        "edgeclf.edge_runtime.command_line.warning",
        live,
        f"{live}.sinks",
        f"{live}.sinks.options",
    ]
    assert done.stdout.split() == expected
