"""What `edgeclf convert` prints of what it measured."""

from collections.abc import Sequence

from ...edge_runtime.command_line.table import format_table
from ...models.metrics.registry import ACCURACY, AGREEMENT, OPTIONAL_METRICS
from ...models.metrics.statistics import Estimate
from ...models.report.figures import NONE, figure, share
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
    rates = tuple(
        metric
        for metric in OPTIONAL_METRICS
        if any(getattr(result, metric.name) for result in results)
    )
    header = [
        "recipe", "MB", ACCURACY.heading, "drop (points)", "worst class",
        *(rate.heading for rate in rates), AGREEMENT.heading, "float ops", "gate",
    ]  # fmt: skip
    return format_table(
        header,
        [
            [
                result.recipe,
                f"{result.bytes / 1e6:.2f}",
                _share(result, result.scores.accuracy if result.scores else None),
                _drop(result.gate),
                _worst_class(result.gate),
                *(figure(getattr(result, rate.name)) for rate in rates),
                _share(result, result.agreement),
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
        + (
            f", of defects {_allowance(limits.max_escape_rise)} more may pass as good"
            if first.escape_rise
            else ""
        )
    ]
    for recipe, gate in gates:
        findings = (*gate.failures, *gate.undecided)
        lines += [f"{recipe} {finding.message}" for finding in findings[:_REASONS_SHOWN]]
        if more := len(findings[_REASONS_SHOWN:]):
            lines.append(f"{recipe} breaks {more} more limits, all in conversion.json")
    best = recommend(results)
    lines += [
        f"Unknown for their novelty are {_percentage(result.unknown)} of these images, each "
        "weighing the same"
        for result in results
        if best and result.recipe == best.recipe and result.unknown
    ]
    lines.append(f"Recommended: {best.recipe} ({best.reason})" if best else "Recommended: none")
    return "\n".join(lines)


def _percentage(estimate: Estimate) -> str:
    low, high = estimate.interval.low, estimate.interval.high
    return f"{estimate.value:.1%} [{low:.1%}, {high:.1%}]"


def _drop(gate: GateResult | None) -> str:
    if gate is None:
        return NONE
    drop = gate.drop
    return figure(Estimate(drop.points, drop.interval), sign="+", at_most=2)


def _share(result: ConversionResult, value: float | None) -> str:
    return share(value, images=result.scores.images if result.scores else 0)


def _worst_class(gate: GateResult | None) -> str:
    worst = gate.worst_class if gate else None
    return NONE if worst is None else f"{worst.label} {worst.points:+.1f}"


def _allowance(limit: float) -> str:
    return f"{limit:g} points or one image" if limit else "nothing"
