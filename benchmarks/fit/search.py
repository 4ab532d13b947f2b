"""The search: every candidate's latency first, then rungs of trainings, then the answer.

What is known of a candidate is written to `fit.json` as soon as it is known. The same search that
is called again asks for the same steps in the same order, and takes what is known already.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from ...edge_runtime.command_line.warning import echo_warning
from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.text import printable
from ...train.command import train
from .candidates import Candidate, option_default
from .child import warnings_of
from .halving import RUNGS, has_time, promoted, rung_counts, rung_epochs, seconds_left
from .measuring import measure_untrained
from .place import Measure
from .results import (
    SCHEMA,
    Fit,
    Search,
    Trial,
    busiest,
    failures,
    recommended_trial,
    write_fit,
)
from .shortlist import Shortlist
from .work import finish, recommended_command, train_rung

_LAST = RUNGS - 1


@dataclass(frozen=True)
class Limits:
    """What a fit may take.

    Attributes:
        budget_ms: an inference.
        seconds: the whole search, with earlier calls of it.
    """

    budget_ms: float
    seconds: float


class Searcher:
    """A fit at work in the folder `out`."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        known: dict[str, Trial],
        *,
        search: Search,
        limits: Limits,
        out: Path,
        labels: Sequence[str],
        measure: Measure,
    ) -> None:
        """Take up what is known of the candidates.

        Args:
            candidates: the networks, each architecture's in the order of their size.
            known: earlier trials by name; those of others than `candidates` are forgotten.
            search: what decides the figures.
            limits: what it may take.
            out: its folder.
            labels: classes of the data.
            measure: measures the latency of a file.
        """
        self._search = search
        self._limits = limits
        self._out = out
        self._labels = tuple(labels)
        self._measure = measure
        earlier = [known.get(one.name, Trial(one)) for one in candidates]
        self._trials = {
            one.name: before if before.candidate == one else Trial(one)
            for one, before in zip(candidates, earlier, strict=True)
        }
        self._has_warned = False

    @property
    def _spent_s(self) -> float:
        return sum(trial.seconds for trial in self._trials.values())

    def run(self) -> Fit:
        """Search, and return the answer.

        Raises:
            EdgeclfError: no candidate is within the budget, or none can be trained.
        """
        slow = self._slow_files()
        self._measure_all()
        self._warn_of_load()
        self._train_all()
        # A file that came out too slow makes room for a smaller share, and for who was behind.
        while slow != (now := self._slow_files()):
            slow = now
            self._measure_all()
            if any(trial.outcome == "open" for trial in self._trials.values()):
                self._train_all()
        fit = self._fit(is_over=True)
        write_fit(self._out, fit)
        return fit

    def _measure_all(self) -> None:
        with (
            measure_untrained(self._measure, labels=self._labels, out=self._out) as measure,
            _progress(len(self._trials), "Latencies", show_eta=True) as bar,
        ):
            shortlist = Shortlist(measure, budget_ms=self._limits.budget_ms)
            for trial in list(self._trials.values()):
                bar.label = f"Latency of {trial.candidate.name}"
                bar.update(0)
                self._put(shortlist.judged(replace(trial, outcome="open", reason="")))
                bar.update(1)

    def _train_all(self) -> None:
        self._durations: list[list[float]] = [[] for _ in range(RUNGS)]
        names = self._within_budget()
        with _progress(sum(rung_counts(len(names))), "Training") as bar:
            for rung in range(RUNGS):
                names = self._climb(rung, names, bar)

    def _slow_files(self) -> set[str]:
        """Return the candidates whose file came out slower than the budget."""
        budget_ms = self._limits.budget_ms
        trials = self._trials.items()
        return {
            name
            for name, trial in trials
            if trial.finished and trial.finished.latency.p50_ms.value > budget_ms
        }

    def _warn_of_load(self) -> None:
        latencies = [one.latency for one in self._trials.values() if one.latency]
        if (load := busiest(latencies)) is not None:
            echo_warning(
                f"other processes kept up to {load:.1f} cores busy while latencies were "
                "measured; what is too slow may be fast on a quiet machine"
            )

    def _within_budget(self) -> list[str]:
        """Return the candidates to train, the slowest first: with more computing comes accuracy."""
        trials = self._trials.values()
        known = {one.candidate.name: one.known_latency for one in trials}
        timed = {name: latency.p50_ms.value for name, latency in known.items() if latency}
        fitting = [name for name in timed if self._trials[name].outcome == "open"]
        if not timed:
            reasons = dict.fromkeys(one.reason for one in trials if one.is_measured)
            shown = sorted(reasons, key=len)[:2]
            more = f"; and {len(reasons) - 2} more like these" if len(reasons) > 2 else ""
            raise EdgeclfError(f"no candidate can be measured: {'; '.join(shown)}{more}")
        if not fitting:
            failed = "; ".join(failures(trials))
            fastest = min(timed, key=lambda name: timed[name])
            budget = f"{self._limits.budget_ms:g} ms or less on {self._fit(is_over=False).place}"
            raise EdgeclfError(
                f"no candidate takes {budget}; the fastest, {fastest}, takes "
                f"{timed[fastest]:.2f} ms: give a larger --budget, a smaller --input-size, or "
                f"--keep with a smaller share{f' ({failed})' if failed else ''}"
            )
        return sorted(fitting, key=lambda name: -timed[name])

    def _climb(self, rung: int, names: Sequence[str], bar: Any) -> list[str]:
        """Train `names` in a rung, the first ones first; return those that go on to the next."""
        losses: dict[str, float] = {}
        for position, name in enumerate(names):
            trial = self._trials[name]
            if not _is_done(trial, rung) and not self._has_time(rung):
                self._put(replace(trial, outcome="no time"))
                bar.update(1)
                continue
            where = f"Rung {rung + 1} of {RUNGS}, {position + 1} of {len(names)}"
            bar.label = f"{where}: {name}{self._time_left(rung, len(names))}"
            bar.update(0)
            try:
                trial = self._trained(trial, rung, tick=bar.render_progress)
            except EdgeclfError as error:
                trial = replace(trial, outcome="failed", reason=str(error))
            else:
                done = trial.finished if rung == _LAST else trial.rungs[rung]
                assert done is not None
                losses[name] = done.val_loss
                self._durations[rung].append(done.seconds)
            self._put(trial)
            bar.update(1)
        if not losses and not any(one.finished for one in self._trials.values()):
            raise EdgeclfError(f"no candidate can be trained: {self._trials[names[0]].reason}")
        going_on = [] if rung == _LAST else promoted(losses)
        for name in losses.keys() - set(going_on):
            trial = self._trials[name]
            if trial.finished:
                self._put(replace(trial, outcome="finished"))
            else:
                self._put(replace(trial, outcome="behind", reason=f"in rung {rung + 1}"))
        return going_on

    def _has_time(self, rung: int) -> bool:
        limit_s = self._limits.seconds
        return has_time(rung, self._durations[rung], spent_s=self._spent_s, limit_s=limit_s)

    def _time_left(self, rung: int, count: int) -> str:
        counts = [*map(len, self._durations[:rung]), *rung_counts(count)[: RUNGS - rung]]
        limit_s = self._limits.seconds
        left = seconds_left(counts, self._durations, spent_s=self._spent_s, limit_s=limit_s)
        return "" if left is None else f", about {max(1, round(left / 60))} min left"

    def _trained(self, trial: Trial, rung: int, *, tick: Callable[[], object]) -> Trial:
        """Return the trial after a rung, which is only trained if it is not known."""
        candidate = trial.candidate
        log = self._out / candidate.name / f"rung-{rung + 1}.log"
        if rung == _LAST:
            finished = trial.finished or finish(
                candidate,
                self._search,
                root=self._out,
                measure=self._measure,
                log=log,
                tick=tick,
            )
            return replace(trial, outcome="finished", finished=finished)
        if _is_done(trial, rung):
            return trial
        head = 0 if candidate.weights == "none" else option_default(train, "head_epochs")
        epochs = rung_epochs(self._search.epochs, head_epochs=head)[rung]
        reached = train_rung(
            candidate, self._search, root=self._out, epochs=epochs, log=log, tick=tick
        )
        if not self._has_warned:
            for line in warnings_of(log):
                click.echo(printable(line), err=True)
            self._has_warned = True
        return replace(trial, rungs=(*trial.rungs, reached))

    def _put(self, trial: Trial) -> None:
        self._trials[trial.candidate.name] = trial
        write_fit(self._out, self._fit(is_over=False))

    def _fit(self, *, is_over: bool) -> Fit:
        trials = tuple(self._trials.values())
        budget_ms = self._limits.budget_ms
        best = recommended_trial(trials, budget_ms=budget_ms) if is_over else None
        command = None if best is None else recommended_command(best.candidate, self._search)
        return Fit(
            schema=SCHEMA,
            search=self._search,
            budget_ms=budget_ms,
            is_over=is_over,
            seconds=round(self._spent_s, 1),
            recommended=None if best is None else best.candidate.name,
            command=command,
            trials=trials,
        )


def _is_done(trial: Trial, rung: int) -> bool:
    return trial.finished is not None if rung == _LAST else len(trial.rungs) > rung


@contextmanager
def _progress(length: int, label: str, *, show_eta: bool = False) -> Iterator[Any]:
    with click.progressbar(length=length, label=label, show_eta=show_eta) as bar:
        yield bar
