"""What the recipes of a training do: losses, learning rates, schedules, and their options."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from schemas import valid_file

from edgeclf.edge_runtime import EdgeclfError
from edgeclf.models.data.augment import AugmentConfig, augment
from edgeclf.models.networks.architectures import architecture
from edgeclf.models.networks.classifier import build_classifier
from edgeclf.models.run import read_run
from edgeclf.train.data.distillation import teacher_split
from edgeclf.train.fitting.averaging import averaged_scores
from edgeclf.train.fitting.layerwise import LayerwiseAdam, layer_shares
from edgeclf.train.fitting.losses import DistillationLoss, accuracy


def scores(seed: int, images: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(3), images).astype(np.float32)


LABELS = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]


def test_the_distillation_loss_is_hintons() -> None:
    teacher, student, t, weight = scores(0), scores(1), 3.0, 0.7
    loss = DistillationLoss(weight=weight, temperature=t, label_smoothing=0.1)
    shown = loss.call(np.concatenate([LABELS, teacher], 1), student)

    def softened(values: np.ndarray) -> np.ndarray:
        powers = values.astype(np.float64) ** (1 / t)  # logits divided by t
        return powers / powers.sum(1, keepdims=True)

    smooth = 0.9 * LABELS + 0.1 / 3
    hard = -(smooth * np.log(student)).sum(1)
    p, q = softened(teacher), softened(student)
    soft = (p * np.log(p / q)).sum(1)
    np.testing.assert_allclose(shown, 0.3 * hard + 0.7 * t**2 * soft, rtol=1e-4)


def test_a_student_that_says_what_its_teacher_says_has_no_loss() -> None:
    loss = DistillationLoss(weight=1, temperature=2, label_smoothing=0)
    same = loss(np.concatenate([LABELS, scores(0)], 1), scores(0))
    assert float(same) == pytest.approx(0, abs=1e-6)
    sure = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]  # zeros, whose logarithm is not finite
    assert np.isfinite(float(loss(np.concatenate([LABELS, sure], 1), scores(1))))


def test_accuracy_asks_the_labels_not_the_teacher() -> None:
    guess = np.eye(3, dtype=np.float32)[[0, 1, 1, 1, 1]]
    right = [1, 1, 0, 0, 1]
    np.testing.assert_array_equal(accuracy(LABELS, guess), right)
    np.testing.assert_array_equal(accuracy(np.concatenate([LABELS, scores(0)], 1), guess), right)


def test_layers_learn_the_faster_the_nearer_they_are_to_the_head() -> None:
    model = build_classifier(architecture("densenet-tiny"), classes=3, input_hw=(32, 32))
    for layer in model.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    shares = layer_shares(model, 0.1)
    optimizer = LayerwiseAdam(0.01, shares=shares)
    optimizer.build(model.trainable_variables)
    before = [np.asarray(variable) for variable in model.trainable_variables]
    optimizer.apply([np.ones(array.shape, "f4") for array in before], model.trainable_variables)
    moved = [
        float(np.abs(np.asarray(variable) - array).mean())
        for variable, array in zip(model.trainable_variables, before, strict=True)
    ]  # Adam's first step is as long as the learning rate
    np.testing.assert_allclose(moved, 0.01 * np.asarray(shares), rtol=1e-3)
    names = [variable.path for variable in model.trainable_variables]
    assert moved[names.index("conv1_conv/kernel")] == pytest.approx(0.001, rel=1e-3)
    for name in ("predictions/kernel", "predictions/bias"):
        assert moved[names.index(name)] == pytest.approx(0.01, rel=1e-3)
    steps = np.diff(np.log(shares[:-1]))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-3)
    assert layer_shares(model, 1) == [1] * len(shares)


def test_test_scores_are_averaged_over_the_image_and_its_changes() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)

    def brightness(images: np.ndarray) -> np.ndarray:
        return images.mean((1, 2)).astype(np.float32)

    config = AugmentConfig()
    means = averaged_scores(brightness, pixels, config=config, draws=3, seed=5)
    for index, image in enumerate(pixels):
        copies = [image] + [
            augment(image, config, np.random.default_rng([5, draw, index])) for draw in (1, 2)
        ]
        np.testing.assert_allclose(means[index], brightness(np.stack(copies)).mean(0), rtol=1e-5)
    alone = averaged_scores(brightness, pixels, config=config, draws=1, seed=5)
    np.testing.assert_array_equal(alone, brightness(pixels))


def history(run: Path) -> list[dict[str, str]]:
    header, *lines = (run / "history.csv").read_text().splitlines()
    return [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]


def test_everything_at_once_is_trained_and_written_down(
    train_quick, tiny_run: Path, surfaces: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    train_quick(
        *(surfaces, out),
        *("--weights", tiny_run / "model.keras", "--head-epochs", 2, "--head-draws", 2),
        *("--epochs", 3, "--schedule", "cosine", "--layer-decay", 0.2, "--test-draws", 3),
        *("--mixup", 0.2, "--cutmix", 1, "--randaugment", 2, "--sampling", "balanced"),
        *("--input-size", 24, "--fine-size", 40),
    )
    rows = history(out)
    assert [row["phase"] for row in rows] == ["head"] * 2 + ["fine-tune"] * 3
    rates = [float(row["learning_rate"]) for row in rows[2:]]
    assert 1e-4 > rates[0] > rates[1] > rates[2]
    config = valid_file("training/config", out / "config.json")
    assert config["mix"] == {"mixup": 0.2, "cutmix": 1}
    assert config["augment"]["operations"] == 2
    assert (config["sampling"], config["class_weights"]) == ("balanced", "none")
    run = read_run(out)
    assert run.info.input_hw == (40, 40)
    metrics = valid_file("training/metrics", out / "metrics.json")
    assert metrics["test_averaged"]["draws"] == 3
    assert metrics["test_averaged"]["images"] == metrics["test"]["images"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--weights", "none", "--fine-size", 48), "--fine-size needs a head and a fine-tune"),
        (("--epochs", 0, "--fine-size", 48), "--fine-size needs a head and a fine-tune"),
        (("--sampling", "balanced", "--class-weights", "sqrt"), "--sampling balanced or"),
        (("--distill-from", "x", "--test-fraction", 0.3), "leave --test-fraction"),
        (("--weights", "none", "--epochs", 0), "nothing to train"),
    ],
)
def test_options_that_contradict_one_another_are_refused(
    cli, surfaces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny = ("--arch", "densenet-tiny")
    assert expected in cli("train", surfaces, "--out", "run", *tiny, *options, code=2).output


def test_the_help_shows_every_option_once_under_its_heading(cli) -> None:
    from edgeclf.train.command import train

    text = cli("train", "--help").output
    options = [param for param in train.params if param.param_type_name == "option"]
    for option in options:
        assert text.count(f"  {option.opts[0]} ") + text.count(f"  {option.opts[0]}\n") == 1
    titles = [line for line in text.splitlines() if line.endswith(":") and line[:1].strip()]
    assert titles == [
        "Data:", "Network:", "Phases:", "Augmentation:", "Evaluation:", "Good images only:",
        "Distillation:", "Run:",
    ]  # fmt: skip


def distil(train_quick, data: Path, teacher: Path, out: Path, *options: object, code: int = 0):
    start = ("--weights", teacher / "model.keras", "--dropout", 0, "--distill-from", teacher)
    return train_quick(data, out, *start, *options, code=code)


def test_a_student_takes_the_teachers_split_and_learns_its_scores(
    train_quick, tiny_run: Path, surfaces: Path, tmp_path: Path
) -> None:
    out = tmp_path / "student"
    phases = ("--head-epochs", 10, "--epochs", 1, "--head-draws", 1, "--seed", 7)
    # From the teacher's backbone, and by its scores alone: where both agree, the loss is zero.
    distil(train_quick, surfaces, tiny_run, out, *phases, "--distill-weight", 1)
    assert (out / "split.csv").read_text() == (tiny_run / "split.csv").read_text()
    config = valid_file("training/config", out / "config.json")
    assert config["distill"]["teacher"] == str(tiny_run.resolve())
    assert (config["distill"]["weight"], config["distill"]["temperature"]) == (1, 4)
    assert len(config["distill"]["teacher_sha256"]) == 64
    rows = history(out)
    assert [row["phase"] for row in rows] == ["head"] * 10 + ["fine-tune"]
    losses = [float(row["val_loss"]) for row in rows]
    assert losses[9] < 0.5 * losses[0]
    assert keras.models.load_model(out / "model.keras").output.shape == (None, 4)


def test_a_teacher_of_other_images_is_refused(
    train_quick, tiny_run: Path, surfaces: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(surfaces, data)
    out = tmp_path / "student"
    strange = data / "oil" / "new.png"
    shutil.copy(data / "oil" / "oil_0001.png", strange)
    shown = distil(train_quick, data, tiny_run, out, code=1).output
    assert "does not name 1 of the 97 images, the first oil/new.png" in shown
    strange.unlink()

    shown = distil(train_quick, data, tiny_run, out, "--resize", "pad", code=1).output
    assert "add --resize stretch" in shown

    (data / "oil").rename(data / "grease")
    shown = distil(train_quick, data, tiny_run, tmp_path / "other", code=1).output
    assert "only one has grease, oil; give the data of this run" in shown
    assert not (tmp_path / "other").exists()
    shown = distil(train_quick, data, tmp_path, tmp_path / "other", code=1).output
    assert "no run: it holds no model.keras" in shown


def test_images_that_only_the_teacher_knows_are_reported(tiny_run: Path) -> None:
    known = read_run(tiny_run).images
    paths, labels = [image.path for image in known], [image.label for image in known]
    images, warnings = teacher_split(
        tiny_run, data=Path(), paths=paths[:0:-1], labels=labels[:0:-1], resize="stretch"
    )
    assert images == known[:0:-1]
    assert warnings == [f"1 images of {tiny_run} are not in the data, the first {paths[0]}"]
    train = [image for image in known if image.split != "test"]
    with pytest.raises(EdgeclfError, match="none of its test images is left"):
        teacher_split(
            tiny_run,
            data=Path(),
            paths=[image.path for image in train],
            labels=[image.label for image in train],
            resize="stretch",
        )
