"""The page of a fit."""

from functools import partial
from pathlib import Path

from ....models.report.drawing import both_widths, label, line, path
from ....models.report.figures import NONE, count, figure, value
from ....models.report.markup import Markup, join, tag
from ....models.report.scales import Scale
from ....models.report.table import Table
from ....models.report.templates import Tile, render_page
from ...report.charts.points import Point, draw_points
from ..halving import RUNGS, pareto_front
from ..results import Fit, Trial, failures
from .terminal import cautions, counts_line, ordered, outcome_text, sentence

_TEMPLATE = Path(__file__).with_name("fit.html")


def fit_page(fit: Fit) -> str:
    """Return the page, HTML that holds all it shows."""
    threads = {done.latency.threads for _, done in fit.finished}
    return render_page(
        _TEMPLATE,
        title=f"Fit: {sentence(fit)}",
        measured=[
            f"budget {fit.budget_ms:g} ms",
            f"measured on {fit.place}",
            *(count(number, "thread") for number in sorted(threads)),
            counts_line(fit),
        ],
        headline=sentence(fit),
        cautions=cautions(fit),
        tiles=_tiles(fit),
        chart=both_widths(partial(_draw, fit)) if fit.finished else None,
        command=fit.command,
        finished=_finished_table(fit),
        candidates=_candidates_table(fit),
        failures=failures(fit.trials),
        recommended=fit.recommended,
    )


def _tiles(fit: Fit) -> list[Tile]:
    done = dict(fit.finished).get(fit.recommended or "")
    if done is None:
        return []
    return [
        (value(done.accuracy), "", f"accuracy on {count(done.images, 'test image')}"),
        (value(done.latency.p50_ms, at_most=2), "ms", f"median, of {fit.budget_ms:g} ms"),
        (f"{done.bytes / 1e6:.2f}", "MB", "of the int8 file"),
        (f"{fit.seconds / 60:.0f}", "min", "spent on measurements and trainings"),
    ]


def _points(fit: Fit) -> list[Point]:
    return [
        Point(
            name,
            done.latency.p50_ms.value,
            done.latency.p50_ms.interval,
            done.accuracy.value,
            done.accuracy.interval,
        )
        for name, done in fit.finished
    ]


def _draw(fit: Fit, *, width: int) -> Markup:
    points = _points(fit)
    front = [points[i] for i in pareto_front([(one.ms, one.accuracy) for one in points])]

    def behind(x: Scale, y: Scale) -> Markup:
        budget = x(fit.budget_ms)
        steps = _steps(front, x, y)
        return join(
            [
                line(budget, y.start, budget, y.end, class_="zero"),
                label(budget - 6, y.start - 8, "budget", anchor="end", class_="halo"),
                tag("g", tag("path", d=path(steps), class_="curve"), class_="same"),
            ]
        )

    return draw_points(
        points,
        width=width,
        colours={one.name: "c0" if one.name == fit.recommended else "ref" for one in points},
        strong=fit.recommended,
        x_name=f"median latency on {fit.place}, ms",
        y_name="accuracy on the test images",
        title="Accuracy on the test images against median latency",
        further_ms=[fit.budget_ms],
        behind=behind,
    )


def _steps(front: list[Point], x: Scale, y: Scale) -> list[tuple[float, float]]:
    """Return the corners of the front: the best accuracy that is to be had for each latency."""
    steps: list[tuple[float, float]] = []
    for before, point in zip([None, *front], front, strict=False):
        if before is not None:
            steps.append((x(point.ms), y(before.accuracy)))
        steps.append((x(point.ms), y(point.accuracy)))
    return [*steps, (x.end, y(front[-1].accuracy))]


def _finished_table(fit: Fit) -> Table:
    rows = [
        (
            one.candidate.name,
            figure(one.finished.latency.p50_ms, at_most=2),
            figure(one.finished.accuracy),
            f"{one.finished.val_loss:.3f}",
            NONE if one.finished.drop_points is None else f"{one.finished.drop_points:.1f}",
            f"{one.finished.bytes / 1e6:.2f}",
        )
        for one in ordered(fit.trials)
        if one.finished
    ]
    header = ("file", "median ms", "accuracy", "validation loss", "drop (points)", "MB")
    note = (
        "The validation loss of the int8 file chose among those within the budget. The drop is "
        "against the float network. The files lie in NAME/models/int8.tflite."
    )
    return Table("Finished files", header, rows, note)


def _candidates_table(fit: Fit) -> Table:
    header = (
        "candidate",
        "median ms, untrained",
        *(f"validation loss, rung {rung + 1}" for rung in range(RUNGS - 1)),
        "outcome",
    )
    shown = [one for one in ordered(fit.trials) if one.is_measured]
    rows = [(one.candidate.name, *_cells(one), outcome_text(one)) for one in shown]
    others = len(fit.trials) - len(shown)
    note = (
        f"{count(others, 'further candidate')} not measured: larger inputs of what is too slow or "
        "cannot be had, and smaller shares of what is fast enough."
    )
    return Table("Candidates", header, rows, note if others else "")


def _cells(trial: Trial) -> list[str]:
    losses = [f"{rung.val_loss:.3f}" for rung in trial.rungs]
    latency = value(trial.latency.p50_ms, at_most=2) if trial.latency else NONE
    return [latency, *losses, *[NONE] * (RUNGS - 1 - len(losses))]
