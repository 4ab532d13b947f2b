"""`edgeclf train --good-only` and what can be done with its run, through the command line."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmark_command import QUICK
from click.testing import Result
from schemas import valid_file

Cli = Callable[..., Result]

TINY = ("--arch", "densenet-tiny", "--weights", "none", "--good-only")


@pytest.fixture(scope="module")
def run(cli: Cli, surfaces: Path, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("good-only") / "run"
    learned = ("--weights", tiny_run / "model.keras", "--patches", 128)
    result = cli("train", surfaces, "--out", out, *TINY, *learned)
    assert "image AUROC" in result.output
    return out


@pytest.fixture(scope="module")
def model(cli: Cli, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("good-only-models")
    any_drop = ("--max-drop", 100, "--max-class-drop", 100, "--max-escape-rise", 100)
    cli("convert", run, "--out", out, "--recipes", "float32,int8", *any_drop)
    return out / "int8.tflite"


def test_only_good_images_are_learned(run: Path) -> None:
    with (run / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows if row["split"] != "test"} == {"good"}
    defects = [row for row in rows if row["label"] == "defect"]
    assert {Path(row["path"]).parts[0] for row in defects} == {"oil", "scratch", "stain"}
    assert {row["split"] for row in defects} == {"test"}


def test_the_run_says_how_well_each_defect_is_told(run: Path) -> None:
    valid_file("training/config", run / "config.json")
    valid_file("training/metrics", run / "metrics.json")
    metrics = json.loads((run / "metrics.json").read_text())
    assert [one["kind"] for one in metrics["defects"]] == ["oil", "scratch", "stain", "all"]
    assert metrics["defects"][-1]["images"] == 72
    assert metrics["defects"][-1]["auroc"] == pytest.approx(metrics["curves"]["defect"]["auc"])
    assert metrics["held_out_good"]["images"] == 19
    assert metrics["calibration"]["temperature"] == 1
    card = (run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "a score of 0.5 is the threshold that good images have set" in card


def test_a_run_is_not_replaced_unasked(cli: Cli, run: Path, surfaces: Path) -> None:
    result = cli("train", surfaces, "--out", run, *TINY, code=1)
    assert "holds a run already" in result.output


def test_the_file_answers_good_or_defect_with_a_heatmap(
    cli: Cli, model: Path, surfaces: Path, tmp_path: Path
) -> None:
    result = cli("run", model, surfaces / "oil", "--json", "--heatmap", tmp_path)
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(records) == len(list(tmp_path.glob("*.heatmap.png"))) == 24
    for record in records:
        assert record["label"] == ("defect" if dict(record["top"])["defect"] > 0.5 else "good")
        assert record["novelty"] is None


def test_int8_computes_in_integers_alone_and_what_float_computes(
    model: Path, surfaces: Path
) -> None:
    from edgeclf import Classifier, read_image
    from edgeclf.edge_runtime.tflite.interpreter import float_operators

    classifier, reference = Classifier(model), Classifier(model.with_name("float32.tflite"))
    assert not float_operators(classifier.interpreter)
    assert classifier.self_test().passed
    farthest: list[list[float]] = [[], []]
    for path in sorted(surfaces.rglob("*.png")):
        for each, found in zip((classifier, reference), farthest, strict=True):
            answer = each.classify(read_image(path), heatmap=True)
            assert answer.heatmap is not None
            found.append(float(each.class_activation_map(1).max()))
            score = 1 / (1 + np.exp(-2 * found[-1]))  # half of the anomaly is either logit
            assert dict(answer.top)["defect"] == pytest.approx(score, abs=0.03)
    assert np.corrcoef(farthest)[0, 1] > 0.8


def test_the_benchmark_calls_all_other_folders_defects(
    cli: Cli, model: Path, surfaces: Path, tmp_path: Path
) -> None:
    out = tmp_path / "benchmark.json"
    cli("benchmark", model, "--data", surfaces, "--json", out, *QUICK)
    found = valid_file("models/benchmark", out)
    assert found["data"]["labels"] == ["good", "defect"]
    assert sorted(found["data"]["truth"]) == [0] * 24 + [1] * 72
    figures = found["models"][0]["metrics"]
    assert figures["escape_rate"]["value"] <= 1
    assert 0 <= figures["image_auroc"]["value"] <= 1


def test_data_without_a_good_folder_is_refused(
    cli: Cli, model: Path, surfaces: Path, tmp_path: Path
) -> None:
    for name in ("oil", "stain"):
        (tmp_path / name).symlink_to(surfaces / name)
    result = cli("benchmark", model, "--data", tmp_path, code=1)
    assert "expected one folder good, ok or normal" in result.output


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--epochs", 3), 2, "--epochs: nothing is trained step by step with --good-only"),
        (("--folds", 3), 2, "--folds: nothing is trained"),
        (("--recall", 0.9), 2, "--recall: nothing is trained"),
        (("--arch", "resnet50v2"), 1, "--good-only takes patches of a DenseNet"),
        (("--good", "fine"), 1, "holds no folder 'fine'; give --good, one of good, oil"),
    ],
)
def test_what_makes_no_sense_is_refused(
    cli: Cli, surfaces: Path, tmp_path: Path, options: tuple[object, ...], code: int, message: str
) -> None:
    result = cli("train", surfaces, "--out", tmp_path / "run", *TINY, *options, code=code)
    assert message in result.output
    assert not (tmp_path / "run").exists()


def test_its_options_need_good_only(cli: Cli, surfaces: Path, tmp_path: Path) -> None:
    result = cli("train", surfaces, "--out", tmp_path / "run", "--patches", 64, code=2)
    assert "--patches needs --good-only" in result.output


def test_conversions_that_make_no_sense_are_refused(cli: Cli, run: Path, tmp_path: Path) -> None:
    for options, message in (
        (("--recipes", "int8-qat"), "--recipes int8-qat: RUN has seen good images only"),
        (("--novelty",), "--novelty: RUN has seen good images only"),
    ):
        result = cli("convert", run, "--out", tmp_path, *options, code=2)
        assert message in result.output


def test_thresholds_per_class_are_refused(cli: Cli, run: Path) -> None:
    result = cli("evaluate", run, "--recall", 0.9, code=1)
    assert "--recall: the run has seen good images only" in result.output
