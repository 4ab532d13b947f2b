"""`edgeclf train` as a user meets it."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from schemas import valid_file, valid_rows

from edgeclf.benchmarks.demo.surfaces import write_surfaces
from edgeclf.models.float_model import FloatModel
from edgeclf.models.metrics.scoring import score_predictions
from edgeclf.models.networks import weights
from edgeclf.models.photographs import load_photographs, run_photographs
from edgeclf.models.run import read_run
from edgeclf.models.score_calibration import Calibration
from edgeclf.train import training
from edgeclf.train.fitting.history import History

LEFT = {
    "model.keras",
    "labels.txt",
    "split.csv",
    "history.csv",
    "metrics.json",
    "config.json",
    "curves.png",
    "confusion.png",
    "calibration.json",
    "predictions.csv",
    "report.html",
    "MODEL_CARD.md",
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    write_surfaces(folder, per_class=10, size=32, seed=1)
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_holds_everything(tiny_run: Path) -> None:
    assert {path.name for path in tiny_run.iterdir()} == LEFT
    assert (tiny_run / "labels.txt").read_text().split() == ["good", "oil", "scratch", "stain"]
    assert len(rows(tiny_run / "split.csv")) == 4 * 24
    assert [row["phase"] for row in rows(tiny_run / "history.csv")] == ["scratch"] * 2
    assert cv2.imread(str(tiny_run / "curves.png")) is not None
    assert cv2.imread(str(tiny_run / "confusion.png")) is not None


def test_the_metrics_are_those_of_the_saved_model_on_the_test_split(tiny_run: Path) -> None:
    run = read_run(tiny_run)
    pixels, labels = load_photographs(
        run_photographs(run, "test"), size_hw=run.info.input_hw, rule=run.info.resize
    )
    truth = np.asarray([run.info.labels.index(label) for label in labels])
    guess = FloatModel(run.info).scores(pixels).argmax(1)
    expected = score_predictions(truth, guess, labels=run.info.labels)
    report = json.loads((tiny_run / "metrics.json").read_text())["test"]
    assert report["accuracy"] == expected.accuracy
    assert report["macro_f1"] == expected.macro_f1
    assert report["confusion"] == [list(row) for row in expected.confusion]
    assert [c["support"] for c in report["classes"]] == [c.support for c in expected.classes]


def test_keras_itself_opens_the_saved_model(tiny_run: Path) -> None:
    model = keras.models.load_model(tiny_run / "model.keras")
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    ours = FloatModel(replace(read_run(tiny_run).info, calibration=Calibration())).scores(image)
    np.testing.assert_allclose(model.predict(image.astype("float32")), ours, atol=1e-6)


def test_the_same_seed_gives_the_same_run(train_quick, data: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train_quick(data, tmp_path / name, "--epochs", 2, "--seed", seed)
    split = {name: (tmp_path / name / "split.csv").read_text() for name in "abc"}
    loss = {name: [r["loss"] for r in rows(tmp_path / name / "history.csv")] for name in "abc"}
    assert split["a"] == split["b"] != split["c"]
    assert loss["a"] == loss["b"] != loss["c"]


def test_two_phases_from_a_weights_file(train_quick, tiny_run, data: Path, tmp_path: Path) -> None:
    start = tiny_run / "model.keras"
    phases = ("--head-epochs", 1, "--epochs", 2)
    train_quick(data, tmp_path / "second", "--weights", start, *phases)
    history = rows(tmp_path / "second" / "history.csv")
    assert [row["phase"] for row in history] == ["head", "fine-tune", "fine-tune"]

    # The backbone's BatchNorm statistics are those it came with, in both phases.
    before, after = (weights.read_weights(path) for path in (start, start))
    after = weights.read_weights(tmp_path / "second" / "model.keras")
    for name, arrays in before.items():
        if name.endswith("_bn"):
            for one, other in zip(arrays, after[name], strict=True):
                np.testing.assert_array_equal(one, other)
    assert not np.array_equal(before["predictions"][0], after["predictions"][0])


def test_the_head_phase_leaves_the_backbone_alone(
    train_quick, tiny_run, data, tmp_path: Path
) -> None:
    start = tiny_run / "model.keras"
    phases = ("--head-epochs", 1, "--epochs", 0)
    train_quick(data, tmp_path / "second", "--weights", start, *phases)
    before = weights.read_weights(start)
    after = weights.read_weights(tmp_path / "second" / "model.keras")
    np.testing.assert_array_equal(before["conv1_conv"][0], after["conv1_conv"][0])
    assert not np.array_equal(before["predictions"][0], after["predictions"][0])


def test_groups_stay_on_one_side(train_quick, data: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups.csv"
    paths = sorted(path.relative_to(data).as_posix() for path in data.rglob("*.png"))
    lines = [f"{path},{path[:-8]}{int(path[-8:-4]) // 2}" for path in paths[:-1]]
    groups.write_text("\n".join(["path,group", *lines]) + "\n")
    result = train_quick(data, tmp_path / "run", "--groups", groups)
    side: dict[str, set[str]] = {}
    for row in rows(tmp_path / "run" / "split.csv"):
        if row["group"]:
            side.setdefault(row["group"], set()).add(row["split"])
    assert len(side) == 23
    assert all(len(splits) == 1 for splits in side.values())
    assert f"no group for {paths[-1]}" in result.output


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file,scene\na,b\n", "expected the columns path, group; got file, scene"),
        ("path,group\nnowhere.png,1\n", "names none of the images"),
    ],
)
def test_a_useless_groups_file(train_quick, data, tmp_path: Path, text: str, expected: str) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text(text)
    result = train_quick(data, tmp_path / "run", "--groups", groups, code=1)
    assert expected in result.output


def test_given_splits_are_kept_and_missing_ones_carved(train_quick, data, tmp_path: Path) -> None:
    nested = tmp_path / "nested"
    shutil.copytree(data, nested / "train")
    write_surfaces(nested / "test", per_class=3, size=32, seed=9)
    shutil.rmtree(nested / "test-masks")
    train_quick(nested, tmp_path / "run")
    for row in rows(tmp_path / "run" / "split.csv"):
        assert (row["split"] == "test") == row["path"].startswith("test/")
    assert {row["split"] for row in rows(tmp_path / "run" / "split.csv")} == {
        "train",
        "val",
        "test",
    }


def test_a_corrupt_image_is_skipped_and_listed(train_quick, data: Path, tmp_path: Path) -> None:
    bad = data / "oil" / "oil_0003.png"
    bad.write_bytes(bad.read_bytes()[:200])
    result = train_quick(data, tmp_path / "run")
    assert f"Warning: skipped {bad}: the image is cut short" in result.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["warnings"] == [f"skipped {bad}: the image is cut short"]
    assert sum(metrics["images"].values()) == 39
    for name in ("MODEL_CARD.md", "report.html"):
        text = (tmp_path / "run" / name).read_text()
        assert "skipped oil/oil" in text.replace("\\", "")
        assert str(tmp_path) not in text


def test_a_class_that_is_lost_to_corruption_stops_with_every_file_named(
    train_quick, data: Path, tmp_path: Path
) -> None:
    for path in (data / "oil").iterdir():
        path.write_bytes(b"no image")
    result = train_quick(data, tmp_path / "run", code=1)
    assert result.output.count("not an image that OpenCV can decode") == 10
    assert "no image can be read of: oil" in result.output


def break_no_folder(data: Path) -> None:
    shutil.rmtree(data)
    data.write_text("a file")


def break_one_class(data: Path) -> None:
    for name in ("oil", "scratch", "stain"):
        shutil.rmtree(data / name)


def break_empty_class(data: Path) -> None:
    (data / "dust").mkdir()


def break_case(data: Path) -> None:
    shutil.copytree(data / "oil", data / "Oil")


def break_space(data: Path) -> None:
    (data / "oil").rename(data / "oil ")


def break_separator(data: Path) -> None:
    (data / "oil").rename(data / "o\u2028il")


def break_unknown(data: Path) -> None:
    (data / "oil").rename(data / "Unknown")


def break_parts(data: Path) -> None:
    for part in ("part1", "part2"):
        shutil.copytree(data, data.parent / "whole" / part)
    shutil.rmtree(data)
    (data.parent / "whole").rename(data)


def break_too_few(data: Path) -> None:
    for path in sorted((data / "oil").iterdir())[2:]:
        path.unlink()


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (break_no_folder, "no such folder"),
        (break_one_class, "holds one class, good; a classifier needs two"),
        (break_empty_class, "class 'dust' holds no image"),
        (break_case, "classes 'Oil' and 'oil' differ only by case"),
        (break_space, "class 'oil ' begins or ends with a space"),
        (break_separator, r"class 'o\u2028il' holds a character that nobody sees"),
        (break_unknown, "a class 'unknown' would be mixed up with the answer"),
        (break_parts, "part1, part2 all hold the folders good, oil, scratch, stain"),
        (break_too_few, "class 'oil': 2 images"),
    ],
)
def test_bad_data_is_one_line(train_quick, data, tmp_path: Path, break_it, expected: str) -> None:
    break_it(data)
    result = train_quick(data, tmp_path / "run", code=1)
    assert expected in result.output
    assert not (tmp_path / "run").exists()


def test_a_run_that_cannot_be_a_folder_is_refused_before_the_data_is_read(
    train_quick, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    result = train_quick(tmp_path / "gone", tmp_path / "file", code=1)
    assert "cannot be a folder for files" in result.output


def test_a_run_is_not_overwritten_unasked(train_quick, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_quick(data, run)
    model = (run / "model.keras").read_bytes()
    result = train_quick(data, run, code=1)
    assert "holds a run already" in result.output
    assert (run / "model.keras").read_bytes() == model
    train_quick(data, run, "--overwrite", "--seed", 1)
    assert (run / "model.keras").read_bytes() != model


def test_splits_of_any_name_and_a_file_in_latin_1(
    train_quick, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split in ("Train", "valid", "TEST"):
        shutil.copytree(data, data.parent / "whole" / split)
    root = data.parent / "whole"
    first = min((root / "Train" / "oil").iterdir())
    first.rename(first.with_name("M\udcfcller.png"))
    (root / "TEST" / "loose.png").touch()
    monkeypatch.chdir(root)
    result = train_quick(Path(), tmp_path / "run")
    assert "skipped 1 image beside the folders of classes" in result.output
    run = read_run(tmp_path / "run")
    assert run.info.labels == ("good", "oil", "scratch", "stain")
    assert "Train/oil/M\udcfcller.png" in {image.path for image in run.split("train")}


@pytest.mark.parametrize("inside", ["run", "good/run", ".", "link/run"])
def test_a_run_does_not_lie_in_its_data(train_quick, data: Path, inside: str) -> None:
    (data.parent / "link").symlink_to(data)
    out = data.parent / inside if inside.startswith("link") else data / inside
    before = sorted(data.rglob("*"))
    result = train_quick(data, out, code=1)
    assert "lies in the folder of images" in result.output
    assert sorted(data.rglob("*")) == before


def test_unknown_names_list_the_valid_ones(cli, data: Path, tmp_path: Path) -> None:
    result = cli("train", data, "--out", tmp_path / "run", "--arch", "resnet", code=1)
    assert "unknown architecture 'resnet'; known: densenet121" in result.output


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x89HDF\r\n\x1a\n cut"])
def test_damaged_weights(cli, data: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.weights.h5"
    path.write_bytes(content)
    arguments = ("train", data, "--out", tmp_path / "run", "--arch", "densenet-tiny")
    result = cli(*arguments, "--weights", path, code=1)
    assert "no readable Keras weights" in result.output
    result = cli(*arguments, "--weights", tmp_path / "missing.h5", code=1)
    assert "no readable Keras weights" in result.output


def test_a_failed_download_says_what_to_do(
    cli, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", _no_network)
    small = ("--arch", "mobilenetv3-small")  # is built before it is downloaded
    result = cli("train", data, "--out", tmp_path / "run", *small, code=1)
    assert "cannot be downloaded" in result.output
    assert "give --weights FILE or none" in result.output
    result = cli("train", data, "--out", tmp_path / "r", "--arch", "densenet-tiny", code=1)
    assert "there are no ImageNet weights for densenet-tiny" in result.output


def _no_network(*_arguments: object, **_options: object) -> None:
    from urllib.error import URLError

    raise URLError("no network")


def test_an_interrupt_keeps_the_best_epoch(
    train_quick, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = History.on_epoch_end

    def interrupted(self, epoch: int, logs: dict[str, float]) -> None:
        record(self, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(History, "on_epoch_end", interrupted)
        result = train_quick(data, tmp_path / "run", "--epochs", 2)
    assert "the best epoch so far is kept" in result.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["interrupted"]
    assert metrics["epochs"] == 1
    assert {path.name for path in (tmp_path / "run").iterdir()} == LEFT | {"checkpoint.npz"}

    train_quick(data, tmp_path / "run", "--epochs", 2, "--resume")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert not metrics["interrupted"]
    assert metrics["epochs"] == 2
    assert {path.name for path in (tmp_path / "run").iterdir()} == LEFT


@pytest.mark.parametrize(
    ("owner", "step"),
    [(History, "on_epoch_begin"), (training, "evaluate")],
    ids=["the first epoch", "the scoring"],
)
def test_an_interrupt_before_there_are_scores_says_what_goes_on(
    train_quick, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    owner: object, step: str,
) -> None:  # fmt: skip
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, interrupted)
        result = train_quick(data, tmp_path / "run", code=130)
    assert "Interrupted: the same command with --resume goes on" in result.stderr
    train_quick(data, tmp_path / "run", "--resume")
    assert {path.name for path in (tmp_path / "run").iterdir()} == LEFT


def test_a_loss_that_explodes_is_named(train_quick, data: Path, tmp_path: Path) -> None:
    result = train_quick(data, tmp_path / "run", "--learning-rate", 1e30, code=1)
    assert "use a lower learning rate" in result.output


def test_training_says_what_a_leaking_split_flatters(
    cli, train_quick, data: Path, tmp_path: Path
) -> None:
    for path in sorted((data / "scratch").glob("*.png"))[:6]:
        image = cv2.imread(str(path))
        cv2.imwrite(str(path.with_suffix(".jpg")), image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    result = train_quick(data, tmp_path / "leaking")
    report = re.search(r"(\d+) of (\d+) test images \(\d+%\) have a near-duplicate", result.stderr)
    assert report
    seen, images = map(int, report.groups())
    metrics = valid_file("training/metrics", tmp_path / "leaking/metrics.json")
    assert metrics["images"]["test"] == images
    assert metrics["test_unseen"]["images"] == images - seen
    unseen = metrics["test_unseen"]["accuracy"]
    assert f"accuracy {unseen:.2f} on the {images - seen} test images" in result.stderr

    groups = tmp_path / "groups.csv"
    cli("data", "check", data, "--propose-groups", groups)
    assert valid_rows("training/groups-csv", groups)
    result = train_quick(data, tmp_path / "honest", "--groups", groups)
    assert "near-duplicate" not in result.stderr
    assert "test_unseen" not in json.loads((tmp_path / "honest/metrics.json").read_text())
