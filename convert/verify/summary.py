"""What `edgeclf convert` prints of what it measured."""

from collections.abc import Sequence

from ...edge_runtime.table import format_table
from ...models.metrics.registry import ACCURACY, AGREEMENT
from ...models.metrics.statistics import Estimate
from ...models.report.figures import NONE, plain_figure
from .gate import GateResult, Limits, Verdict
from .verify import ConversionResult, recommend

_REASONS_SHOWN = 5
_VERDICTS: dict[Verdict, str] = {
    "passed": "passed",
    "too_few_images": "too few images",
    "failed": "FAILED",
}


def result_table(results: Sequence[ConversionResult]) -> str:
    """Return the results as a table for the terminal."""
    header = [
        "recipe", "MB", ACCURACY.heading, "drop (95 % interval)", "worst class",
        AGREEMENT.heading, "float ops", "gate",
    ]  # fmt: skip
    return format_table(
        header,
        [
            [
                result.recipe,
                f"{result.bytes / 1e6:.2f}",
                plain_figure(ACCURACY, result.scores.accuracy if result.scores else None),
                _drop(result.gate),
                _worst_class(result.gate),
                plain_figure(AGREEMENT, result.agreement),
                str(sum(result.float_operators.values())),
                NONE if result.gate is None else _VERDICTS[result.gate.verdict],
            ]
            for result in results
        ],
    )


def gate_summary(results: Sequence[ConversionResult], limits: Limits, *, classes: int) -> str:
    """Return in lines what was gated, why models did not pass, and which one to ship."""
    gates = [(result.recipe, result.gate) for result in results if result.gate]
    if not gates:
        return "No gate and no recommendation: there are no labelled images; add --data FOLDER"
    _, first = gates[0]
    lines = [
        f"Gate on {first.drop.images} images of {len(first.class_drops)} of {classes} classes: "
        f"the accuracy may lose {_allowance(limits.max_drop)}, "
        f"the recall of a class {_allowance(limits.max_class_drop)}"
    ]
    for recipe, gate in gates:
        findings = (*gate.failures, *gate.undecided)
        lines += [f"{recipe} {finding.message}" for finding in findings[:_REASONS_SHOWN]]
        if more := len(findings[_REASONS_SHOWN:]):
            lines.append(f"{recipe} breaks {more} more limits, all in conversion.json")
    best = recommend(results)
    lines += [
        f"Unknown for their novelty are {_share(result.unknown)} of these images"
        for result in results
        if best and result.recipe == best.recipe and result.unknown
    ]
    lines.append(f"Recommended: {best.recipe} ({best.reason})" if best else "Recommended: none")
    return "\n".join(lines)


def _share(share: Estimate) -> str:
    return f"{share.value:.1%} [{share.interval.low:.1%}, {share.interval.high:.1%}]"


def _drop(gate: GateResult | None) -> str:
    if gate is None:
        return NONE
    interval = gate.drop.interval
    return f"{gate.drop.points:+.2f} ({interval.low:+.1f} to {interval.high:+.1f})"


def _worst_class(gate: GateResult | None) -> str:
    worst = gate.worst_class if gate else None
    return NONE if worst is None else f"{worst.label} {worst.points:+.1f}"


def _allowance(limit: float) -> str:
    return f"{limit:g} points or one image" if limit else "nothing"
