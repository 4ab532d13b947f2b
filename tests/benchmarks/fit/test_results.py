"""`fit.json`, the table and the page."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from benchmark_page import parsed, text_of
from fit_simulation import SEARCH, Simulation
from schemas import valid, valid_file

from edgeclf.benchmarks.fit.report.page import fit_page
from edgeclf.benchmarks.fit.report.terminal import fit_table, summary
from edgeclf.benchmarks.fit.results import FIT_NAME, Fit, read_known
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.metrics.records import to_json

OUT = Path("fit")


def test_the_file_is_as_its_schema_says_and_reads_back(finished_fit: Fit, simulation) -> None:
    valid_file("training/fit", simulation.out / FIT_NAME)
    valid("training/fit", to_json(replace(finished_fit, recommended=None, command=None)))
    assert tuple(read_known(simulation.out, SEARCH).values()) == finished_fit.trials


@pytest.mark.parametrize(
    ("name", "value"),
    [("data", "others"), ("images", "1" * 64), ("on", "pi@pi"), ("epochs", 3), ("seed", 1)],
)
def test_another_search_is_not_gone_on_with(
    finished_fit: Fit, simulation, name: str, value: object
) -> None:
    with pytest.raises(EdgeclfError, match=f"of a search with {name} "):
        read_known(simulation.out, replace(finished_fit.search, **{name: value}))


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 2}', '{"schema": 1}'])
def test_a_damaged_file_is_one_line(simulation, text: str) -> None:
    (simulation.out / FIT_NAME).write_text(text)
    with pytest.raises(EdgeclfError, match=FIT_NAME):
        read_known(simulation.out, SEARCH)


def test_the_terminal_names_answer_reason_and_command(finished_fit: Fit) -> None:
    table = fit_table(finished_fit)
    assert table.splitlines()[2].split()[0] == "large-224"
    assert "recommended" in table.splitlines()[2]
    assert "huge-224" not in table  # it was not trained
    said = summary(finished_fit, OUT)
    assert "5 candidates: 3 finished, 1 behind, 1 failed" in said
    assert "0.89 [0.81" in said
    assert "100 test images, which no choice used" in said
    assert "edgeclf train photographs --out run --arch large --input-size 224 --epochs 16" in said
    assert f"Recommended: {OUT / 'large-224/models/int8.tflite'}, which this makes anew:" in said
    assert said.count("Warning") == 1
    assert "Warning: huge-224 failed: cannot be had <script>" in said


def test_what_makes_the_answer_less_sure_is_said(failed_gate: Fit) -> None:
    for said in (summary(failed_gate, OUT), fit_page(failed_gate)):
        assert "kept up to 1.5 cores busy" in said
        assert "gate of the conversion failed: int8 lost 3.0 points" in said


def test_a_recommended_file_that_may_be_no_better_than_one_class_is_called_so(
    finished_fit: Fit,
) -> None:
    assert "always names the same class" not in summary(finished_fit, OUT)
    trials = tuple(
        replace(one, finished=one.finished and replace(one.finished, largest_class=0.85))
        for one in finished_fit.trials
    )
    hardly_better = replace(finished_fit, trials=trials)
    for said in (summary(hardly_better, OUT), fit_page(hardly_better)):
        assert "Who always names the same class reaches 0.850" in said


def test_the_page_shows_points_front_and_budget(finished_fit: Fit) -> None:
    root = parsed(fit_page(finished_fit))
    wide, narrow = (
        next(div for div in root.iter("div") if div.get("class") == name).find("svg")
        for name in ("wide", "narrow")
    )
    for chart in (wide, narrow):
        assert chart is not None
        dots = [dot for dot in chart.iter("circle") if dot.get("class") == "dot"]
        assert len(dots) == 3
        [budget] = [line for line in chart.iter("line") if line.get("class") == "zero"]
        assert all(float(dot.get("cx", "")) < float(budget.get("x1", "")) for dot in dots)
        names = [text_of(text) for text in chart.iter("text") if "halo" in text.get("class", "")]
        assert {"budget", "large-224", "middle-192", "small-128"} == set(names)
    assert "<b>&worse-128" in text_of(root)
    assert "cannot be had <script>" in text_of(root)
    assert finished_fit.command in text_of(root)


def test_the_page_counts_what_another_candidate_decides(simulation) -> None:
    assert "not measured" not in text_of(parsed(fit_page(_fit(simulation, 1.0))))
    for name in ("net-96-keep-0.5", "net-128", "net-128-keep-0.5"):
        simulation.add(name, ms=9.0 if name == "net-128" else 4.0)
    simulation.add("net-160", ms=9.0)
    text = text_of(parsed(fit_page(_fit(simulation, 1.0))))
    assert "2 further candidates not measured" in text
    assert "net-160" not in text
    assert "net-128-keep-0.5" in text


def test_a_slim_answer_says_so(simulation) -> None:
    simulation.add("net-96-keep-0.5", ms=1.0)
    said = summary(_fit(simulation, 9.0), OUT)
    assert (
        "net at 96 pixels, slimmed to 0.5 of its multiply-accumulates, reaches an accuracy of"
        in said
    )
    assert "2 candidates: 1 finished, 1 over budget" in said


def _fit(simulation: Simulation, ms: float) -> Fit:
    """A search of the whole network at 96 pixels, which takes so long, and what was added."""
    (simulation.out / FIT_NAME).unlink(missing_ok=True)
    simulation.ms = {"net-96": ms, **{k: v for k, v in simulation.ms.items() if k != "net-96"}}
    simulation.losses["net-96"] = 0.5
    return simulation.run()


def test_the_page_of_a_fit_without_an_answer(finished_fit: Fit) -> None:
    none = replace(finished_fit, budget_ms=0.5, recommended=None, command=None)
    text = text_of(parsed(fit_page(none)))
    assert "No finished file is within 0.5 ms on this machine" in text
    assert json.dumps(to_json(none))
