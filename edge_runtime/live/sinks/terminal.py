"""What a live run writes to the terminal: one line that is rewritten, plain lines, or JSON."""

import json
import shutil
import time

import click

from ...text import printable
from ..observation import Event, Observation, SourceHealth, SourceState
from ..rate import Rate

_ERASE = "\r\x1b[K"


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
        self._seen = "no frame yet"

    def observe(self, observation: Observation) -> None:
        """Show the steady label, and the frame's age."""
        now = time.monotonic()
        self._rate.add(now)
        decision = observation.decision
        self._seen = (
            f"{decision.label}  {decision.score:.3f}  {self._rate.per_second(now):5.1f} fps  "
            f"age {observation.age_ms:4.0f} ms"
        )
        if self._rewrite:
            self._show()

    def report_event(self, event: Event, observation: Observation) -> None:  # noqa: ARG002
        """Write a plain line for a new label; the rewritten one shows it anyway."""
        if not self._rewrite:
            self._show()

    def report_health(self, health: SourceHealth) -> None:
        """Show how the camera is."""
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
    """For programs: one JSON object for each classified frame; the camera's state to stderr.

    Attributes:
        name: what warnings call it.
    """

    name = "json"

    def __init__(self) -> None:
        """Write to the standard output."""
        self._told: tuple[SourceState, str] | None = None

    def observe(self, observation: Observation) -> None:
        """Write the frame's object."""
        frame, prediction = observation.frame, observation.prediction
        click.echo(
            json.dumps(
                {
                    "source": frame.source,
                    "frame": frame.number,
                    "label": prediction.label,
                    "score": round(prediction.score, 6),
                    "top": [[label, round(score, 6)] for label, score in prediction.top],
                    "ms": round(prediction.ms, 3),
                    "steady": observation.decision.label,
                    "steady_score": round(observation.decision.score, 6),
                    "at": round(frame.taken_at, 3),
                    "age_ms": round(observation.age_ms, 3),
                    "steps_ms": {name: round(ms, 3) for name, ms in observation.steps_ms.items()},
                },
                ensure_ascii=False,
            )
        )

    def report_event(self, event: Event, observation: Observation) -> None:
        """Do nothing: each object holds the steady label."""

    def report_health(self, health: SourceHealth) -> None:
        """Tell a change of the state beside the objects."""
        news = (health.state, health.reason)
        if news != self._told:
            self._told = news
            reason = f" ({health.reason})" if health.reason else ""
            line = printable(f"{health.source}: {health.state.value}{reason}")
            click.echo(line, err=True)

    def close(self) -> None:
        """Do nothing: each line is out already."""
