"""Escape rate and overkill, from scores to the model's file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeclf.benchmarks.measure.model_files import good_class, read_model_file
from edgeclf.convert.verify.gate import Limits, judge
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.model_file.container import flatbuffer_size, read_model, write_model
from edgeclf.edge_runtime.model_file.spec import ModelSpec
from edgeclf.models.metrics.accuracy import measure_metrics
from edgeclf.models.metrics.scoring import escape_rise
from edgeclf.models.metrics.statistics import wilson_interval

LABELS = ("oil", "good", "stain")
GOOD = 1


def scores_of(guess: np.ndarray) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[guess]


def drawn(images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth, guess = rng.integers(3, size=(2, images))
    return truth, np.where(rng.random(images) < 0.7, truth, guess)


@pytest.mark.parametrize("seed", range(3))
def test_the_rates_are_counted_as_their_names_say(seed: int) -> None:
    truth, guess = drawn(200, seed)
    metrics = measure_metrics(truth, scores_of(guess), labels=LABELS, good="good")
    escaped = sum(t != GOOD and g == GOOD for t, g in zip(truth, guess, strict=True))
    wasted = sum(t == GOOD and g != GOOD for t, g in zip(truth, guess, strict=True))
    defects = int((truth != GOOD).sum())
    assert escaped
    assert wasted
    assert metrics.escape_rate
    assert metrics.overkill
    assert metrics.escape_rate.value == escaped / defects
    assert metrics.escape_rate.interval == wilson_interval(escaped, images=defects)
    assert metrics.overkill.value == wasted / (200 - defects)
    assert metrics.overkill.interval == wilson_interval(wasted, images=200 - defects)


def test_one_defect_taken_for_another_escapes_nothing() -> None:
    truth, guess = np.array([0, 0, 2, 1]), np.array([2, 2, 0, 1])
    metrics = measure_metrics(truth, scores_of(guess), labels=LABELS, good="good")
    assert metrics.escape_rate
    assert metrics.overkill
    assert (metrics.accuracy.value, metrics.escape_rate.value, metrics.overkill.value) == (
        0.25,
        0,
        0,
    )


def test_without_a_good_class_or_images_of_it_there_are_none() -> None:
    truth, guess = drawn(50, 0)
    plain = measure_metrics(truth, scores_of(guess), labels=LABELS)
    assert (plain.escape_rate, plain.overkill) == (None, None)
    of_defects = truth != GOOD
    metrics = measure_metrics(
        truth[of_defects], scores_of(guess[of_defects]), labels=LABELS, good="good"
    )
    assert metrics.escape_rate
    assert metrics.overkill is None


def test_the_rise_is_the_difference_of_the_rates() -> None:
    truth, reference = drawn(300, 1)
    _, guess = drawn(300, 2)
    rates = [
        measure_metrics(truth, scores_of(each), labels=LABELS, good="good").escape_rate
        for each in (guess, reference)
    ]
    assert rates[0]
    assert rates[1]
    rise = escape_rise(truth, reference=reference, guess=guess, good=GOOD)
    assert rise.points == pytest.approx(100 * (rates[0].value - rates[1].value))
    assert rise.images == (truth != GOOD).sum()


# The accuracy and every recall are as before: as many defects are found as are let pass.
@pytest.mark.parametrize(
    ("images", "escaped", "verdict"),
    [(200, 20, "failed"), (200, 3, "too_few_images"), (200, 1, "passed"), (20, 1, "passed")],
)
def test_the_gate_sees_escapes_that_no_other_limit_sees(
    images: int, escaped: int, verdict: str
) -> None:
    truth = np.repeat([0, 1, 2], [images // 2, images, images // 2])
    reference, guess = truth.copy(), truth.copy()
    reference[:escaped] = 2  # the wrong defect, which the file calls good
    guess[:escaped] = 1
    blind = judge(truth, reference=reference, guess=guess, labels=LABELS, limits=Limits())
    assert (blind.verdict, blind.escape_rise) == ("passed", None)
    seen = judge(
        truth, reference=reference, guess=guess, labels=LABELS, limits=Limits(), good="good"
    )
    assert seen.verdict == verdict
    assert seen.escape_rise
    assert (seen.escape_rise.lost, seen.escape_rise.images) == (escaped, images)
    for finding in (*seen.failures, *seen.undecided):
        assert finding.rule == "max_escape_rise"
        assert finding.message.startswith(
            f"lets {100 * escaped / images:.2f} points more defects pass as good, limit 1 "
            f"({escaped} more and 0 fewer of {images} defects; "
        )
    lenient = Limits(max_escape_rise=50)
    assert judge(
        truth, reference=reference, guess=guess, labels=LABELS, limits=lenient, good="good"
    ).passed


def test_the_good_class_is_one_of_the_classes(tiny_models: Path, tmp_path: Path) -> None:
    source = tiny_models / "float32.tflite"
    data, spec = source.read_bytes(), read_model(source)[1]
    assert spec.good is None

    def written(name: str, good: str) -> Path:
        path = tmp_path / name
        write_model(path, data[: flatbuffer_size(data)], replace(spec, good=good))
        return path

    files = [read_model_file(written(f"{good}.tflite", good)) for good in ("good", "oil")]
    plain = read_model_file(source)
    assert good_class([plain]) is None
    assert good_class([plain, files[0]]) == "good"
    with pytest.raises(EdgeclfError, match=r"oil\.tflite: its good class is 'oil', that of .*good"):
        good_class([plain, *files])
    text = replace(spec, good="fine").to_json()
    with pytest.raises(EdgeclfError, match=r"m: the good class 'fine' is none of .*good, oil"):
        ModelSpec.from_json(text, name="m")
