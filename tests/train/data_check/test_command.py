"""`edgeclf data check` finds what was planted, and nothing else."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from schemas import valid_file

from edgeclf.models.run import SplitImage, write_split
from edgeclf.train.data_check.checking import check_data
from edgeclf.train.data_check.likeness import scenes
from edgeclf.train.data_check.likeness.scenes import adjusted_rand_index, components
from edgeclf.train.data_check.outliers import robust_scores

PER_CLASS = 6
FAST = "--no-scenes"
Image = np.ndarray


def scene(seed: int, *, size: tuple[int, int] = (120, 160)) -> Image:
    """Draw a scene: blobs of all sizes, as no other seed has them."""
    rng = np.random.default_rng(seed)
    image = np.zeros((*size, 3), np.float32)
    for width in (1.5, 4, 10):
        noise = cv2.GaussianBlur(rng.normal(size=(*size, 3)).astype(np.float32), (0, 0), width)
        image += noise / noise.std()
    return np.clip(128 + 26 * image, 0, 255).astype(np.uint8)


def write(path: Path, image: Image, quality: int = 95) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return path


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean") / "data"
    for number in range(PER_CLASS):
        write(folder / f"a/{number}.jpg", scene(number))
        write(folder / f"b/{number}.jpg", scene(100 + number))
    return folder


@pytest.fixture
def data(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "data"))


def report(cli, data: Path, *options: object, code: int = 0) -> dict[str, Any]:
    file = data.parent / "check.json"
    cli("data", "check", data, "--json", file, *options, code=code)
    return valid_file("training/data-check", file)


def kinds(shown: dict) -> set[str]:
    return {each["kind"] for each in shown["findings"] if each["must"]}


def test_different_photographs_are_fine(cli, data: Path) -> None:
    shown = report(cli, data)
    assert shown["passed"]
    assert shown["classes"] == {
        "a": {"images": PER_CLASS, "corrupt": 0},
        "b": {"images": PER_CLASS, "corrupt": 0},
    }
    for nothing in ("corrupt", "copies", "near_duplicates", "scenes", "leaks", "outliers"):
        assert shown[nothing] == []
    assert shown["verdict"] == "to_look_at"
    result = cli("data", "check", data)
    few = f"{data}: to look at in 12 images: fewer than 20 images of a, b\n"
    assert few in result.output
    assert "fine" not in result.output


def test_fine_is_what_nothing_is_found_in(cli, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(20):
        write(data / f"a/{number}.jpg", scene(number, size=(40, 60)))
        write(data / f"b/{number}.jpg", scene(100 + number, size=(40, 60)))
    assert report(cli, data)["verdict"] == "fine"
    output = cli("data", "check", data).output
    assert f"{data}: fine: nothing to mend or to look at in 40 images\n" in output
    assert "40 images; scenes were not searched for\n" in cli("data", "check", data, FAST).output


@pytest.mark.parametrize(
    ("flaw", "verdict"),
    [("scene", "to look at"), ("corrupt", "to mend"), ("allowed", "to look at")],
)
def test_terminal_and_page_begin_with_the_worst_finding(
    cli, data: Path, flaw: str, verdict: str
) -> None:
    if flaw == "scene":
        write(data / "a/again.jpg", scene(0), quality=60)
    else:
        (data / "a/0.jpg").write_bytes(b"")
    options = ["--allow", "corrupt"] if flaw == "allowed" else []
    page = data.parent / "check.html"
    code = 1 if flaw == "corrupt" else 0
    output = cli("data", "check", data, "--report", page, *options, code=code).output
    heading = ElementTree.parse(page).find(".//{*}h1")
    assert heading is not None
    assert heading.text
    assert f"{data}: {heading.text[:1].lower()}{heading.text[1:]}\n" in output
    assert heading.text.lower().startswith(f"{verdict} in ")
    worst = {
        "scene": "a random split would show training",
        "corrupt": ": 1 file cannot be read",
        "allowed": ": 1 file cannot be read (allowed); fewer than 20 images",
    }
    assert worst[flaw] in heading.text


def test_corrupt_files_are_named_with_the_reason(cli, data: Path) -> None:
    whole = (data / "a/0.jpg").read_bytes()
    (data / "a/0.jpg").write_bytes(whole[: len(whole) // 2])
    (data / "a/1.jpg").write_bytes(b"")
    (data / "b/5.jpg").write_text("<html>404</html>")
    shown = report(cli, data, FAST, code=1)
    assert [(each["path"], each["reason"]) for each in shown["corrupt"]] == [
        ("a/0.jpg", "the image is cut short"),
        ("a/1.jpg", "the file is empty"),
        ("b/5.jpg", "not an image that OpenCV can decode"),
    ]
    assert kinds(shown) == {"corrupt"}
    assert shown["classes"]["a"] == {"images": PER_CLASS - 2, "corrupt": 2}
    assert report(cli, data, FAST, "--allow", "corrupt")["passed"]


def test_a_folder_of_nothing_but_corrupt_files(cli, data: Path) -> None:
    for path in data.rglob("*.jpg"):
        path.write_bytes(b"")
    shown = report(cli, data, "--report", data.parent / "page.html", code=1)
    assert len(shown["corrupt"]) == 2 * PER_CLASS
    assert shown["scenes"] == []


def test_images_of_any_shape(cli, data: Path) -> None:
    for number, size in enumerate([(1, 1), (1, 300), (2000, 3), (7, 5)]):
        write(data / f"a/odd{number}.png", scene(number, size=size))
        write(data / f"b/flat{number}.png", np.full((*size, 3), 90 + number, np.uint8))
    shown = report(cli, data)
    assert shown["corrupt"] == shown["near_duplicates"] == shown["scenes"] == []
    assert shown["classes"]["a"]["images"] == PER_CLASS + 4


def half(image: Image) -> Image:
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


COPIES: dict[str, Callable[[Image], Image]] = {
    "recompressed": lambda image: image,  # at quality 40
    "halved": half,
    "stretched": lambda image: cv2.resize(image, (128, 128)),
    "brightened": lambda image: np.clip(1.25 * image.astype(np.float32) + 20, 0, 255),
    "darkened": lambda image: image // 2,
    "grey": lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_is_a_near_duplicate(cli, data: Path, change: str) -> None:
    image = COPIES[change](cv2.imread(str(data / "a/3.jpg")))
    write(data / "a/copy.jpg", image.astype(np.uint8), quality=40)
    shown = report(cli, data, FAST)
    [pair] = shown["near_duplicates"]
    assert pair["paths"] == ["a/3.jpg", "a/copy.jpg"]
    assert shown["scenes"] == [["a/3.jpg", "a/copy.jpg"]]
    assert shown["passed"]


CROPS: dict[str, Callable[[Image], Image]] = {
    "moved": lambda image: np.roll(image, (5, -8), (0, 1))[6:, :-9],
    "cropped": lambda image: image[10:100, 30:],
    "a half of it": lambda image: image[:, :80],
    "zoomed": lambda image: cv2.resize(image[20:100, 30:140], None, fx=1.5, fy=1.5),
    "turned": lambda image: cv2.warpAffine(
        image, cv2.getRotationMatrix2D((80, 60), 12, 1), (160, 120)
    ),
    "upright": np.rot90,
}


@pytest.mark.parametrize("change", CROPS)
def test_parts_of_a_scene_belong_to_it(cli, data: Path, change: str) -> None:
    image = cv2.imread(str(data / "b/3.jpg"))
    write(data / "b/part.jpg", CROPS[change](image) // 2 + 30, quality=80)
    groups = data.parent / "groups.csv"
    shown = report(cli, data, "--propose-groups", groups)
    assert shown["scenes"] == [["b/3.jpg", "b/part.jpg"]]
    with groups.open(newline="") as file:
        group_of = {row["path"]: row["group"] for row in csv.DictReader(file)}
    assert len(group_of) == 2 * PER_CLASS + 1
    assert len(set(group_of.values())) == 2 * PER_CLASS
    assert group_of["b/3.jpg"] == group_of["b/part.jpg"]


def test_above_a_number_of_images_only_close_hashes_are_compared(
    cli, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "EACH_WITH_EACH", 0)
    write(data / "a/dark.jpg", np.roll(cv2.imread(str(data / "a/2.jpg")), 3, 1)[:, 3:] // 2)
    assert report(cli, data)["scenes"] == [["a/2.jpg", "a/dark.jpg"]]


def test_a_spot_on_black_is_no_scene(cli, data: Path) -> None:
    for number in range(5):
        rng = np.random.default_rng(100 + number)
        image = np.clip(rng.normal(12, 1.5, (120, 160, 3)), 0, 255).astype(np.uint8)
        cv2.circle(
            image, (int(rng.integers(20, 140)), int(rng.integers(20, 100))), 6, (230,) * 3, -1
        )
        write(data / "spots" / f"{number}.jpg", image)
    shown = report(cli, data)
    assert shown["near_duplicates"] == shown["scenes"] == []


def test_the_same_under_two_classes_must_be_mended(cli, data: Path) -> None:
    shutil.copy(data / "a/4.jpg", data / "b/copy.jpg")
    write(data / "a/saved_anew.jpg", cv2.imread(str(data / "b/4.jpg")), quality=50)
    shown = report(cli, data, FAST, code=1)
    assert shown["copies"] == [{"paths": ["a/4.jpg", "b/copy.jpg"], "labels": ["a", "b"]}]
    assert [each["paths"] for each in shown["near_duplicates"]] == [["a/saved_anew.jpg", "b/4.jpg"]]
    assert kinds(shown) == {"labels"}
    assert report(cli, data, FAST, "--allow", "labels")["passed"]


def leaking(data: Path) -> Path:
    """Give the data a split, in which train has a copy, a near-duplicate and a part of test."""
    paths = sorted(path.relative_to(data).as_posix() for path in data.rglob("*.jpg"))
    test = {"a/0.jpg", "a/4.jpg", "b/2.jpg", "b/5.jpg"}
    split = {path: ("test" if path in test else "train") for path in paths}
    shutil.copy(data / "a/0.jpg", data / "a/x_copy.jpg")
    write(data / "a/x_near.jpg", cv2.imread(str(data / "a/4.jpg")), quality=50)
    write(data / "b/x_part.jpg", cv2.imread(str(data / "b/2.jpg"))[:, 20:])
    split |= {"a/x_copy.jpg": "train", "a/x_near.jpg": "train", "b/x_part.jpg": "train"}
    file = data.parent / "split.csv"
    file.write_text("path,split\n" + "".join(f"{path},{side}\n" for path, side in split.items()))
    return file


def test_leaks_of_a_split(cli, data: Path) -> None:
    split = leaking(data)
    shown = report(cli, data, "--split", split, code=1)
    assert kinds(shown) == {"leaks"}
    assert shown["leaks"] == [
        {
            "split": "test",
            "images": 4,
            "copies": ["a/0.jpg"],
            "near_duplicates": ["a/4.jpg"],
            "same_scene": ["a/0.jpg", "a/4.jpg", "b/2.jpg"],
        }
    ]
    output = cli("data", "check", data, "--split", split, code=1).output
    assert "3 of 4 test images (75%) show what train shows" in output
    assert "test: 1 copy, 1 near-duplicate, 1 of the same scene" in output


def test_a_split_of_other_words(cli, data: Path) -> None:
    split = leaking(data)
    split.write_text(split.read_text().replace(",test", ",holdout"))
    output = cli("data", "check", data, "--split", split, code=1).output
    assert "expected the splits train, val, test, got 'holdout'" in output


def test_leaks_of_a_layout(cli, data: Path) -> None:
    root = data.parent / "layout"
    shutil.copytree(data, root / "train")
    shutil.copytree(data / "a", root / "test/a", ignore=shutil.ignore_patterns("[1-3].jpg"))
    shown = report(cli, root, FAST, code=1)
    [leak] = shown["leaks"]
    assert leak["copies"] == ["test/a/0.jpg", "test/a/4.jpg", "test/a/5.jpg"]


def test_the_split_of_a_run(cli, data: Path) -> None:
    with leaking(data).open(newline="") as file:
        rows = [SplitImage(row["path"], "", "", row["split"]) for row in csv.DictReader(file)]
    write_split(data.parent / "run", tuple(rows))
    shown = report(cli, data, "--run", data.parent / "run", FAST, code=1)
    assert shown["leaks"][0]["copies"] == ["a/0.jpg"]


def test_groups_that_part_duplicates(cli, data: Path) -> None:
    shutil.copy(data / "a/0.jpg", data / "a/copy.jpg")
    paths = sorted(path.relative_to(data).as_posix() for path in data.rglob("*.jpg"))
    groups = data.parent / "groups.csv"
    groups.write_text("path,group\n" + "".join(f"{path},{path}\n" for path in paths[:-1]))
    shown = report(cli, data, "--groups", groups, FAST, code=1)
    assert kinds(shown) == {"groups"}
    assert shown["groups"]["parted"] == [["a/0.jpg", "a/copy.jpg"]]
    assert shown["groups"]["ungrouped"] == [paths[-1]]


def test_proposed_groups_join_what_was_given(cli, data: Path) -> None:
    shutil.copy(data / "a/0.jpg", data / "a/copy.jpg")
    given, proposed = data.parent / "given.csv", data.parent / "proposed.csv"
    given.write_text("path,group\na/copy.jpg,g\na/5.jpg,g\n")
    cli("data", "check", data, "--groups", given, "--propose-groups", proposed, code=1)
    with proposed.open(newline="") as file:
        group_of = {row["path"]: row["group"] for row in csv.DictReader(file)}
    assert group_of["a/0.jpg"] == group_of["a/copy.jpg"] == group_of["a/5.jpg"]
    assert len(set(group_of.values())) == 2 * PER_CLASS - 1


def test_masks(cli, data: Path) -> None:
    masks = data.parent / "masks"
    mark = np.zeros((120, 160), np.uint8)
    mark[20:40, 30:50] = 255
    for name in ("0", "1", "2", "gone"):
        write(masks / "b" / f"{name}.png", mark)
    write(masks / "b/1.png", 0 * mark)
    write(masks / "b/2.png", mark[:, :100])
    shown = report(cli, data, FAST, "--masks", masks)["masks"]
    assert shown["without_image"] == ["b/gone.png"]
    assert shown["without_mask"] == ["b/3.jpg", "b/4.jpg", "b/5.jpg"]
    assert shown["other_size"] == ["b/2.jpg"]
    assert shown["empty"] == ["b/1.png"]


def test_outliers_are_those_of_their_class(cli, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(12):
        write(data / f"light/{number}.jpg", scene(number))
        write(data / f"dark/{number}.jpg", scene(number + 100) // 3)
    write(data / "light/5.jpg", scene(5) // 3)
    write(data / "dark/4.jpg", scene(104, size=(120, 400)) // 3)
    shown = {(e["path"], e["measure"]) for e in report(cli, data, FAST)["outliers"]}
    assert {
        ("light/5.jpg", "brightness"),
        ("dark/4.jpg", "aspect"),
        ("dark/4.jpg", "size"),
    } <= shown
    assert {path for path, _ in shown} == {"light/5.jpg", "dark/4.jpg"}


def test_robust_scores() -> None:
    assert robust_scores(np.array([1.0, 2, 3, 4, 100]))[2:4] == pytest.approx([0, 0.6745], abs=1e-4)
    same = robust_scores(np.array([7.0] * 9 + [8]))
    assert same[:9].tolist() == [0] * 9
    assert same[9] == pytest.approx(1 / (1.2533 * 0.1))
    assert robust_scores(np.full(5, 7.0)).tolist() == [0] * 5


def test_adjusted_rand_index() -> None:
    # The example of scikit-learn's documentation, and those that follow from the definition.
    assert adjusted_rand_index([0, 0, 1, 2], [0, 0, 1, 1]) == pytest.approx(0.5714286)
    assert adjusted_rand_index([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2]) == pytest.approx(0.2424242)
    assert adjusted_rand_index(["x", "y", "x"], [5, 4, 5]) == 1
    assert adjusted_rand_index([0, 0, 0, 0], [0, 1, 2, 3]) == 0


def test_components() -> None:
    assert components(6, [(4, 1), (3, 5), (5, 4)]) == [0, 1, 2, 1, 1, 1]


def test_the_result_does_not_depend_on_threads(data: Path) -> None:
    leaking(data)
    first, second = (check_data(data) for _ in range(2))
    assert first == second


def test_the_page_holds_all_it_shows(cli, data: Path) -> None:
    split = leaking(data)
    (data / "b/5.jpg").write_bytes(b"")
    (data / "b/<i>&.gif").write_bytes(b"GIF89a")
    page = data.parent / "check.html"
    cli("data", "check", data, "--split", split, "--report", page, code=1)
    html = page.read_text()
    root = ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>\n"))
    pictures = [image.get("src", "") for image in root.iter("img")]
    assert len(pictures) >= 6
    assert all(source.startswith("data:image/jpeg;base64,") for source in pictures)
    assert {title.text for title in root.iter("h2")} >= {"Corrupt files", "Leaks into test"}
    assert "http" not in html.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["--groups", "gone.csv"], "gone.csv: cannot be read"),
        (["--masks", "gone"], "gone: no such folder of masks"),
        (["--run", "x", "--split", "y"], "give one of them"),
        (["--no-scenes", "--propose-groups", "x"], "needs the scenes"),
    ],
)
def test_mistakes_are_one_line(cli, data: Path, options: list[str], shown: str) -> None:
    output = cli("data", "check", data, *options, code=1).output
    assert shown in output.splitlines()[-1]


def test_nothing_heavy_is_loaded(fresh_python, clean: Path) -> None:
    code = """
import sys
from edgeclf.cli import main
try:
    main()
except SystemExit:
    print([n for n in ("tensorflow", "keras", "matplotlib", "h5py", "scipy") if n in sys.modules])
"""
    done = fresh_python(code, "data", "check", clean, "--no-scenes")
    assert done.stdout.endswith("[]\n"), done.stderr
