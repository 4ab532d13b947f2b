"""What a fit says on the terminal."""

from collections import Counter
from pathlib import Path

from ....edge_runtime.command_line.table import format_table
from ....models.report.figures import NONE, count, figure, value
from ..results import Fit, Outcome, Trial, busiest, failures

_ORDER: list[Outcome] = [
    "finished", "behind", "no time", "failed", "over budget", "not needed", "open",
]  # fmt: skip


def fit_table(fit: Fit) -> str:
    """Return the candidates that were trained as a table, the best first."""
    trained = [one for one in ordered(fit.trials) if one.rungs or one.finished]
    header = ["candidate", "p50 ms", "validation loss", "accuracy", "file MB", "outcome"]
    return format_table(header, [_row(one, fit) for one in trained])


def ordered(trials: tuple[Trial, ...]) -> list[Trial]:
    """Return the trials as tables show them: the finished ones first, the best ones first."""
    return sorted(trials, key=lambda one: (_ORDER.index(one.outcome), _loss(one)))


def _loss(trial: Trial) -> float:
    if trial.finished:
        return trial.finished.val_loss
    return trial.rungs[-1].val_loss if trial.rungs else float("inf")


def outcome_text(trial: Trial) -> str:
    """Return what became of a candidate; why one failed is said by `failures`."""
    reason = "" if trial.outcome == "failed" else trial.reason
    return f"{trial.outcome} {reason}".strip()


def _row(trial: Trial, fit: Fit) -> list[str]:
    done, latency = trial.finished, trial.known_latency
    outcome = outcome_text(trial)
    if done and done.latency.p50_ms.value > fit.budget_ms:
        outcome = "finished, over budget"
    if trial.candidate.name == fit.recommended:
        outcome = "recommended"
    return [
        trial.candidate.name,
        value(latency.p50_ms, at_most=2) if latency else NONE,
        f"{_loss(trial):.3f}",
        figure(done.accuracy) if done else NONE,
        f"{done.bytes / 1e6:.2f}" if done else NONE,
        outcome,
    ]


def counts_line(fit: Fit) -> str:
    """Return how many candidates there were, and what became of them."""
    found = Counter(trial.outcome for trial in fit.trials)
    parts = [f"{found[outcome]} {outcome}" for outcome in _ORDER if found[outcome]]
    return f"{count(len(fit.trials), 'candidate')}: {', '.join(parts)}"


def sentence(fit: Fit) -> str:
    """Return the answer in a sentence."""
    best = next((one for one in fit.trials if one.candidate.name == fit.recommended), None)
    budget = f"{fit.budget_ms:g} ms on {fit.place}"
    if best is None or best.finished is None:
        return f"No finished file is within {budget}"
    network, done = best.candidate, best.finished
    slim = (
        "" if network.keep == 1 else f", slimmed to {network.keep:g} of its multiply-accumulates,"
    )
    return (
        f"{network.architecture} at {network.input_size} pixels{slim} reaches an accuracy of "
        f"{figure(done.accuracy)} in {value(done.latency.p50_ms, at_most=2)} ms, within {budget}"
    )


def cautions(fit: Fit) -> list[str]:
    """Return what makes the answer less sure, a sentence each."""
    found = []
    if (load := busiest(done.latency for _, done in fit.finished)) is not None:
        found.append(
            f"Other processes kept up to {load:.1f} cores busy while latency was measured, and it "
            "holds for that load alone"
        )
    done = dict(fit.finished).get(fit.recommended or "")
    if done and done.largest_class is not None and done.accuracy.interval.low <= done.largest_class:
        found.append(
            f"Who always names the same class reaches {done.largest_class:.3f} on these images, "
            "and the interval of the recommended file is not above it: it needs more photographs "
            "or epochs"
        )
    if done and done.gate not in {None, "passed"}:
        word = "failed" if done.gate == "failed" else "cannot decide on so few images"
        found.append(f"The gate of the conversion {word}: int8 lost {done.drop_points:.1f} points")
    return found


def summary(fit: Fit, out: Path) -> str:
    """Return the lines below the table: the answer, its command, and what became of the others.

    Args:
        fit: the fit.
        out: its folder.
    """
    images = max((done.images for _, done in fit.finished), default=0)
    lines = [
        counts_line(fit),
        f"{sentence(fit)} ({count(images, 'test image')}, which no choice used)",
        *(f"Warning: {caution}" for caution in cautions(fit)),
        *(f"Warning: {failure}" for failure in failures(fit.trials)),
    ]
    done = dict(fit.finished).get(fit.recommended or "")
    if done:
        lines += [f"Recommended: {out / done.file}, which this makes anew:", f"    {fit.command}"]
    return "\n".join(lines)
