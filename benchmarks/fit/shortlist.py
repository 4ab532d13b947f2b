"""Which candidates are within the budget, with as few measurements as that takes."""

from collections.abc import Callable
from dataclasses import replace

from ...edge_runtime.errors import EdgeclfError
from .candidates import Candidate
from .measuring import UnavailableError
from .results import Latency, Outcome, Trial


class Shortlist:
    """Judges candidates one after another, in the order of `make_candidates`."""

    def __init__(self, measure: Callable[[Candidate], Latency], *, budget_ms: float) -> None:
        """Judge none yet.

        Args:
            measure: the latency of a candidate that is not known.
            budget_ms: what an inference may take.
        """
        self._measure = measure
        self._budget_ms = budget_ms
        self._fitting: dict[str, Trial] = {}  # by the whole network at that size
        self._refused: list[Trial] = []
        self._unavailable: list[Trial] = []

    def judged(self, trial: Trial) -> Trial:
        """Return a trial with its latency and its outcome: `open` if it is to be trained."""
        candidate = trial.candidate
        wider = self._fitting.get(candidate.whole)
        if wider and trial.finished:
            return replace(trial, outcome="finished")
        if wider:
            reason = f"as {wider.candidate.name} is fast enough"
            return replace(trial, outcome="not needed", reason=reason)
        decisive = self._decisive(candidate)
        if trial.latency is None and decisive is not None:
            reason = f"as {decisive.candidate.name}"
            return replace(trial, outcome=decisive.outcome, reason=reason)
        trial = self._timed(trial)
        if trial.outcome == "open":
            self._fitting[candidate.whole] = trial
        else:
            self._refused.append(trial)
        return trial

    def _decisive(self, candidate: Candidate) -> Trial | None:
        """Return the refused trial that says all of a candidate: the same share at a smaller size,
        or a larger share that cannot be had."""
        same = [one for one in self._refused if one.candidate.keep == candidate.keep]
        wider = [one for one in self._unavailable if one.candidate.keep > candidate.keep]
        decisive = (
            one for one in [*same, *wider] if one.candidate.architecture == candidate.architecture
        )
        return next(decisive, None)

    def _timed(self, trial: Trial) -> Trial:
        try:
            latency = trial.known_latency or self._measure(trial.candidate)
        except EdgeclfError as error:
            failed = replace(trial, outcome="failed", reason=str(error))
            if isinstance(error, UnavailableError):
                self._unavailable.append(failed)
            return failed
        is_slow = latency.p50_ms.value > self._budget_ms
        outcome: Outcome = "over budget" if is_slow else "open"
        return replace(trial, latency=trial.latency or latency, outcome=outcome)
