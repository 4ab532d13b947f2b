"""Temperature, thresholds and curves against scipy and figures by hand; then what a run leaves."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from schemas import valid_file
from scipy import optimize, stats

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.live.decisions import Decider, DecisionConfig
from edgeclf.edge_runtime.model_file.container import flatbuffer_size, read_model, write_model
from edgeclf.models.activation_maps import class_activation_maps
from edgeclf.models.float_model import FloatModel
from edgeclf.models.photographs import load_photographs, run_photographs
from edgeclf.models.run import read_run
from edgeclf.models.score_calibration import Calibration
from edgeclf.train.evaluation.curves import class_curves
from edgeclf.train.evaluation.temperature import (
    HOTTEST,
    at_temperature,
    fit_temperature,
    log_losses,
)
from edgeclf.train.evaluation.thresholds import choose_thresholds, named_labels, score_thresholds
from edgeclf.train.report.card import data_digest, weights_licence

LABELS = ("good", "oil", "scratch", "stain")


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True), np.float32)


def drawn(images: int, *, temperature: float, seed: int) -> tuple[NDArray, NDArray]:
    """Scores of a model that is too sure by `temperature`, and truths."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(images, 4))
    truth = np.asarray([rng.choice(4, p=p / p.sum()) for p in softmax(logits).astype(float)])
    return softmax(temperature * logits), truth


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_again(temperature: float) -> None:
    scores, truth = drawn(4000, temperature=temperature, seed=0)
    found = fit_temperature(scores, truth)
    assert found.value == pytest.approx(temperature, rel=0.08)
    assert not found.at_bound
    # Scipy's least log-loss, but for the hundredth of an image that the truth is doubted by.
    least = optimize.minimize_scalar(
        lambda t: log_losses(at_temperature(scores, t), truth).mean(), bounds=(0.3, 4)
    )
    assert found.value == pytest.approx(least.x, rel=0.01)
    calibrated = at_temperature(scores, found.value)
    np.testing.assert_array_equal(calibrated.argmax(1), scores.argmax(1))
    np.testing.assert_allclose(calibrated.sum(1), 1, rtol=1e-5)


def test_a_few_images_do_not_speak_louder_than_they_can() -> None:
    # All right: no surer than 20 of 20 can tell.
    right = softmax(3 * np.eye(4)[np.arange(20) % 4])
    found = fit_temperature(right, np.arange(20) % 4)
    assert found.value < 1
    assert not found.at_bound
    assert right.max() < at_temperature(right, found.value).max() < 21 / 22

    # By chance, of a model that hardly tells anything: no flatter than it is, or nearly so.
    scores = np.tile(np.asarray([0.17, 0.3, 0.34, 0.19], np.float32), (16, 1))
    found = fit_temperature(scores, np.arange(16) % 4)
    assert 1 < found.value < 1.5

    # Two hundred wrong ones that were sure: as far as is allowed, and no further.
    sure = softmax(20 * np.eye(4)[np.zeros(200, int)])
    found = fit_temperature(sure, np.arange(200) % 4)
    assert found.at_bound
    assert found.value == pytest.approx(HOTTEST)


def test_no_score_is_too_small_for_a_logarithm() -> None:
    scores = np.asarray([[1, 0, 0], [0, 1, 0]], np.float32)
    assert np.isfinite(at_temperature(scores, 2.0)).all()
    assert np.isfinite(log_losses(scores, np.asarray([1, 1]))).all()


def test_curves_against_scipy_and_by_hand() -> None:
    rng = np.random.default_rng(3)
    scores = np.round(rng.dirichlet(np.ones(3), size=200), 2).astype(np.float32)  # with ties
    truth = rng.integers(3, size=200)
    for one in class_curves(truth, scores, labels=("a", "b", "c")):
        index = "abc".index(one.label)
        own, other = scores[truth == index, index], scores[truth != index, index]
        pairs = len(own) * len(other)
        assert one.auc == pytest.approx(stats.mannwhitneyu(own, other).statistic / pairs)
        assert one.recall[-1] == one.false_alarms[-1] == 1

    # Ranked: yes, no, yes and no with the same score, yes.
    score = np.asarray([0.9, 0.8, 0.5, 0.5, 0.1], np.float32)
    truth = np.asarray([1, 0, 1, 0, 1])
    no, yes = class_curves(truth, np.stack([1 - score, score], 1), labels=("no", "yes"))
    assert yes.recall.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 1])
    assert yes.precision.tolist() == pytest.approx([1, 1, 1 / 2, 1 / 2, 3 / 5])
    assert yes.average_precision == pytest.approx((1 + 1 / 2 + 3 / 5) / 3)
    assert yes.auc == pytest.approx((2 + 0.5 + 0) / 6)
    assert no.auc == pytest.approx(yes.auc)
    assert class_curves(np.zeros(3, int), np.ones((3, 2), np.float32), labels=("a", "b")) == ()


@pytest.mark.parametrize("recall", [0.5, 0.9, 0.95, 1.0])
def test_thresholds_are_the_highest_that_reach_the_recall(recall: float) -> None:
    scores, truth = drawn(300, temperature=1, seed=4)
    chosen = choose_thresholds(scores, truth, labels=LABELS, recall=recall)
    for index, label in enumerate(LABELS):
        own = scores[truth == index, index]
        assert (own >= chosen[label]).mean() >= recall
        assert (own >= chosen[label] + 1 / 128).mean() < recall
        assert chosen[label] * 256 == int(chosen[label] * 256)  # as an int8 file can tell it
    twenty = np.linspace(0.01, 0.96, 20, dtype=np.float32)
    pairs = np.stack([twenty, 1 - twenty], 1)
    of_twenty = choose_thresholds(pairs, np.zeros(20, int), labels=("a", "b"), recall=0.95)
    assert of_twenty == {"a": int(0.06 * 256) / 256}


def test_what_thresholds_tell_is_what_a_live_run_and_a_photograph_tell() -> None:
    scores, truth = drawn(200, temperature=1, seed=5)
    thresholds = {"good": 0.7, "oil": 0.2, "scratch": 0.5, "stain": 0.6}
    named = named_labels(scores, thresholds, labels=LABELS)
    names = [LABELS[i] if i >= 0 else "unknown" for i in named]
    assert len(set(names)) == 5
    for row, name in zip(scores, names, strict=True):
        decider = Decider(LABELS, DecisionConfig(class_thresholds=thresholds))
        assert decider.decide(row, at=0, taken_at=0, frame=0)[0].label == name
    found = score_thresholds(
        thresholds, val=(scores[:100], truth[:100]), test=(scores, truth), labels=LABELS
    )
    oil = found[1]
    is_oil, reaches = truth == 1, scores[:, 1] >= 0.2
    assert oil.recall is not None
    assert oil.recall.value == (is_oil & reaches).sum() / is_oil.sum()
    assert oil.precision is not None
    assert oil.precision.value == (is_oil & reaches).sum() / reaches.sum()
    assert oil.named is not None
    assert oil.named.value == (named[is_oil] == 1).mean()


@pytest.fixture(scope="module")
def evaluated(cli, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run, evaluated again for a recall of 0.9 and with a good class."""
    run = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(tiny_run, run)
    result = cli("evaluate", run, "--recall", 0.9, "--good", "good")
    assert re.search(r"Right on \d+ of 20 test images", result.output)
    for label, threshold in read(run / "calibration.json")["thresholds"].items():
        assert re.search(rf"^{label} +{threshold:.3f} ", result.output, re.MULTILINE)
    return run


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_evaluating_again_gives_the_same(cli, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    (run / "report.html").unlink()
    cli("evaluate", run)
    for name in ("calibration.json", "metrics.json", "report.html", "MODEL_CARD.md"):
        assert (run / name).read_text() == (tiny_run / name).read_text(), name


def test_the_metrics_tell_calibration_before_and_after(tiny_run: Path) -> None:
    calibration = read(tiny_run / "metrics.json")["calibration"]
    run = read_run(tiny_run)
    assert calibration["temperature"] == run.info.calibration.temperature
    assert calibration["val_images"] == len(run.split("val")) == run.info.calibration.images
    pixels, labels = load_photographs(
        run_photographs(run, "test"), size_hw=run.info.input_hw, rule=run.info.resize
    )
    truth = np.asarray([run.info.labels.index(label) for label in labels])
    plain = FloatModel(replace(run.info, calibration=Calibration())).scores(pixels)
    for scores, when in ((plain, "before"), (FloatModel(run.info).scores(pixels), "after")):
        loss = log_losses(scores, truth).mean()
        assert calibration[when]["log_loss"]["value"] == pytest.approx(loss, rel=1e-5)
    before, after = (calibration[when]["log_loss"]["value"] for when in ("before", "after"))
    saved = before - after
    assert calibration["log_loss_saved"]["value"] == pytest.approx(saved, abs=1e-9)


TEMPERATURE = 0.3


@pytest.fixture(scope="module")
def models(cli, evaluated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the evaluated run at another temperature."""
    out = tmp_path_factory.mktemp("models")
    run = tmp_path_factory.mktemp("hot") / "run"
    shutil.copytree(evaluated, run)
    calibration = read(run / "calibration.json") | {"temperature": TEMPERATURE}
    (run / "calibration.json").write_text(json.dumps(calibration))
    any_drop = ("--max-drop", 100, "--max-class-drop", 100, "--max-escape-rise", 100)
    recipes = "float32,float16,dynamic,int8"
    quick = ("--techniques", "none", *any_drop)
    cli("convert", run, "--out", out, "--recipes", recipes, "--heatmap", *quick)
    return out


@pytest.mark.parametrize("recipe", ["float32", "float16", "dynamic", "int8"])
def test_every_file_carries_temperature_and_thresholds(
    evaluated: Path, models: Path, surfaces: Path, recipe: str
) -> None:
    run = read_run(evaluated)
    image = read_image(sorted((surfaces / "stain").iterdir())[0])
    plain = FloatModel(replace(run.info, calibration=Calibration()))
    classifier = Classifier(models / f"{recipe}.tflite")
    assert classifier.spec.thresholds == run.info.calibration.thresholds
    assert set(classifier.spec.thresholds or ()) == set(LABELS)
    assert classifier.spec.good == "good"
    [shown] = [one for one in read(models / "conversion.json")["models"] if one["recipe"] == recipe]
    confusion = np.asarray(shown["scores"]["confusion"])
    assert shown["escape_rate"]["value"] == confusion[1:, 0].sum() / confusion[1:].sum()
    assert shown["overkill"]["value"] == confusion[0, 1:].sum() / confusion[0].sum()
    assert shown["gate"]["escape_rise"]["images"] == confusion[1:].sum()
    assert classifier.spec.provenance is not None
    assert classifier.spec.provenance["temperature"] == TEMPERATURE
    model_input = classifier.preprocess(image)
    scores, as_trained = classifier.scores(model_input), plain.score_one(model_input)
    wanted = at_temperature(as_trained[np.newaxis], TEMPERATURE)[0]
    assert np.abs(wanted - as_trained).max() > 0.05
    np.testing.assert_allclose(scores, wanted, atol=0.04 if recipe == "int8" else 0.01)


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        (dict.fromkeys(LABELS, 1.0), "unknown"),
        (dict.fromkeys(LABELS, 1.0) | {"scratch": 0.0}, "scratch"),
    ],
)
def test_a_photograph_is_named_by_the_models_thresholds(
    cli, models, surfaces, tmp_path: Path, thresholds: dict[str, float], expected: str
) -> None:
    data, spec = read_model(models / "float32.tflite")
    path = tmp_path / "model.tflite"
    write_model(path, data[: flatbuffer_size(data)], replace(spec, thresholds=thresholds))
    photograph = sorted((surfaces / "oil").iterdir())[0]
    answer = json.loads(cli("run", path, photograph, "--json").output)
    assert answer["label"] == expected
    scores = dict(answer["top"])
    assert answer["score"] == scores.get(expected, max(scores.values()))


def test_the_report_is_one_file_without_a_script(evaluated: Path) -> None:
    text = (evaluated / "report.html").read_text()
    page = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
    titles = [title.text for title in page.iter("h2")]
    assert [title for title in titles if title != "Mistakes"] == [
        "Class by class", "Where it looks", "Whether the scores are honest", "Thresholds",
        "One class against the rest", "A class that it was never taught", "Learning", "Settings",
    ]  # fmt: skip
    assert not list(page.iter("script"))
    assert not list(page.iter("link"))
    sources = [image.get("src") for image in page.iter("img")]
    assert len(sources) > 12
    assert all(source and source.startswith("data:image/jpeg;base64,") for source in sources)
    captions = [caption.text for caption in page.iter("caption")]
    assert "Pointing game" in captions  # the masks lie beside the data
    metrics = valid_file("training/metrics", evaluated / "metrics.json")
    assert metrics["pointing"]
    assert f"{metrics['test']['accuracy']:.2f} [" in "".join(page.itertext())


def test_maps_are_those_of_the_file(evaluated: Path, models: Path, surfaces: Path) -> None:
    classifier = Classifier(models / "float32.tflite")
    run = read_run(evaluated)
    model = FloatModel(replace(run.info, calibration=Calibration(TEMPERATURE)))
    image = read_image(sorted((surfaces / "oil").iterdir())[0])
    model_input = classifier.preprocess(image)
    classifier.infer(model_input)
    maps = class_activation_maps(model, model_input[np.newaxis], np.asarray([1]))
    assert maps is not None
    expected = classifier.class_activation_map(1)
    np.testing.assert_allclose(maps[0], expected, atol=0.01 * np.abs(expected).max())


def test_the_model_card_tells_what_it_is_made_of(evaluated: Path, surfaces: Path) -> None:
    card = (evaluated / "MODEL_CARD.md").read_text()
    assert "**It is not a medical device**" in card
    assert str(surfaces) not in card
    run = read_run(evaluated)
    digest = data_digest(run, surfaces)
    assert digest is not None
    assert f"Folder `{surfaces.name}`, 96 images, digest `{digest}`" in card
    sizes = [str(len(run.split(name))) for name in ("train", "val", "test")]
    assert f"| all | {' | '.join(sizes)} |" in card
    assert "### Thresholds" in card
    assert "no one else’s weights" in card
    assert "BSD" in weights_licence("imagenet", "densenet121")
    assert "-pytorch-model, whose licence is Apache 2.0" in weights_licence(
        "imagenet", "efficientnet-lite1"
    )
    assert "weights in `x.h5`" in weights_licence("/some/where/x.h5", "densenet121")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "not valid JSON"),
        ("[]", "damaged"),
        ('{"temperature": 0, "images": 1, "recall": null, "thresholds": null}', "not above 0"),
        ('{"temperature": 1, "images": 1, "recall": 1, "thresholds": {"x": 1}}', "is no class"),
    ],
)
def test_a_damaged_calibration_is_one_line(
    cli, evaluated: Path, tmp_path: Path, content: str, expected: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(evaluated, run)
    (run / "calibration.json").write_text(content)
    result = cli("convert", run, "--out", tmp_path / "models", code=1)
    assert expected in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_masks_that_do_not_fit(cli, train_tiny, evaluated, surfaces, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    result = cli("evaluate", evaluated, "--masks", tmp_path / "masks", code=1)
    assert "holds no mask for any of 20 photographs" in result.output
    out = tmp_path / "run"
    result = train_tiny(surfaces, out, "--masks", tmp_path / "masks", code=1)
    assert "holds no mask for any of 20 photographs" in result.output
    assert not out.exists()
