"""Cross-validation: folds that no group crosses, and what they are worth together."""

import csv
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from schemas import valid_file

from edgeclf.benchmarks.demo.surfaces import write_surfaces
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.metrics.statistics import wilson_interval
from edgeclf.train.data.split import fold_images


def deal(labels: list[str], groups: list[str], folds: int) -> list[list[str]]:
    return fold_images(labels, groups, folds=folds, val_fraction=0.15, seed=0)


def test_each_image_is_tested_once_and_no_group_is_parted() -> None:
    labels = ["a"] * 60 + ["b"] * 30
    groups = [f"{label}{index // 3}" for index, label in enumerate(labels)]
    found = deal(labels, groups, 5)
    assert [row.count("test") for row in zip(*found, strict=True)] == [1] * 90
    for split in found:
        assert len(set(zip(groups, split, strict=True))) == len(set(groups))
        counts = Counter(zip(labels, split, strict=True))
        assert counts["a", "test"] == pytest.approx(12, abs=3)
        assert counts["b", "test"] == pytest.approx(6, abs=3)
        assert Counter(split)["val"] == pytest.approx(0.15 * 90, abs=5)
    assert found == deal(labels, groups, 5)


def test_classes_with_too_few_groups_are_all_named() -> None:
    labels = ["a"] * 40 + ["b"] * 12 + ["c"] * 12
    groups = [*map(str, range(40)), *(f"b{i // 6}" for i in range(12)), *["c"] * 12]
    with pytest.raises(EdgeclfError) as error:
        deal(labels, groups, 4)
    assert "class 'b': 12 images in 2 groups cannot fill 4 folds" in str(error.value)
    assert "class 'c': 12 images in 1 groups cannot fill 4 folds" in str(error.value)
    with pytest.raises(EdgeclfError, match="class 'b': 12 images in 2 groups cannot fill 2 folds"):
        deal(labels[:52], groups[:52], 2)  # none is left to validate on


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    write_surfaces(folder, per_class=6, size=32, seed=1)
    return folder


def test_folds_are_runs_and_their_images_are_pooled(
    train_quick, data: Path, tmp_path: Path
) -> None:
    groups = tmp_path / "groups.csv"
    paths = sorted(path.relative_to(data).as_posix() for path in data.rglob("*.png"))
    lines = [f"{path},{path.split('/')[0]}{index % 4}" for index, path in enumerate(paths)]
    groups.write_text("\n".join(["path,group", *lines]) + "\n")
    out = tmp_path / "cross"
    result = train_quick(data, out, "--folds", 2, "--groups", groups)
    report = valid_file("training/folds", out / "folds.json")
    assert [fold["run"] for fold in report["folds"]] == ["fold-1", "fold-2"]
    assert not (out / "model.keras").exists()

    tested: list[str] = []
    hits = 0
    for fold in report["folds"]:
        run = out / fold["run"]
        assert (run / "report.html").exists()
        with (run / "split.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len({(row["group"], row["split"]) for row in rows}) == 16
        tested += [row["path"] for row in rows if row["split"] == "test"]
        test = json.loads((run / "metrics.json").read_text())["test"]
        assert fold["accuracy"]["value"] == test["accuracy"]
        hits += int(np.trace(test["confusion"]))
    assert sorted(tested) == paths
    assert report["pooled"]["images"] == 24
    assert report["pooled"]["accuracy"]["value"] == hits / 24
    interval = wilson_interval(hits, images=24)
    assert report["pooled"]["accuracy"]["interval"] == [interval.low, interval.high]
    low, high = report["accuracy_by_group"]
    assert low <= hits / 24 <= high
    assert re.search(rf"pooled +24 +{hits / 24:.2f} \[", result.output)

    result = train_quick(data, out, "--folds", 3, code=1)
    assert "is there already; choose another --out" in result.output


def test_folds_that_cannot_be(train_quick, data: Path, tmp_path: Path) -> None:
    result = train_quick(data, tmp_path / "out", "--folds", 7, code=1)
    assert "class 'good': 6 images in 6 groups cannot fill 7 folds" in result.output
    data.rename(tmp_path / "train")
    (tmp_path / "split").mkdir()
    (tmp_path / "train").rename(tmp_path / "split" / "train")
    result = train_quick(tmp_path / "split", tmp_path / "out", "--folds", 2, code=1)
    assert "the folder has a split of its own" in result.output
    assert not (tmp_path / "out").exists()
