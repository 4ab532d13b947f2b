"""What a live run writes to the terminal, and what the terminal is not to obey."""

from dataclasses import replace

import pytest
from live_news import event, health, observation

from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.sinks.terminal import JsonLines, StatusLine

HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202e"
ESCAPED = r"\x1b[2J\x1b]0;owned\x07\u202e"

LOST = [state for state in SourceState if state is not SourceState.LIVE]


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the line as it stands at last."""
    return capsys.readouterr().out.replace("\r\x1b[K", "\n").splitlines()[-1]


@pytest.mark.parametrize("rewrite", [False, True])
@pytest.mark.parametrize("state", LOST)
def test_a_camera_that_is_lost_shows_no_score_of_before(
    capsys: pytest.CaptureFixture[str], state: SourceState, rewrite: bool
) -> None:
    line = StatusLine(rewrite=rewrite)
    line.report_health(health())
    line.observe(observation())
    line.report_health(health())
    assert "oil  0.900" in (text := shown(capsys))
    assert "age   34 ms" in text
    line.report_health(health(state))
    for text in (shown(capsys), _again(line, state, capsys)):
        assert f"no frame now  {state.value} (the cable)" in text
        for before in ("oil", "0.900", " ms", "fps"):
            assert before not in text
    # The frame that came last is not news of a camera that is lost since.
    line.observe(observation(1))
    assert "oil" not in _again(line, state, capsys)
    # Once it is back, a new frame is waited for.
    line.report_health(health())
    assert "no frame now  live" in shown(capsys)
    line.observe(observation(2))
    line.report_health(health())
    assert "oil  0.900" in shown(capsys)


def _again(line: StatusLine, state: SourceState, capsys: pytest.CaptureFixture[str]) -> str:
    line.report_health(replace(health(state), fps=0.0))
    return shown(capsys)


def test_before_the_first_frame(capsys: pytest.CaptureFixture[str]) -> None:
    line = StatusLine(rewrite=False)
    line.report_health(health(SourceState.CONNECTING))
    assert "no frame yet  connecting (the cable)" in shown(capsys)


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
