"""The report of a benchmark: one page that holds all it shows, and the same as Markdown."""

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from subprocess import CompletedProcess
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from benchmark_results import make_benchmark, with_error
from conftest import Cli
from schemas import valid_file

from edgeclf.benchmarks.demo.surfaces import draw_surface
from edgeclf.benchmarks.report.charts.scatter import draw_scatter, p50_interval
from edgeclf.benchmarks.report.markdown import markdown
from edgeclf.benchmarks.report.page import page
from edgeclf.benchmarks.report.terminal import benchmark_table
from edgeclf.benchmarks.results.schema import Benchmark, Model, read_benchmark, write_benchmark
from edgeclf.benchmarks.results.verdict import decide
from edgeclf.models.metrics.accuracy import measure_metrics
from edgeclf.models.metrics.statistics import Interval
from edgeclf.models.report.drawing import text_width
from edgeclf.models.report.figures import shortened
from edgeclf.models.report.scales import Scale, scale_over, spread, tick_label

NASTY = '<b>&"'
SECTIONS = [
    "Accuracy against latency",
    "What is lost, what is gained",
    "Latency",
    "Class by class",
    "Confusion",
    "Where they differ",
    "Continuous work",
    "All figures",
    "The machine",
]


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return make_benchmark()


@pytest.fixture(scope="module")
def root(benchmark: Benchmark) -> ElementTree.Element:
    return parsed(page(benchmark))


def parsed(html: str) -> ElementTree.Element:
    """Parse the page as XML, which fails unless it is well-formed."""
    first, rest = html.split("\n", maxsplit=1)
    assert first == "<!DOCTYPE html>"
    return ElementTree.fromstring(rest)


def digits_of(interval: Interval) -> str:
    """Return the format whose last digit is the second of the interval's width."""
    width = interval.high - interval.low
    return f".{next(n for n in range(9) if width * 10**n >= 10)}f"


def text_of(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


def table_of(root: ElementTree.Element, title: str) -> list[list[str]]:
    """Return the cells of the table with that caption, the header first."""
    [table] = [t for t in root.iter("table") if text_of(t.find("caption")) == title]  # type: ignore[arg-type]
    return [[text_of(cell) for cell in row] for row in table.iter("tr")]


def markdown_table(text: str, title: str) -> list[list[str]]:
    """Return the cells of the table under that heading, the header first, without escapes."""
    block = text.split(f"## {title}\n\n")[1].split("\n\n", maxsplit=1)[0]
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()]
    assert set("".join(lines[1])) <= set(" -:")
    rows = [lines[0], *lines[2:]]
    return [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in row] for row in rows]


def headline_of(root: ElementTree.Element) -> str:
    return text_of(next(root.iter("h1")))


def timings_of(model: Model) -> list[list[str]]:
    """Return the latency table's cells for the model, formatted apart from the report's code."""
    rows = []
    for timing in model.timings:
        figures = [timing.p50_ms, timing.p90_ms, timing.p99_ms, timing.mean_ms]
        ratio = timing.ratio
        rows.append(
            [model.name, str(timing.threads), str(timing.queries)]
            + ["—" if figure is None else f"{figure:.2f}" for figure in figures]
            + [f"{timing.throughput:.1f}"]
            + [
                f"{1 / ratio.value:.2f}× "
                f"[{1 / ratio.interval.high:.2f}, {1 / ratio.interval.low:.2f}]"
                if ratio
                else "—"
            ]
        )
    return rows


def test_the_page_has_every_part(root: ElementTree.Element) -> None:
    assert [text_of(h2) for h2 in root.iter("h2")] == SECTIONS
    assert [element.tag for element in root] == ["head", "body"]
    assert len(list(root.iter("h1"))) == 1
    labels = [svg.get("aria-label", "") for svg in root.iter("svg")]
    assert all(svg.get("role") == "img" for svg in root.iter("svg"))
    for start in ("Top-1 accuracy against", "Accuracy lost", "Speed", "Latency of all", "Recall of",
                  "Confusion matrix of", "int8 on 1 thread"):  # fmt: skip
        assert any(label.startswith(start) for label in labels), start


def test_the_page_needs_nothing_else(benchmark: Benchmark) -> None:
    html = page(benchmark)
    assert "http" not in html
    assert "@import" not in html
    assert "@font-face" not in html
    root = parsed(html)
    assert not [e for e in root.iter() if e.tag in {"script", "link", "iframe", "object"}]
    sources = [e.get(key) for e in root.iter() for key in ("src", "href") if e.get(key)]
    assert all(source and source.startswith("data:image/jpeg;base64,") for source in sources)


def test_every_style_that_is_used_is_known(root: ElementTree.Element) -> None:
    css = text_of(next(root.iter("style")))
    used = {name for e in root.iter() for name in (e.get("class") or "").split()}
    assert {name for name in used if f".{name}" not in css} == set()
    assert {
        "@media screen and (prefers-color-scheme: dark)",
        "@media print",
        "@media (max-width: 640px)",
    } <= {line.removesuffix(" {") for line in css.splitlines()}


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb: WCAG 2.2, relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def blend(over: str, under: str, *, opacity: float) -> str:
    """Return the colour #rrggbb of one over the other."""
    pairs = [(int(over[i : i + 2], 16), int(under[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(opacity * o + (1 - opacity) * u):02x}" for o, u in pairs)


def test_colours_have_contrast_in_the_light_and_in_the_dark(root: ElementTree.Element) -> None:
    css = text_of(next(root.iter("style")))
    themes = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
    assert len(themes) == 2  # print is light
    for theme in themes:
        colours = dict(re.findall(r"--([\w-]+): (#\w{6})", theme))

        def contrast(one: str, other: str, colours: dict[str, str] = colours) -> float:
            pair = sorted((luminance(colours[one]), luminance(colours[other])))
            return (pair[1] + 0.05) / (pair[0] + 0.05)

        for ink in ("ink", "muted", "blue", "vermillion"):
            assert contrast(ink, "ground") >= 4.5, ink
        for ink in ("ink", "muted"):
            assert contrast(ink, "raised") >= 4.5, ink
        for cell in ("more-wrong", "more-right"):
            # As strong as the strongest cell of a heat map.
            colours["cell"] = blend(colours[cell], colours["ground"], opacity=0.75)
            assert contrast("ink", "cell") >= 4.5, cell
        for mark in ("green", "purple", "orange", "sky", "olive", "bar"):
            assert contrast(mark, "ground") >= 3, mark


def test_the_figures_are_those_of_the_json(benchmark: Benchmark, tmp_path: Path) -> None:
    write_benchmark(tmp_path / "b.json", benchmark)
    result_file = read_benchmark(tmp_path / "b.json")
    text, root = markdown(result_file), parsed(page(result_file))
    for tables in (lambda title: table_of(root, title), lambda title: markdown_table(text, title)):
        rows = tables("Accuracy")[1:]
        assert [row[0] for row in rows] == [model.name for model in benchmark.models]
        for row, model in zip(rows, benchmark.models, strict=True):
            assert model.metrics
            top1 = model.metrics.accuracy
            low, high = top1.interval.low, top1.interval.high
            digits = digits_of(top1.interval)
            assert row[1] == f"{top1.value:{digits}} [{low:{digits}}, {high:{digits}}]"
            assert row[2] == "—"
            for cell, one in (
                (row[3], model.metrics.macro_f1),
                (row[5], model.metrics.calibration_error),
            ):
                assert cell.startswith(f"{one.value:{digits_of(one.interval)}} [")
        expected = [row for model in benchmark.models for row in timings_of(model)]
        assert sorted(tables("Latency")[1:]) == sorted(expected)
        for row, model in zip(
            tables("Against the reference")[1:], benchmark.models[1:], strict=True
        ):
            assert model.against
            drop = model.against.drop
            low, high, digits = drop.interval.low, drop.interval.high, digits_of(drop.interval)
            points = f"{drop.points:+{digits}} [{low:+{digits}}, {high:+{digits}}]"
            assert row[1].replace("−", "-") == points
            assert row[2:4] == [str(drop.lost), str(drop.gained)]
            assert row[6] == str(model.against.disagreements)
        recalls = tables("Recall of each class")
        for row, label in zip(recalls[1:], benchmark.data.labels, strict=True):
            assert row[0] == label
            for cell, model in zip(row[2:], benchmark.models, strict=True):
                assert model.metrics
                [one] = [c for c in model.metrics.classes if c.label == label]
                assert cell.startswith(
                    f"{one.hits / one.images:{digits_of(one.recall.interval)}} ["
                )
        stages = tables("Stages, load and memory")
        assert len(stages) == 13
        assert dict(zip(stages[0], stages[1], strict=True))["peak, MB"] == "649.0"
        assert ["temperature, °C", "48.3", "61.2"] in tables("Its state")


def test_a_good_class_adds_escape_rate_and_overkill(benchmark: Benchmark, tmp_path: Path) -> None:
    data = replace(benchmark.data, good=benchmark.data.labels[0])
    truth = np.asarray(data.truth)
    models, shown = [], []
    for model in benchmark.models:
        assert model.metrics
        guess = np.asarray(model.metrics.guesses)
        scores = np.eye(len(data.labels), dtype=np.float32)[guess]
        metrics = measure_metrics(truth, scores, labels=data.labels, good=data.good)
        models.append(replace(model, metrics=metrics))
        shown.append(
            [f"{(guess[truth != 0] == 0).mean():.3f}", f"{(guess[truth == 0] != 0).mean():.2f}"]
        )
    named = replace(benchmark, data=data, models=tuple(models))
    write_benchmark(tmp_path / "b.json", named)
    valid_file("models/benchmark", tmp_path / "b.json")
    named = read_benchmark(tmp_path / "b.json")
    header, *rows = table_of(parsed(page(named)), "Accuracy")
    assert header[-2:] == ["escape rate", "overkill"]
    for row, (escape_rate, overkill) in zip(rows, shown, strict=True):
        assert row[-2].startswith(f"{escape_rate} [")
        assert row[-1].startswith(f"{overkill}")
    assert "escape rate" in benchmark_table(named).splitlines()[0]
    assert shown[0][0] in benchmark_table(named).splitlines()[2]
    assert "escape" not in page(benchmark) + benchmark_table(benchmark)


def test_the_verdict_stands_first(benchmark: Benchmark, root: ElementTree.Element) -> None:
    verdict = benchmark.verdict
    assert verdict
    answer = headline_of(root)
    assert answer.startswith(
        "Ship int8-qat: as fast as any of those without a significant loss, it "
    )
    points = f"{verdict.drop.points:{digits_of(verdict.drop.interval)}}"
    assert f"loses {points} points of top-1 accuracy [" in answer
    assert f"{1 / verdict.ratio.value:.2f} times as fast as keras [" in answer
    assert answer.endswith(f"{100 * verdict.bytes_ratio:.0f} % of its size.")
    assert f"**{answer}**" == markdown(benchmark).splitlines()[2].replace("\\", "")


@pytest.mark.parametrize(
    ("ms", "points", "shipped"),
    [(12.3, 0.0, "int8"), (12.3, 0.5, "int8-qat"), (12.4, 0.0, "int8-qat")],
)
def test_of_two_as_fast_the_better_is_shipped(ms: float, points: float, shipped: str) -> None:
    answer = make_benchmark(threads=(1,))
    changed = []
    for model in answer.models:
        if model.name.startswith("int8"):
            is_first = model.name == "int8"
            assert model.against
            drop = replace(model.against.drop, points=points if is_first else 0.1, p_value=1.0)
            timing = replace(model.timings[0], p50_ms=ms if is_first else 12.1)
            against = replace(model.against, drop=drop)
            changed.append(replace(model, against=against, timings=(timing,)))
        else:
            changed.append(model)
    verdict = decide(changed)
    assert verdict
    assert verdict.model == shipped


def test_a_gain_is_reported_as_one(benchmark: Benchmark) -> None:
    verdict = benchmark.verdict
    assert verdict
    drop = replace(verdict.drop, points=-0.5, interval=type(verdict.drop.interval)(-1.5, 0.25))
    gained = replace(benchmark, verdict=replace(verdict, drop=drop))
    assert "gains 0.5 points of top-1 accuracy [−0.2, 1.5]" in headline_of(parsed(page(gained)))


def test_nothing_passes_is_said(benchmark: Benchmark) -> None:
    verdict = benchmark.verdict
    assert verdict
    answer = headline_of(parsed(page(replace(benchmark, verdict=replace(verdict, loses=True)))))
    assert answer.startswith("Nothing passes: every model loses significantly against keras")


def test_a_void_run_says_so_first(benchmark: Benchmark) -> None:
    void = replace(benchmark, void="the machine throttled: under-voltage")
    answer = headline_of(parsed(page(void)))
    assert answer == "Void, the latencies do not count: the machine throttled: under-voltage."
    assert markdown(void).splitlines()[2] == f"**{answer}**"


def test_a_busy_machine_is_warned_of(benchmark: Benchmark, root: ElementTree.Element) -> None:
    busy = replace(benchmark, machine=replace(benchmark.machine, background_load=1.5))
    line = "Other processes kept 1.5 of 4 cores busy"
    assert line in text_of(parsed(page(busy)))
    assert line in markdown(busy)
    assert line not in text_of(root)


def test_text_from_data_is_escaped() -> None:
    answer = make_benchmark(
        labels=("ok", NASTY), threads=(1,), images=200, folder=Path("a|b\x1b`c")
    )
    html = page(answer)
    root = parsed(html)
    assert NASTY not in html
    assert [text_of(b) for b in root.iter("b") if b.text == NASTY] == []
    assert table_of(root, "Recall of each class")[2][0] == NASTY
    assert any(text_of(dd).startswith(NASTY) for dd in root.iter("dd"))
    text = markdown(answer)
    assert NASTY not in text
    assert markdown_table(text, "Recall of each class")[2][0] == NASTY
    assert ["folder", "a|b\N{REPLACEMENT CHARACTER}`c"] in markdown_table(text, "Method")


def without_reference() -> Benchmark:
    answer = make_benchmark(threads=(1,))
    models = tuple(
        replace(
            model,
            reference=False,
            against=None,
            timings=tuple(replace(timing, ratio=None) for timing in model.timings),
        )
        for model in answer.models[2:]
    )
    return replace(answer, models=models, verdict=decide(models))


def only(count: int) -> Benchmark:
    answer = make_benchmark(threads=(1,))
    models = answer.models[:count]
    return replace(answer, models=models, verdict=decide(models), sustained=())


@pytest.mark.parametrize(
    ("made", "headline", "missing"),
    [
        (lambda: only(1), "No verdict: nothing but keras ran.",
         ["What is lost, what is gained", "Class by class", "Confusion", "Where they differ",
          "Continuous work"]),
        (lambda: only(2), "Ship float32: without a significant loss, it loses 0.0 points",
         ["Where they differ", "Continuous work"]),
        (without_reference, "No verdict: no float model ran",
         ["What is lost, what is gained", "Class by class", "Confusion", "Where they differ"]),
        (lambda: with_error(make_benchmark(), "int8-qat", "killed"), "Ship int8: ", []),
        (lambda: make_benchmark(queries=20, rounds=2), "Ship int8", []),
        (lambda: make_benchmark(labels=tuple(f"class number {i}" for i in range(40)), images=400),
         "Ship ", []),
    ],
    ids=["one model", "no difference", "no reference", "dead", "few queries",
         "40 classes"],
)  # fmt: skip
def test_odd_results_have_a_page(
    made: Callable[[], Benchmark], headline: str, missing: list[str]
) -> None:
    answer = made()
    root = parsed(page(answer))
    assert headline_of(root).startswith(headline)
    assert [text_of(h2) for h2 in root.iter("h2")] == [s for s in SECTIONS if s not in missing]
    assert "nan" not in " ".join(v for e in root.iter() for k, v in e.items() if k != "src")
    text = markdown(answer)
    assert text.splitlines()[2].replace("\\", "").startswith(f"**{headline}")
    for model in answer.models:
        if model.error:
            line = f"{model.name} has no figures: {model.error}"
            assert line in text_of(root)
            assert line in text.replace("\\", "")


def test_a_thousand_classes_show_the_most_changed() -> None:
    labels = tuple(f"class number {i}" for i in range(1000))
    # Of most classes there is no image: that of a thousand takes its time to draw.
    answer = make_benchmark(labels=labels[:160], images=400, threads=(1,), queries=70)
    answer = replace(answer, data=replace(answer.data, labels=labels))
    html = page(answer)
    assert len(html) < 1_000_000
    root = parsed(html)
    rows = table_of(root, "Recall lost")[1:]
    assert len(rows) == 100
    shown = {row[0] for row in rows}
    for model in answer.models[1:]:
        assert model.against
        most = max(model.against.recall_drops, key=lambda drop: abs(drop.points))
        shown_points = (
            [abs(drop.points) for drop in model.against.recall_drops if drop.label in shown]
            if most.points
            else [0.0]
        )
        assert max(shown_points) == abs(most.points)
        if model.against.disagreements:
            assert table_of(root, f"Mistakes of {model.name}")[0][:2] == ["truth", "called"]


def test_changed_mistakes_are_those_of_the_confusion_matrices(benchmark: Benchmark) -> None:
    rows = markdown_table(markdown(benchmark), "Mistakes of int8")[1:]
    reference, int8 = benchmark.models[0].metrics, benchmark.models[4].metrics
    assert reference
    assert int8
    before, after = np.asarray(reference.confusion), np.asarray(int8.confusion)
    labels = benchmark.data.labels
    expected = {
        (labels[i], labels[j], before[i, j], after[i, j])
        for i, j in np.argwhere(before != after)
        if i != j
    }
    assert {(row[0], row[1], int(row[2]), int(row[3])) for row in rows} == expected
    cells = {
        (label, text)
        for g in parsed(page(benchmark)).iter("g")
        if (label := (g.findtext("title") or "")) and (text := g.findtext("text"))
    }
    for truth, guess, one, other in expected:
        answer = f"{other - one:+d}".replace("-", "−")
        assert (f"{truth} called {guess}: {answer}", answer) in cells


def test_thumbnails_lie_in_the_page_and_missing_files_are_named(
    benchmark: Benchmark, tmp_path: Path
) -> None:
    against = benchmark.models[-1].against
    assert against
    here, gone = against.shown[0], against.shown[1]
    image, _ = draw_surface("oil", size=300, rng=np.random.default_rng(0))
    (tmp_path / here.path).parent.mkdir(parents=True)
    cv2.imwrite(str(tmp_path / here.path), image[:200])
    root = parsed(page(benchmark, images=tmp_path))
    pictures = [img for img in root.iter("img") if here.truth in (img.get("alt") or "")]
    assert pictures
    data = b64decode((pictures[0].get("src") or "").removeprefix("data:image/jpeg;base64,"))
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (96, 144, 3)
    cards = [text_of(li) for li in root.iter("li") if (li.find("dl")) is not None]
    assert any(f"{Path(gone.path).name} cannot be read" in card for card in cards)
    first = cards[0]
    assert here.path in first
    assert f"truth{here.truth}keras{here.reference_guess} {here.reference_score:.2f}" in first
    assert f"int8-qat{here.guess} {here.score:.2f}" in first


def test_the_interval_of_a_median_holds_it(benchmark: Benchmark) -> None:
    for model in benchmark.models:
        for timing in model.timings:
            interval = p50_interval(timing)
            assert timing.p50_ms in interval
            assert interval.low < interval.high


def test_the_command_reports_a_kept_result(cli: Cli, benchmark: Benchmark, tmp_path: Path) -> None:
    result_file, html, text = (tmp_path / name for name in ("b.json", "out/b.html", "out/b.md"))
    write_benchmark(result_file, benchmark)
    done = cli("benchmark", "report", result_file, "--report", html, "--markdown", text)
    assert done.output.split() == [str(html), str(text)]
    assert html.read_text("utf-8") == page(benchmark)
    assert text.read_text("utf-8") == markdown(benchmark)


def test_the_command_says_what_is_wrong(cli: Cli, benchmark: Benchmark, tmp_path: Path) -> None:
    result_file = tmp_path / "b.json"
    write_benchmark(result_file, benchmark)
    done = cli("benchmark", "report", result_file, code=1)
    assert "nothing to write; add --report FILE.html" in done.output
    done = cli("benchmark", "report", tmp_path / "no.json", "--report", tmp_path / "b.html", code=1)
    assert "no.json: no such file" in done.output
    done = cli("benchmark", "report", result_file, "--report", result_file / "b.html", code=1)
    assert "cannot be a folder for files" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


def test_a_measurement_writes_its_report(cli: Cli, tiny_models: Path, surfaces: Path,
                                         tmp_path: Path) -> None:  # fmt: skip
    files = [tiny_models / "float32.tflite", tiny_models / "int8.tflite"]
    options = ["--queries", 10, "--rounds", 2, "--threads", 1]
    outputs = ["--report", tmp_path / "b.html", "--markdown", tmp_path / "b.md"]
    cli("benchmark", *files, "--data", surfaces, *options, *outputs)
    root = parsed((tmp_path / "b.html").read_text("utf-8"))
    assert headline_of(root).startswith(("Ship int8", "Nothing passes"))
    missing = [text_of(e) for e in root.iter("div") if e.get("class") == "missing"]
    assert missing == []
    assert "## Latency" in (tmp_path / "b.md").read_text("utf-8")


def test_a_report_needs_no_tensorflow(
    fresh_python: Callable[..., CompletedProcess[str]], benchmark: Benchmark, tmp_path: Path
) -> None:
    write_benchmark(tmp_path / "b.json", benchmark)
    code = """
import sys
for name in ("tensorflow", "keras", "tf_keras", "h5py", "matplotlib", "ai_edge_litert"):
    sys.modules[name] = None
from edgeclf.cli import main
main()
"""
    html = tmp_path / "b.html"
    done = fresh_python(code, "benchmark", "report", tmp_path / "b.json", "--report", html)
    assert done.stderr == ""
    assert html.exists()


def test_labels_are_spread_without_changing_their_order() -> None:
    places = [10.0, 11.0, 12.0, 50.0, 97.0, 99.0]
    moved = spread(places, gap=10, low=0, high=100)
    assert all(b - a >= 10 - 1e-9 for a, b in pairwise(moved))
    assert moved[0] >= 0
    assert moved[-1] <= 100
    assert moved[3] == 50
    assert sum(moved[:3]) / 3 == pytest.approx(11)  # moved as little as it takes
    assert spread([4.0, 2.0], gap=3, low=0, high=10) == [4.5, 1.5]
    crowded = spread([1.0] * 11, gap=15, low=0, high=100)
    assert np.diff(crowded) == pytest.approx(10)
    assert spread([], gap=1, low=0, high=1) == []


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("low", "high"), [(0.93, 0.99), (6.5, 70), (1e-3, 2e3), (58, 74), (5, 5)])
def test_ticks_are_round_and_within(low: float, high: float, log: bool) -> None:
    scale = scale_over([low, high], start=0, end=100, log=log)
    assert 0 <= scale(low) <= scale(high) <= 100
    ticks = scale.ticks(6)
    assert 1 <= len(ticks) <= 6
    assert all(scale.low <= tick <= scale.high for tick in ticks)
    answer = [tick_label(tick, ticks) for tick in ticks]
    assert len(set(answer)) == len(answer)
    assert [float(t) for t in answer] == pytest.approx(ticks)


def test_ticks_over_decades_have_their_own_decimals() -> None:
    ticks = [0.05, 0.5, 5.0, 50.0]
    assert [tick_label(tick, ticks) for tick in ticks] == ["0.05", "0.5", "5", "50"]
    assert [tick_label(tick, [-1, 0, 1], signed=True) for tick in (-1, 0, 1)] == ["−1", "0", "+1"]


def test_a_scale_runs_from_start_to_end() -> None:
    scale = Scale(1, 100, 200, 0, log=True)
    assert [scale(1), scale(10), scale(100)] == pytest.approx([200, 100, 0])
    assert Scale(0, 10, 0, 50)(4) == 20


def test_long_names_keep_both_ends() -> None:
    assert shortened("class number 460", length=10) == "class…460"
    assert shortened("oil", length=10) == "oil"


@pytest.mark.parametrize("width", [360, 880])
@pytest.mark.parametrize("seed", range(6))
def test_no_bar_strikes_through_a_name(width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    benchmark = make_benchmark(threads=(1,), seed=seed)
    models = []
    for model in benchmark.models:
        # Times that lie as close as on a fast machine.
        rounds = tuple(tuple(2 + 0.4 * rng.random(20) + 0.1 * rng.random()) for _ in range(5))
        median = float(np.median(np.concatenate(rounds)))
        timing = replace(model.timings[0], rounds_ms=rounds, p50_ms=median)
        models.append(replace(model, timings=(timing,)))
    chart = draw_scatter(replace(benchmark, models=tuple(models)), threads=1, width=width)
    root = ElementTree.fromstring(str(chart))
    names = [text for text in root.iter("text") if "halo" in (text.get("class") or "")]
    bars = [bar for bar in root.iter("line") if bar.get("class") == "bar"]
    assert len(names) == len(models)
    assert len(bars) == 2 * len(models)
    for name in names:
        wide = text_width(text_of(name))
        left = float(name.get("x", "")) - (wide if name.get("text-anchor") == "end" else 0)
        base = float(name.get("y", ""))
        for bar in bars:
            x1, x2, y1, y2 = (float(bar.get(key, "")) for key in ("x1", "x2", "y1", "y2"))
            crosses = (
                x1 < left + wide and x2 > left and min(y1, y2) < base and max(y1, y2) > base - 9
            )
            assert not crosses, (text_of(name), bar.attrib)
