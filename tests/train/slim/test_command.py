"""`edgeclf slim` through the command line, and what can be done with its run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from schemas import valid_file
from small_networks import drawn_images

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.float_model import FloatModel
from edgeclf.models.good_only import GOOD_ONLY_LABELS
from edgeclf.models.networks.weights import read_weights
from edgeclf.models.run import read_run
from edgeclf.train.slim.layout import read_layout

Cli = Callable[..., Result]


@pytest.fixture(scope="module")
def slim_run(eager_cli: Cli, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("slim") / "run"
    options = ("--keep", 0.7, "--images", 20, "--epochs", 1)
    result = eager_cli("slim", tiny_run, "--out", out, *options)
    assert "multiply-accumulates stay" in result.output
    assert f"{out}: accuracy" in result.output
    return out


def multiplications(run: Path) -> int:
    return read_layout(FloatModel(read_run(run).info).keras_model).multiplications()


def test_the_run_is_built_again_as_it_was_left(tiny_run: Path, slim_run: Path) -> None:
    config = valid_file("training/config", slim_run / "config.json")
    valid_file("training/metrics", slim_run / "metrics.json")
    assert config["slim"]["before"] == multiplications(tiny_run)
    assert config["slim"]["after"] == multiplications(slim_run) <= 0.7 * multiplications(tiny_run)
    assert config["slim"]["images"] == 20
    assert config["distill"]["teacher"] == str(tiny_run.resolve())
    assert config["weights"] == "none"
    assert (slim_run / "split.csv").read_bytes() == (tiny_run / "split.csv").read_bytes()
    rows = (slim_run / "history.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["slim", "1"], ["fine-tune", "1"]]
    card = (slim_run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "slim" in card
    assert "| groups | the teacher's |" in card


def test_fine_tuning_that_harms_is_not_kept(eager_cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    common = ("slim", tiny_run, "--keep", 0.7, "--images", 20)
    eager_cli(*common, "--epochs", 1, "--learning-rate", 0.3, "--out", tmp_path / "tuned")
    eager_cli(*common, "--epochs", 0, "--out", tmp_path / "plain")
    metrics = valid_file("training/metrics", tmp_path / "tuned" / "metrics.json")
    assert (metrics["best_epoch"]["phase"], metrics["best_epoch"]["epoch"]) == ("slim", 1)
    tuned, plain = (read_weights(tmp_path / name / "model.keras") for name in ("tuned", "plain"))
    assert tuned.keys() == plain.keys()
    for name, arrays in tuned.items():
        for one, other in zip(arrays, plain[name], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)


def test_it_is_converted_and_slimmed_again(
    cli: Cli, eager_cli: Cli, slim_run: Path, tmp_path: Path
) -> None:
    any_drop = ("--max-drop", 100, "--max-class-drop", 100)
    cli("convert", slim_run, "--out", tmp_path, "--recipes", "float32", *any_drop, "--no-novelty")
    [model] = json.loads((tmp_path / "conversion.json").read_text())["models"]
    assert model["agreement"] == 1
    again = tmp_path / "again"
    eager_cli("slim", slim_run, "--out", again, "--keep", 0.8, "--images", 20, "--epochs", 0)
    first, second = read_run(slim_run).info.channels, read_run(again).info.channels
    assert second.keys() >= first.keys()
    assert multiplications(again) <= 0.8 * multiplications(slim_run)
    metrics = valid_file("training/metrics", again / "metrics.json")
    assert "best_epoch" not in metrics
    assert not (again / "history.csv").exists()
    scores = FloatModel(read_run(again).info).scores(drawn_images(2))
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)


def test_what_is_refused(cli: Cli, tiny_run: Path, slim_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for keep in ("0", "1.5", "nan"):
        cli("slim", tiny_run, "--out", out, "--keep", keep, code=2)
    result = cli("slim", tiny_run, "--out", out, "--keep", 0.01, code=1)
    assert "--keep 0.01: densenet-tiny can be slimmed to 0." in result.output
    result = cli("slim", tiny_run, "--out", slim_run, "--keep", 0.7, code=1)
    assert "holds a run already" in result.output
    result = cli("slim", tiny_run, "--out", tiny_run, "--keep", 0.7, "--overwrite", code=1)
    assert "is learned from, and would go" in result.output
    before = Path(shutil.copytree(tiny_run, tmp_path / "new" / "previous"))
    result = cli("slim", before, "--out", before.parent, "--keep", 0.7, code=1)
    assert "is learned from, and would go" in result.output
    result = cli("slim", tmp_path, "--out", out, "--keep", 0.7, code=1)
    assert "no run" in result.output
    assert not out.exists()


def test_images_that_have_gone_are_named_before_anything_is_computed(
    cli: Cli, tiny_run: Path, surfaces: Path, tmp_path: Path
) -> None:
    run, data, out = tmp_path / "run", tmp_path / "data", tmp_path / "out"
    shutil.copytree(tiny_run, run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"data": str(data)}))
    result = cli("slim", run, "--out", out, "--keep", 0.7, code=1)
    assert f"{data}: no such folder, though the run was trained on it" in result.output
    shutil.copytree(surfaces, data)
    next((data / "scratch").iterdir()).unlink()
    command = ("slim", run, "--out", out, "--keep", 0.7, "--images", 20, "--epochs", 0)
    said = cli(*command).output
    assert 0 < said.index(f"1 images of {run} are not in the data") < said.index("Removing")
    shutil.rmtree(data / "stain")
    result = cli(*command, "--overwrite", code=1)
    assert (
        f"{run}: its 4 classes are not the 3 of {data}: only one has stain; give" in result.output
    )


def test_a_run_on_good_images_is_refused(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    (run / "labels.txt").write_text("\n".join(GOOD_ONLY_LABELS) + "\n")
    rows = (run / "split.csv").read_text().splitlines()
    relabelled = [",".join([row.split(",")[0], "good", *row.split(",")[2:]]) for row in rows[1:]]
    (run / "split.csv").write_text("\n".join([rows[0], *relabelled]) + "\n")
    result = cli("slim", run, "--out", tmp_path / "out", "--keep", 0.7, code=1)
    assert "has learnt from good images only" in result.output


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ({"conv9": 4}, "channels of 'conv9': expected a convolution's name, got 4"),
        ({"conv2_block1_1_conv": 99}, "channels of 'conv2_block1_1_conv': expected 1 to 16, got"),
        ({"conv2_block1_1_conv": 0}, "expected 1 to 16, got 0"),
        ({"conv2_block1_1_conv": 3}, "has shapes"),
    ],
)
def test_channels_of_another_network(
    slim_run: Path, tmp_path: Path, channels: dict[str, int], message: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(slim_run, run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"channels": channels}))
    with pytest.raises(EdgeclfError, match=message):
        FloatModel(read_run(run).info)
