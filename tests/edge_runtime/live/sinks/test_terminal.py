"""What a terminal is shown of a camera, and what it is not to obey."""

from dataclasses import replace

import pytest
from live_news import event, health, observation

from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.sinks.terminal import JsonLines, StatusLine

HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202e"
ESCAPED = r"\x1b[2J\x1b]0;owned\x07\u202e"


@pytest.mark.parametrize("rewrite", [True, False])
def test_a_label_and_a_camera_are_shown_escaped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, rewrite: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    line = StatusLine(rewrite=rewrite)
    camera = replace(health(SourceState.LIVE), source=f"camera{HOSTILE}")
    line.report_health(camera)
    line.observe(observation(label=f"oil{HOSTILE}"))
    line.report_event(event(), observation())
    line.report_health(replace(camera, state=SourceState.DEAD, reason=f"says{HOSTILE}"))
    line.close()
    shown = capsys.readouterr().out
    assert f"oil{ESCAPED}" in shown
    assert f"says{ESCAPED}" in shown
    assert rewrite or f"camera{ESCAPED}" in shown
    assert shown.translate({ord("\r"): None, ord("\n"): None}).isprintable()


def test_the_state_beside_json_lines_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    lines = JsonLines()
    dead = replace(health(SourceState.DEAD), source=f"c{HOSTILE}", reason=f"r{HOSTILE}")
    lines.report_health(dead)
    assert capsys.readouterr().err == f"c{ESCAPED}: dead (r{ESCAPED})\n"
