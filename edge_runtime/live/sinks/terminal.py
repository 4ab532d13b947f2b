"""What a live run writes to the terminal: one line that is rewritten, plain lines, or JSON."""

import json
import shutil
import time

import click

from ...prediction import Record, refused_text
from ...text import printable
from ..observation import Event, Observation, SourceHealth, SourceState
from ..rate import Rate
from .rows import event_row, health_row, observation_row

_ERASE = "\r\x1b[K"
_NOTHING_YET, _NOTHING_NOW = "no frame yet", "no frame now"


class StatusLine:
    """For people. A terminal gets one line, always of now; a file or a journal gets the changes.

    Attributes:
        name: what warnings call it.
    """

    name = "terminal"

    def __init__(self, *, rewrite: bool) -> None:
        """Write to the standard output; `rewrite` the line if that is a terminal."""
        self._rewrite = rewrite
        self._rate = Rate()
        self._health: SourceHealth | None = None
        self._state: tuple[SourceState, str] | None = None
        self._seen = _NOTHING_YET

    def observe(self, observation: Observation) -> None:
        """Show the steady label, and the frame's age."""
        now = time.monotonic()
        self._rate.add(now)
        decision = observation.decision
        if self._health is not None and self._health.state is not SourceState.LIVE:
            return  # the last frame of a camera that is lost
        refused = refused_text(decision.refused) if decision.refused else ""
        why = decision.novelty_reason or refused
        self._seen = (
            f"{decision.label}  {decision.score:.3f}{f' ({why})' if why else ''}  "
            f"{self._rate.per_second(now):5.1f} fps  age {observation.age_ms:4.0f} ms"
        )
        if self._rewrite:
            self._show()

    def report_event(self, event: Event, observation: Observation) -> None:  # noqa: ARG002
        """Write a plain line for a new label; the rewritten one shows it anyway."""
        if not self._rewrite:
            self._show()

    def report_health(self, health: SourceHealth) -> None:
        """Show how the camera is; what was seen before it was lost is not shown any more."""
        if health.state is not SourceState.LIVE and self._seen != _NOTHING_YET:
            self._seen = _NOTHING_NOW
        self._health = health
        self._show()

    def close(self) -> None:
        """End the line."""
        if self._rewrite and self._health is not None:
            click.echo()

    def _show(self) -> None:
        health = self._health
        if health is None:
            return
        reason = f" ({health.reason})" if health.reason else ""
        lost = health.counts.damaged + health.counts.frozen
        text = f"{self._seen}  {health.state.value}{reason}" + (f"  {lost} lost" if lost else "")
        if self._rewrite:
            columns = shutil.get_terminal_size().columns
            click.echo(_ERASE + printable(text)[: columns - 1], nl=False)
        else:
            line = printable(f"{text}  {health.source}")
            click.echo(f"{time.strftime('%H:%M:%S')}  {line}")


class JsonLines:
    """For programs: the records of `--jsonl` on standard output, a line each.

    Attributes:
        name: what warnings call it.
    """

    name = "json"

    def __init__(self) -> None:
        """Write to the standard output."""
        self._reported: tuple[SourceState, str] | None = None

    def observe(self, observation: Observation) -> None:
        """Write a frame's record."""
        _echo(observation_row(observation))

    def report_event(self, event: Event, observation: Observation) -> None:
        """Write an event's record."""
        _echo(event_row(event, source=observation.frame.source))

    def report_health(self, health: SourceHealth) -> None:
        """Write the record of the camera's state, and for people a line when that changes."""
        _echo(health_row(health))
        news = (health.state, health.reason)
        if news != self._reported:
            self._reported = news
            reason = f" ({health.reason})" if health.reason else ""
            line = printable(f"{health.source}: {health.state.value}{reason}")
            click.echo(line, err=True)

    def close(self) -> None:
        """Do nothing: each line is out already."""


def _echo(record: Record) -> None:
    click.echo(json.dumps(record, ensure_ascii=False))
