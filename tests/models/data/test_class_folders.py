"""Which folders are classes, which are splits, and which names are refused."""

import unicodedata
from pathlib import Path

import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.data.class_folders import scan_labelled_folder

CAFE = "café"


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize(
    "names",
    [
        ("train", "valid", "test"),
        ("Train", "VAL", "Test"),
        ("training", "validation", "testing"),
        ("TRAIN", "dev", "tests"),
    ],
)
def test_splits_go_by_their_usual_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *(f"{name}/{label}/{name}.png" for name in names for label in ("good", "oil")))
    found = scan_labelled_folder(tmp_path)
    assert {image.label for image in found.images} == {"good", "oil"}
    splits = {image.path.parts[len(tmp_path.parts)]: image.split for image in found.images}
    assert splits == dict(zip(names, ("train", "val", "test"), strict=True))


def test_splits_beside_another_folder_are_splits(tmp_path: Path) -> None:
    touch(tmp_path, "train/good/1.png", "train/oil/2.png", "test/good/3.png", "extra/4.png")
    found = scan_labelled_folder(tmp_path)
    assert {image.label for image in found.images} == {"good", "oil"}
    assert found.skipped == {"image in a folder beside the splits": 1}
    assert found.warnings == (f"{tmp_path}: skipped 1 image in a folder beside the splits",)


def test_images_beside_the_class_folders_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, "train/good/1.png", "train/oil/2.png", "test/3.png", "test/4.png", "5.png")
    found = scan_labelled_folder(tmp_path)
    assert len(found.images) == 2
    assert found.skipped == {"image beside the folders of classes": 3}
    touch(tmp_path / "flat", "good/1.png", "oil/2.png", "stray.png", "notes.txt")
    found = scan_labelled_folder(tmp_path / "flat")
    assert found.skipped == {"image beside the folders of classes": 1, ".txt": 1}


@pytest.mark.parametrize(
    "names",
    [
        ("part1", "part2"),
        ("night", "day", "dusk"),
        ("train/night", "train/day"),
    ],
)
def test_folders_of_the_same_folders_are_no_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *(f"{name}/{label}/1.png" for name in names for label in ("good", "Oil")))
    touch(tmp_path, f"{names[0]}/stray.png")
    with pytest.raises(EdgeclfError, match="all hold the folders good, oil, which look like"):
        scan_labelled_folder(tmp_path)


def test_one_same_folder_in_each_class_is_usual(tmp_path: Path) -> None:
    touch(tmp_path, "good/images/1.png", "oil/images/2.png")
    assert {image.label for image in scan_labelled_folder(tmp_path).images} == {"good", "oil"}


def test_classes_that_hold_images_of_their_own_may_hold_the_same_folders(tmp_path: Path) -> None:
    for label in ("good", "oil"):
        touch(tmp_path, *(f"{label}/{n}.png" for n in range(5)))
        touch(tmp_path, f"{label}/left/1.png", f"{label}/right/2.png")
    assert len(scan_labelled_folder(tmp_path).images) == 14


def test_a_class_may_be_a_link(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", "1.png")
    touch(tmp_path / "data", "good/2.png")
    (tmp_path / "data" / "oil").symlink_to(tmp_path / "elsewhere")
    labels = [image.label for image in scan_labelled_folder(tmp_path / "data").images]
    assert labels == ["good", "oil"]


def test_the_folder_may_be_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "good/1.png", "oil/2.png")
    monkeypatch.chdir(tmp_path)
    images = scan_labelled_folder(Path()).images
    assert [(str(image.path), image.label) for image in images] == [
        ("good/1.png", "good"),
        ("oil/2.png", "oil"),
    ]


@pytest.mark.parametrize(
    "name",
    ["o\nil", "o\u2028il", "o\u0085il", "o\u2029il", "o\ril", "o\x1b[31mil", "oil\u200b",
     "o\u202eil",     "\ufeffoil", "o\x7fil", "o\u00adil"],
)  # fmt: skip
def test_characters_that_nobody_sees_are_refused(tmp_path: Path, name: str) -> None:
    touch(tmp_path, f"{name}/1.png", "good/2.png")
    with pytest.raises(EdgeclfError, match="a character that nobody sees") as caught:
        scan_labelled_folder(tmp_path)
    assert str(caught.value).isprintable()


def test_a_name_in_latin_1_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "good/2.png")
    touch(tmp_path, "M\udcfcller/1.png")
    with pytest.raises(EdgeclfError, match=r"'M\\udcfcller' holds a character"):
        scan_labelled_folder(tmp_path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (unicodedata.normalize("NFC", CAFE), unicodedata.normalize("NFD", CAFE)),
        ("oil spill", "oil  spill"),
        ("oil spill", "oil\u00a0spill"),
        ("ﬁne", "fine"),
        ("Ｏil", "oil"),
        ("straße", "STRASSE"),
    ],
)
def test_names_that_look_the_same_are_refused(tmp_path: Path, one: str, other: str) -> None:
    touch(tmp_path, f"{one}/1.png", f"{other}/2.png")
    if len([*tmp_path.iterdir()]) < 2:
        pytest.skip("this file system takes the two for one")
    with pytest.raises(EdgeclfError, match="differ only"):
        scan_labelled_folder(tmp_path)


def test_joiners_within_words_are_allowed(tmp_path: Path) -> None:
    touch(tmp_path, "می\u200cروم/1.png", "good/2.png")
    assert len(scan_labelled_folder(tmp_path).images) == 2
