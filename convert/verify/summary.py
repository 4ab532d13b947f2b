"""What `edgeclf convert` prints of what it measured."""

from collections.abc import Sequence

from ...edge_runtime.table import format_table
from .gate import GateResult, Limits
from .verify import Verdict, recommend

_REASONS_SHOWN = 5


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts as a table for the terminal."""
    header = [
        "recipe", "MB", "accuracy", "drop (95 % interval)", "worst class", "agreement",
        "float ops", "gate",
    ]  # fmt: skip
    return format_table(
        header,
        [
            [
                verdict.recipe,
                f"{verdict.bytes / 1e6:.2f}",
                _figure(verdict.scores.accuracy if verdict.scores else None, "{:.3f}"),
                _drop(verdict.gate),
                _worst_class(verdict.gate),
                _figure(verdict.agreement, "{:.3f}"),
                str(sum(verdict.float_operators.values())),
                "—" if verdict.gate is None else "passed" if verdict.gate.passed else "FAILED",
            ]
            for verdict in verdicts
        ],
    )


def gate_summary(verdicts: Sequence[Verdict], limits: Limits, *, classes: int) -> str:
    """Return in lines what was gated, why models failed, and which one to ship."""
    gates = [(verdict.recipe, verdict.gate) for verdict in verdicts if verdict.gate]
    if not gates:
        return "No gate and no recommendation: there are no labelled images; add --data FOLDER"
    _, first = gates[0]
    lines = [
        f"Gate on {first.drop.images} images of {len(first.class_drops)} of {classes} classes: "
        f"the accuracy may lose {_allowance(limits.max_drop)}, "
        f"the recall of a class {_allowance(limits.max_class_drop)}"
    ]
    for recipe, gate in gates:
        lines += [f"{recipe} {failure.message}" for failure in gate.failures[:_REASONS_SHOWN]]
        if len(gate.failures) > _REASONS_SHOWN:
            more = len(gate.failures) - _REASONS_SHOWN
            lines.append(f"{recipe} fails for {more} more reasons, all in conversion.json")
    best = recommend(verdicts)
    lines.append(f"Recommended: {best.recipe} ({best.reason})" if best else "Recommended: none")
    return "\n".join(lines)


def _drop(gate: GateResult | None) -> str:
    if gate is None:
        return "—"
    interval = gate.drop.interval
    return f"{gate.drop.points:+.2f} ({interval.low:+.1f} to {interval.high:+.1f})"


def _worst_class(gate: GateResult | None) -> str:
    worst = gate.worst_class if gate else None
    return "—" if worst is None else f"{worst.label} {worst.points:+.1f}"


def _allowance(limit: float) -> str:
    return f"{limit:g} points or one image" if limit else "nothing"


def _figure(value: float | None, form: str) -> str:
    return "—" if value is None else form.format(value)
