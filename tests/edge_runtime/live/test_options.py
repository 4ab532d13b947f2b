"""The options of a live run, as one value."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edgeclf.edge_runtime.live.options import LiveOptions, live_parameters
from edgeclf.edge_runtime.live.web.options import Address
from edgeclf.edge_runtime.run_command import run

TOKEN = "only-for-the-tests"


def options_of(*arguments: str) -> LiveOptions:
    command = click.Command("live", params=live_parameters())
    return LiveOptions.of(command.make_context("live", [*arguments]).params)


def test_without_options_they_are_the_defaults() -> None:
    assert options_of() == LiveOptions()


def test_all_of_a_live_run_is_one_value() -> None:
    options = options_of(
        "--watch", "--size", "1280x720", "--timeout", "3", "--frozen-after", "0", "--max-fps", "5",
        "--max-frames", "7", "--duration", "9", "--serve", "[::1]:80", "--token", TOKEN,
        "--vote", "2/3", "--jsonl", "a.jsonl",
    )  # fmt: skip
    assert (options.watch, options.realtime, options.size) == (True, False, (1280, 720))
    assert options.serve == Address("::1", 80)
    assert options.decision.vote == (2, 3)
    assert options.sinks.written == (Path("a.jsonl"),)
    assert TOKEN not in repr(options)
    config = options.loop_config(top=2, threshold=0.5)
    assert (config.top, config.threshold, config.max_fps) == (2, 0.5, 5)
    assert (config.max_frames, config.duration_s) == (7, 9)
    patience = options.patience()
    assert (patience.deadline_s, patience.stale_s, patience.frozen_s) == (3, 1, 0)


def test_a_run_gets_them_only_if_one_is_given(tmp_path: Path) -> None:
    (tmp_path / "0").write_text("")
    photograph = run.make_context("run", ["m.tflite", str(tmp_path / "0"), "--top", "2"]).params
    assert photograph["live"] is None or photograph["live"] == LiveOptions()
    assert photograph["sources"] == (str(tmp_path / "0"),)
    given = run.make_context("run", ["m.tflite", "0", "--max-frames", "3"]).params
    assert given["live"] == LiveOptions(max_frames=3)
    assert sorted(given) == sorted(photograph)


@pytest.mark.parametrize("given", [True, False])
def test_the_token_can_be_a_credential(
    tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    from edgeclf.cli import main

    tokens: list[str | None] = []
    monkeypatch.setattr(
        "edgeclf.edge_runtime.live.options.open_web", lambda _, token, **__: tokens.append(token)
    )
    (tmp_path / "EDGECLF_TOKEN").write_text(TOKEN + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    arguments = ["run", str(tiny_models / "int8.tflite"), "97", "--serve", "--duration", "0.1"]
    result = CliRunner().invoke(main, arguments + ["--token", "another-token"] * given)
    assert result.exit_code == 0, result.output
    assert tokens == ["another-token" if given else TOKEN]
    assert TOKEN not in result.output
