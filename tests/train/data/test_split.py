"""The split: stratified, repeatable, and never through a group."""

from collections import Counter

import pytest

from edgeclf.edge_runtime import EdgeclfError
from edgeclf.train.data.split import split_images

FRACTIONS = (0.65, 0.15, 0.2)


def alone(count: int) -> list[str]:
    return [str(index) for index in range(count)]


def test_each_class_is_split_in_the_wanted_shares() -> None:
    labels = ["a"] * 200 + ["b"] * 40
    split = split_images(labels, alone(240), fractions=FRACTIONS, seed=0)
    counts = Counter(zip(labels, split, strict=True))
    assert [counts["a", s] for s in ("train", "val", "test")] == [130, 30, 40]
    assert [counts["b", s] for s in ("train", "val", "test")] == [26, 6, 8]


def test_groups_are_never_parted() -> None:
    labels = ["a", "b"] * 60
    groups = [f"scene{index // 6}" for index in range(120)]
    split = split_images(labels, groups, fractions=FRACTIONS, seed=3)
    assert len(set(zip(groups, split, strict=True))) == len(set(groups))
    assert Counter(split)["test"] == pytest.approx(24, abs=6)


def test_a_rare_class_in_groups_is_on_every_side() -> None:
    labels = ["common"] * 600 + ["rare"] * 18
    groups = alone(600) + [f"scene{index // 6}" for index in range(18)]
    split = split_images(labels, groups, fractions=FRACTIONS, seed=1)
    assert {s for label, s in zip(labels, split, strict=True) if label == "rare"} == {
        "train",
        "val",
        "test",
    }


def test_the_seed_decides() -> None:
    labels = ["a", "b"] * 50
    first, again, other = (
        split_images(labels, alone(100), fractions=FRACTIONS, seed=seed) for seed in (7, 7, 8)
    )
    assert first == again != other


def test_a_fraction_of_zero_leaves_a_split_empty() -> None:
    split = split_images(["a", "b"] * 20, alone(40), fractions=(0.8, 0.2, 0), seed=0)
    assert Counter(split) == {"train": 32, "val": 8}


def test_classes_that_cannot_be_on_every_side_are_all_named() -> None:
    labels = ["a"] * 2 + ["b"] * 6 + ["c"] * 10
    groups = ["0", "1"] + ["scene"] * 6 + alone(10)
    with pytest.raises(EdgeclfError) as error:
        split_images(labels, groups, fractions=FRACTIONS, seed=0)
    first, second = str(error.value).splitlines()
    assert "class 'a': 2 images in 2 groups" in first
    assert "class 'b': 6 images in 1 groups" in second
