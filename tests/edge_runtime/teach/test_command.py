"""`edgeclf teach` as a user would call it, on the tiny run's int8 file."""

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import Result
from schemas import valid

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.model_file.container import read_model, renewed_bytes
from edgeclf.edge_runtime.model_file.metadata import read_metadata
from edgeclf.edge_runtime.model_file.spec import LABELS_NAME, SPEC_NAME, ModelSpec
from edgeclf.edge_runtime.tflite.tflite_file import parse_tflite

Cli = Callable[..., Result]
OWN = ("good", "oil", "scratch", "stain")


def chequered(seed: int, *, side: int = 48) -> np.ndarray:
    """Draw what no surface of the training looks like: coloured squares, moved by `seed`."""
    rows, columns = np.indices((side, side)) + np.array([seed % 5, seed % 7])[:, None, None]
    squares = ((rows // 6 + columns // 6) % 2).astype(np.uint8)
    noise = np.random.default_rng(seed).integers(0, 20, (side, side, 3))
    return np.asarray(squares[..., None] * np.array([200, 60, 10]) + noise, np.uint8)


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "photographs"
    folder.mkdir()
    paths = [folder / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), chequered(number)[..., ::-1])
    return paths


@pytest.fixture
def model(tiny_models: Path) -> Path:
    return tiny_models / "int8.tflite"


def test_five_photographs_make_a_class(
    cli: Cli, model: Path, photographs: list[Path], tmp_path: Path
) -> None:
    new = tmp_path / "new.tflite"
    said = cli("teach", model, "--class", "squares", *photographs, "--out", new).output
    assert "taught: 5 photographs of squares" in said
    assert "squares: 5 of 5 photographs are found again when left out" in said
    unseen = tmp_path / "unseen.png"
    cv2.imwrite(str(unseen), chequered(23)[..., ::-1])
    record = json.loads(cli("run", new, unseen, "--json").stdout)
    assert record["label"] == "squares"
    assert record["score"] > 0.9
    assert json.loads(cli("run", model, unseen, "--json").stdout)["label"] != "squares"


def test_what_is_darker_than_its_training_is_unknown_until_it_is_taught(
    cli: Cli, model: Path, tmp_path: Path
) -> None:
    paths = [tmp_path / f"cap{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((48, 48, 3), number, np.uint8))
    said = cli("run", model, *paths).output
    assert said.count("(darker than anything in training, ") == len(paths)
    new = tmp_path / "new.tflite"
    cli("teach", model, "--class", "lens cap", *paths[:2], "--out", new)
    record = json.loads(cli("run", new, paths[2], "--json").stdout)
    assert (record["label"], record["novelty_reason"]) == ("lens cap", None)
    with zipfile.ZipFile(new) as archive:
        valid("models/model-spec", json.loads(archive.read(SPEC_NAME)))
    for grey in (60, 255):  # neither a surface nor a cap
        plain = tmp_path / f"plain{grey}.png"
        cv2.imwrite(str(plain), np.full((48, 48, 3), grey, np.uint8))
        record = json.loads(cli("run", new, plain, "--json").stdout)
        assert record["label"] == "unknown"
        assert record["novelty_reason"].endswith(" than anything in training")
    cli("teach", new, "--undo")
    assert json.loads(cli("run", new, paths[2], "--json").stdout)["label"] == "unknown"


def test_pixels_count_when_a_photograph_is_left_out(cli: Cli, model: Path, tmp_path: Path) -> None:
    paths = [tmp_path / "black.png", tmp_path / "white.png"]
    for path, grey in zip(paths, (0, 255), strict=True):
        cv2.imwrite(str(path), np.full((48, 48, 3), grey, np.uint8))
    said = cli("teach", model, "--class", "plain", *paths, "--out", tmp_path / "new.tflite").output
    assert "plain: 0 of 2 photographs are found again when left out" in said


def test_all_else_is_answered_as_before(
    cli: Cli, model: Path, photographs: list[Path], surfaces: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.tflite"
    cli("teach", model, "--class", "squares", *photographs, "--out", new)
    before, after = Classifier(model), Classifier(new)
    assert after.spec.labels == (*OWN, "squares")
    paths = sorted(surfaces.rglob("*.png"))
    same = 0
    for path in paths[::6]:
        rgb = read_image(path)
        one, other = before.classify(rgb), after.classify(rgb)
        same += one.label == other.label
        pixels = before.preprocess(rgb)
        np.testing.assert_array_equal(before.infer(pixels), after.infer(pixels))
        np.testing.assert_allclose(before.scores(pixels), after.scores(pixels)[:4], atol=1e-3)
    assert same == len(paths[::6])


def test_the_file_says_what_it_was_taught(
    cli: Cli, model: Path, photographs: list[Path], tmp_path: Path
) -> None:
    new = tmp_path / "new.tflite"
    cli("teach", model, "--class", "squares", *photographs, "--out", new)
    said = cli("inspect", new, "--self-test").output
    assert re.search(r"taught +by photographs: squares 5; last on 20", said)
    assert re.search(r"labels +5: good, oil, scratch, stain, squares", said)
    assert "nothing looks wrong" in said
    assert "self-test: passed" in said
    shown = valid("models/inspect", json.loads(cli("inspect", new, "--json").stdout))
    assert shown["taught"]["photographs"] == {"squares": 5}
    with zipfile.ZipFile(new) as archive:
        valid("models/model-spec", json.loads(archive.read(SPEC_NAME)))
        assert archive.read(LABELS_NAME).decode().split() == list(OWN)
    (data, spec), (_, old) = read_model(new), read_model(model)
    assert spec.flatbuffer_sha256 == old.flatbuffer_sha256
    assert spec.network_labels == old.labels
    [scores, *_] = read_metadata(parse_tflite(data).metadata["TFLITE_METADATA"])["outputs"]
    assert scores["files"][0]["name"] == LABELS_NAME


def test_a_head_that_computes_something_else_fails_the_self_test(
    cli: Cli, model: Path, photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = tmp_path / "new.tflite"
    cli("teach", model, "--class", "squares", *photographs, "--out", new)
    assert Classifier(new).self_test().passed
    untaught, taught = Classifier(model).self_test(), Classifier(new).self_test()
    assert taught.values == untaught.values + 3 * 5
    monkeypatch.setattr("edgeclf.edge_runtime.novelty.prototypes._ODDS_UNIT", 100.0)
    assert not Classifier(new).self_test().passed


def test_lessons_add_up_and_are_taken_back(
    cli: Cli, model: Path, photographs: list[Path], surfaces: Path, tmp_path: Path
) -> None:
    new, folder = tmp_path / "new.tflite", tmp_path / "new.photos"
    first = cli("teach", model, "--class", "squares", photographs[0], "--out", new).output
    assert "squares: 1 photograph: how good it is cannot be said yet" in first
    once = new.read_bytes()
    again = cli("teach", new, "--class", "squares", *photographs).output
    assert "taught: 4 photographs of squares; taught before: 1" in again
    assert "squares: 5 of 5 photographs are found again when left out" in again
    oil = sorted((surfaces / "oil").iterdir())[0]
    assert "taught: 1 photograph of oil" in cli("teach", new, "--class", "oil", oil).output
    assert Classifier(new).spec.labels == (*OWN, "squares")
    kept = {path.relative_to(folder).parent.name for path in folder.rglob("*.png")}
    assert kept == {"squares", "oil"}
    assert {path.read_bytes() for path in (folder / "squares").iterdir()} == {
        path.read_bytes() for path in photographs
    }
    assert "taken back: 1 photograph of oil" in cli("teach", new, "--undo").output
    assert not (folder / "oil").exists()
    assert "taken back: 4 photographs of squares" in cli("teach", new, "--undo").output
    assert new.read_bytes() == once
    cli("teach", new, "--undo")
    assert new.read_bytes() == model.read_bytes()
    assert not folder.exists()
    assert "it was taught nothing" in cli("teach", new, "--undo", code=1).output


def test_a_taught_file_is_taught_into_another(
    cli: Cli, model: Path, photographs: list[Path], tmp_path: Path
) -> None:
    new, other = tmp_path / "new.tflite", tmp_path / "other.tflite"
    cli("teach", model, "--class", "squares", *photographs[:2], "--out", new)
    before = new.read_bytes()
    cli("teach", new, "--class", "squares", photographs[2], "--out", other)
    assert new.read_bytes() == before
    assert len(list((tmp_path / "other.photos" / "squares").iterdir())) == 3
    assert len(list((tmp_path / "new.photos" / "squares").iterdir())) == 2
    for path in (tmp_path / "new.photos" / "squares").iterdir():
        path.unlink()
    third = tmp_path / "third.tflite"
    said = cli("teach", new, "--class", "squares", photographs[3], "--out", third).output
    assert "Warning: 2 photographs of earlier lessons are missing beside" in said
    assert "squares: 3 of 3 photographs are found again" in said


def test_the_file_can_be_made_again_of_its_photographs(
    cli: Cli, model: Path, photographs: list[Path], tmp_path: Path
) -> None:
    new, again = tmp_path / "new.tflite", tmp_path / "again.tflite"
    cli("teach", model, "--class", "squares", *photographs, "--out", new)
    cli("teach", model, "--class", "squares", tmp_path / "new.photos" / "squares", "--out", again)
    pixels = Classifier(new).preprocess(chequered(9))
    one, other = (Classifier(path).scores(pixels) for path in (new, again))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_what_cannot_be_read_is_counted(
    cli: Cli, model: Path, photographs: list[Path], tmp_path: Path
) -> None:
    torn = photographs[0].parent / "torn.png"
    torn.write_bytes(photographs[0].read_bytes()[:100])
    new = tmp_path / "new.tflite"
    folder = photographs[0].parent
    said = cli("teach", model, "--class", "squares", folder, "--out", new, code=1).output
    assert "taught: 5 photographs of squares; skipped: 1 not readable" in said
    assert "1 of 6 photographs could not be read; the others were taught" in said
    assert Classifier(new).spec.taught
    assert "torn.png" in said
    lost = tmp_path / "lost.tflite"
    said = cli("teach", model, "--class", "squares", torn, "--out", lost, code=1).output
    assert "no photograph that can be taught (1 not readable); nothing was changed" in said
    assert not lost.exists()
    assert not (tmp_path / "lost.photos").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["MODEL", "PHOTO", "--out", "NEW"], "what do the images show? give --class NAME"),
        (["MODEL", "--class", "dust", "--out", "NEW"], "no image to teach; give photographs"),
        (["MODEL", "PHOTO", "--class", "", "--out", "NEW"], "an empty class name: give one such"),
        (["MODEL", "PHOTO", "--class", "unknown", "--out", "NEW"], "what is no class is called so"),
        (
            ["MODEL", "PHOTO", "--class", "a/b", "--out", "NEW"],
            "class 'a/b': holds /; give letters",
        ),
        (
            ["MODEL", "PHOTO", "--class", "dust"],
            "as it was converted, it stays as it is; give --out",
        ),
        (["MODEL", "PHOTO", "--class", "dust", "--out", "MODEL"], "it stays as it is; give --out"),
        (["MODEL", "PHOTO", "--class", "dust", "--out", "PHOTO"], "exists; teach it with"),
        (["MODEL", "none.png", "--class", "dust", "--out", "NEW"], "none.png: no such file"),
        (
            ["none.tflite", "PHOTO", "--class", "dust", "--out", "NEW"],
            "none.tflite: cannot be read",
        ),
        (["PLAIN", "PHOTO", "--class", "dust", "--out", "NEW"], "without novelty, which teaching"),
        (["MODEL", "--undo", "--class", "dust"], "--undo takes back a lesson; give it without"),
        (["MODEL", "--undo"], "it was taught nothing; there is nothing to undo"),
        (["MODEL", "--undo", "--out", "NEW"], "--undo takes back a lesson; give it without"),
        (["MODEL", "PHOTO", "--class", "dust", "--out", "PHOTO/new.tflite"], "cannot be a folder"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    cli: Cli,
    model: Path,
    photographs: list[Path],
    tmp_path: Path,
    arguments: list[str],
    reason: str,
) -> None:
    plain = tmp_path / "plain.tflite"
    data, spec = read_model(model)
    plain.write_bytes(renewed_bytes(data, replace(spec, novelty=None)))
    names = {"MODEL": model, "PHOTO": photographs[0], "NEW": tmp_path / "n.tflite", "PLAIN": plain}
    for name, path in names.items():
        arguments = [argument.replace(name, str(path)) for argument in arguments]
    before = sorted(tmp_path.rglob("*"))
    said = cli("teach", *arguments, code=1).output
    assert reason in said
    assert len(said.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_photograph_is_of_one_class(
    cli: Cli, model: Path, photographs: list[Path], tmp_path: Path
) -> None:
    new = tmp_path / "new.tflite"
    cli("teach", model, "--class", "squares", photographs[0], "--out", new)
    before = new.read_bytes()
    said = cli("teach", new, "--class", "dust", photographs[0], code=1).output
    assert "a photograph of dust was taught as squares before" in said
    said = cli("teach", new, "--class", "squares", photographs[0], code=1).output
    assert "squares: all of these photographs were taught before" in said
    assert new.read_bytes() == before


def test_heatmaps_of_a_taught_class(
    cli: Cli, tiny_heatmaps: Path, photographs: list[Path], surfaces: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.tflite"
    cli("teach", tiny_heatmaps / "int8.tflite", "--class", "squares", *photographs, "--out", new)
    classifier = Classifier(new)
    seen = classifier.classify(chequered(9), heatmap=True)
    assert seen.label == "squares"
    assert seen.heatmap is not None
    expected = classifier.class_activation_map(4)
    np.testing.assert_array_equal(seen.heatmap, expected)
    assert expected.mean() > 0
    both = read_image(sorted((surfaces / "good").iterdir())[0])[:48, :48].copy()
    classifier.classify(both)
    assert classifier.class_activation_map(4).mean() < 0
    both[:, :24] = chequered(9)[:, :24]
    classifier.classify(both)
    left, right = np.split(classifier.class_activation_map(4), 2, axis=1)
    assert left.mean() > right.mean()


def test_thresholds_of_a_taught_class(
    cli: Cli, model: Path, photographs: list[Path], tmp_path: Path
) -> None:
    new = tmp_path / "new.tflite"
    cli("teach", model, "--class", "squares", *photographs, "--out", new)
    strict = Classifier(new, thresholds={"squares": 1.0})
    plain = Classifier(new)
    whole, grey = chequered(9).astype(int), np.full((48, 48, 3), 110)
    mixed = [(whole * part + grey * (200 - part)) // 200 for part in range(201)]
    scores = [plain.scores(plain.preprocess(each.astype(np.uint8)))[4] for each in mixed]
    unsure = mixed[int(np.argmin(np.abs(np.asarray(scores) - 0.7)))].astype(np.uint8)
    assert plain.classify(chequered(9)).label == "squares"
    assert strict.classify(unsure).label != "squares"
    with pytest.raises(EdgeclfError, match="a threshold for 'squares', which is no class"):
        Classifier(model, thresholds={"squares": 1.0})


def test_a_head_and_a_range_that_do_not_belong_together_are_refused(
    cli: Cli, model: Path, photographs: list[Path], tmp_path: Path
) -> None:
    new = tmp_path / "new.tflite"
    cli("teach", model, "--class", "squares", *photographs, "--out", new)
    data, spec = read_model(new)
    assert spec.taught is not None
    assert spec.novelty is not None
    for damaged in (
        replace(spec, taught=replace(spec.taught, appearances=None)),
        replace(spec, novelty=replace(spec.novelty, appearance=None)),
    ):
        new.write_bytes(renewed_bytes(data, damaged))
        said = cli("run", new, photographs[0], code=1).stderr
        assert "its spec is damaged (taught classes without what they are known by)" in said
    huge = json.loads(spec.to_json())
    huge["novelty"]["appearance"]["high"][0] = 10**400
    with pytest.raises(EdgeclfError, match="its spec is damaged"):
        ModelSpec.from_json(json.dumps(huge), name="new.tflite")
