"""The page of a benchmark: it is whole, needs nothing else, and shows odd results."""

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from benchmark_page import SECTIONS, headline_of, markdown_table, parsed, table_of, text_of
from benchmark_results import make_benchmark, with_error

from edgeclf.benchmarks.demo.surfaces import draw_surface
from edgeclf.benchmarks.report.markdown import markdown
from edgeclf.benchmarks.report.page import page
from edgeclf.benchmarks.results.schema import Benchmark
from edgeclf.benchmarks.results.verdict import decide

NASTY = '<b>&"'


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
