"""`edgeclf run`: images, folders, globs and videos, and every way in which they fail."""

import csv
import json
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray
from schemas import valid, valid_rows

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.model_file.container import read_model, write_model
from edgeclf.edge_runtime.prediction import UNKNOWN
from edgeclf.edge_runtime.sources import Frame, read_frames

Cli = Callable[..., Result]

ISO = "%Y-%m-%dT%H:%M:%S.%f%z"
RED_BGR, BLUE_BGR = (0, 0, 255), (255, 0, 0)


@pytest.fixture(scope="module")
def model(tiny_models: Path) -> Path:
    return tiny_models / "int8.tflite"


@pytest.fixture
def photos(surfaces: Path, tmp_path: Path) -> Path:
    """A folder of four photographs, one of them deeper."""
    folder = tmp_path / "photos"
    (folder / "deeper").mkdir(parents=True)
    for name, target in [
        ("oil/oil_0001.png", "a.png"),
        ("good/good_0001.png", "b.png"),
        ("stain/stain_0001.png", "c.png"),
        ("scratch/scratch_0001.png", "deeper/d.png"),
    ]:
        shutil.copy(surfaces / name, folder / target)
    return folder


def records(result: Result) -> list[dict[str, Any]]:
    return [valid("device/run", json.loads(line)) for line in result.stdout.splitlines()]


def rows(result: Result) -> list[dict[str, Any]]:
    return [record for record in records(result) if record["type"] == "frame"]


def sources(result: Result) -> list[str]:
    return [Path(row["source"]).name for row in rows(result)]


def only_line(result: Result) -> str:
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Error: ")
    return lines[0]


def write_video(path: Path, bgr_frames: list[NDArray[np.uint8]]) -> Path:
    codec = cv2.VideoWriter_fourcc(*"MJPG")  # type: ignore[attr-defined]
    height, width = bgr_frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), codec, 10, (width, height))
    assert writer.isOpened()
    for frame in bgr_frames:
        writer.write(frame)
    writer.release()
    return path


def plain_frames(count: int, bgr: tuple[int, int, int] = RED_BGR) -> list[NDArray[np.uint8]]:
    return [np.full((48, 64, 3), bgr, np.uint8)] * count


def test_one_image_gives_one_line(cli: Cli, model: Path, photos: Path) -> None:
    result = cli("run", model, photos / "a.png")
    prediction = Classifier(model).classify(read_image(photos / "a.png"))
    [line] = result.stdout.splitlines()
    assert line.startswith(prediction.label)
    assert f"{prediction.score:.3f}" in line
    assert str(photos / "a.png") in line
    (_, _), (second, score), (third, _) = prediction.top
    assert f"({second} {score:.2f}, {third}" in line
    assert result.stderr == ""


def test_top_1_lists_no_others(cli: Cli, model: Path, photos: Path) -> None:
    [line] = cli("run", model, photos / "a.png", "--top", 1).stdout.splitlines()
    assert line.endswith("a.png")


def test_a_folder_is_searched_deep(cli: Cli, model: Path, photos: Path) -> None:
    (photos / "notes.txt").write_text("no image")
    (photos / ".hidden.png").write_bytes(b"")
    result = cli("run", model, photos, "--json")
    assert sources(result) == ["a.png", "b.png", "c.png", "d.png"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", ["a.png", "b.png", "c.png"]),
        ("**/*.png", ["a.png", "b.png", "c.png", "d.png"]),
        ("[bc].*", ["b.png", "c.png"]),
    ],
)
def test_globs(cli: Cli, model: Path, photos: Path, pattern: str, expected: list[str]) -> None:
    (photos / "b.txt").write_text("no image")
    assert sources(cli("run", model, photos / pattern, "--json")) == expected


def test_a_name_that_looks_like_a_glob_is_a_file_first(cli: Cli, model: Path, photos: Path) -> None:
    shutil.copy(photos / "a.png", photos / "photo[1].png")
    result = cli("run", model, photos / "photo[1].png", "--json")
    assert sources(result) == ["photo[1].png"]


def test_several_sources_in_their_order(cli: Cli, model: Path, photos: Path) -> None:
    result = cli("run", model, photos / "c.png", photos / "deeper", photos / "[ab].png", "--json")
    assert sources(result) == ["c.png", "d.png", "a.png", "b.png"]


@pytest.mark.parametrize("recipe", ["float32", "float16", "dynamic", "int8"])
def test_json_says_what_the_classifier_says(
    cli: Cli, tiny_models: Path, photos: Path, recipe: str
) -> None:
    path = tiny_models / f"{recipe}.tflite"
    found = rows(cli("run", path, photos, "--json", "--threads", 1))
    classifier = Classifier(path, threads=1)
    assert len(found) == 4
    for row in found:
        prediction = classifier.classify(read_image(Path(row["source"])))
        assert list(row) == [
            "schema", "type", "time", "source", "frame", "label", "score", "refused",
            "novelty", "novelty_reason", "frame_label", "frame_score", "top", "ms",
        ]  # fmt: skip
        assert (row["schema"], row["type"], row["frame"]) == (1, "frame", 0)
        passed = datetime.now(timezone.utc) - datetime.strptime(row["time"], ISO)
        assert timedelta(0) <= passed < timedelta(minutes=5)
        assert row["label"] == row["frame_label"] == prediction.label
        assert row["score"] == row["frame_score"] == pytest.approx(prediction.score, abs=1e-6)
        assert row["refused"] is None
        assert row["novelty"] == pytest.approx(prediction.novelty, abs=1e-6)
        assert row["novelty_reason"] == prediction.novelty_reason
        assert [label for label, _ in row["top"]] == [label for label, _ in prediction.top]
        assert [score for _, score in row["top"]] == pytest.approx(
            [score for _, score in prediction.top], abs=1e-6
        )
        assert row["ms"] > 0


@pytest.mark.parametrize(("top", "length"), [(1, 1), (2, 2), (4, 4), (9, 4)])
def test_top_is_best_first_and_as_long_as_asked(
    cli: Cli, tiny_models: Path, photos: Path, top: int, length: int
) -> None:
    model = tiny_models / "float32.tflite"
    result = cli("run", model, photos, "--json", "--top", top, "--novelty-threshold", 1)
    for row in rows(result):
        scores = [score for _, score in row["top"]]
        assert len(scores) == length
        assert scores == sorted(scores, reverse=True)
        assert row["top"][0] == [row["label"], row["score"]]
        if length == 4:
            assert sum(scores) == pytest.approx(1, abs=1e-4)


def test_below_the_threshold_the_label_is_unknown(cli: Cli, model: Path, photos: Path) -> None:
    below = rows(cli("run", model, photos, "--json", "--threshold", 1.0))
    usual = rows(cli("run", model, photos, "--json", "--novelty-threshold", 1))
    assert [row["label"] for row in below] == [UNKNOWN] * 4
    assert UNKNOWN not in [row["label"] for row in usual]
    assert [row["top"] for row in below] == [row["top"] for row in usual]
    assert cli("run", model, photos, "--threshold", 1.0).stdout.count(UNKNOWN) == 4
    for row in below:
        best, score = row["top"][0]
        assert row["refused"] == {"label": best, "score": score, "threshold": 1.0}


def test_the_class_that_was_refused_is_named_with_its_threshold(
    cli: Cli, model: Path, photos: Path
) -> None:
    [line] = cli("run", model, photos / "a.png", "--threshold", 0.99).stdout.splitlines()
    prediction = Classifier(model).classify(read_image(photos / "a.png"))
    (best, score), (second, _), _ = prediction.top
    assert f"  ({best} {score:.3f} is below its threshold 0.99, {second} " in line
    assert line.count(best) == 1


def test_a_folder_ends_with_a_summary(cli: Cli, model: Path, photos: Path) -> None:
    (photos / "bad.png").write_bytes(b"")
    result = cli("run", model, photos, "--novelty-threshold", 1, code=1)
    warning, summary, error = result.stderr.splitlines()
    labels = Counter(line.split()[0] for line in result.stdout.splitlines())
    counts = ", ".join(f"{label} {count}" for label, count in labels.most_common())
    assert summary == f"4 classified: {counts}; 1 not read to the end"
    assert (warning[:9], error[:7]) == ("Warning: ", "Error: ")
    unsure = ("--threshold", 1, "--novelty-threshold", 1)
    sure = cli("run", model, photos / "*.png", *unsure, code=1).stderr.splitlines()[1]
    assert sure.startswith("3 classified: unknown 3; below their thresholds: ")
    both = ("--threshold", 1, "--novelty-threshold", 0)
    novel = cli("run", model, photos / "*.png", *both, code=1).stderr.splitlines()[1]
    assert novel.startswith("3 classified: unknown 3; unknown: ")
    assert "below their thresholds" not in novel
    assert cli("run", model, photos / "a.png", photos / "b.png").stderr == ""


def test_a_folder_as_a_table(cli: Cli, model: Path, photos: Path, tmp_path: Path) -> None:
    (photos / "b.png").write_bytes((photos / "b.png").read_bytes()[:500])
    table = tmp_path / "deep" / "predictions.csv"
    found = records(cli("run", model, photos, "--csv", table, "--json", "--threshold", 0.3, code=1))
    with table.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [Path(line["source"]).name for line in lines] == ["a.png", "b.png", "c.png", "d.png"]
    assert [row["error"] is None for row in valid_rows("device/run-csv", table)] == [1, 0, 1, 1]
    for line, record in zip(lines, found, strict=True):
        refused = record.get("refused") or {}
        expected = record | {
            "refused": refused.get("label"), "threshold": refused.get("threshold")
        }  # fmt: skip
        assert line == {
            name: "" if expected.get(name) is None else str(expected[name]) for name in line
        }
    assert lines[1]["error"] == "the image is cut short"
    assert lines[1]["label"] == ""


def test_a_table_that_cannot_be_is_said_at_once(cli: Cli, model: Path, photos: Path) -> None:
    table = photos / "a.png" / "predictions.csv"
    line = only_line(cli("run", model, photos, "--csv", table, code=1))
    assert "cannot be a folder for files" in line


def test_a_score_at_the_threshold_is_enough(model: Path, photos: Path) -> None:
    classifier = Classifier(model)
    rgb = read_image(photos / "a.png")
    score = classifier.classify(rgb).score
    assert classifier.classify(rgb, threshold=score).label != UNKNOWN
    assert classifier.classify(rgb, threshold=np.nextafter(score, 1)).label == UNKNOWN


def test_labels_beyond_ascii_are_printed_as_they_are(
    cli: Cli, model: Path, photos: Path, tmp_path: Path
) -> None:
    data, spec = read_model(model)
    flatbuffer = data[: data.index(b"PK\x03\x04")]
    values = json.loads(spec.to_json()) | {"labels": ["gut", "Öl", "Kratzer", "ガラス"]}
    renamed = tmp_path / "renamed.tflite"
    write_model(renamed, flatbuffer, type(spec).from_json(json.dumps(values), name="x"))
    result = cli("run", renamed, photos / "a.png", "--json", "--top", 4)
    assert '"ガラス"' in result.stdout
    assert {label for label, _ in rows(result)[0]["top"]} == {"gut", "Öl", "Kratzer", "ガラス"}


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_a_video_gives_its_frames(cli: Cli, model: Path, tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, 256, (6, 8, 3), dtype=np.uint8) for _ in range(7)]
    big = [np.asarray(cv2.resize(frame, (64, 48)), np.uint8) for frame in drawn]
    path = write_video(tmp_path / f"clip{suffix}", big)
    found = rows(cli("run", model, path, "--json"))
    assert [row["frame"] for row in found] == list(range(7))
    assert {row["source"] for row in found} == {str(path)}

    classifier = Classifier(model)
    frames = [frame for frame in read_frames(path) if isinstance(frame, Frame)]
    for row, frame, bgr in zip(found, frames, big, strict=True):
        assert np.abs(frame.rgb[..., ::-1].astype(int) - bgr).mean() < 12
        assert row["score"] == pytest.approx(classifier.classify(frame.rgb).score, abs=1e-6)


@pytest.mark.parametrize(("bgr", "channel"), [(RED_BGR, 0), (BLUE_BGR, 2)])
def test_frames_and_images_agree_on_colour(
    tmp_path: Path, bgr: tuple[int, int, int], channel: int
) -> None:
    video = write_video(tmp_path / "clip.avi", plain_frames(2, bgr))
    cv2.imwrite(str(tmp_path / "photo.png"), plain_frames(1, bgr)[0])
    for path in (video, tmp_path / "photo.png"):
        for frame in read_frames(path):
            assert isinstance(frame, Frame)
            mean = frame.rgb.mean((0, 1))
            assert mean[channel] > 240
            assert np.delete(mean, channel).max() < 15


def test_a_sound_track_longer_than_the_picture_is_no_cut(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mkv", plain_frames(5))
    data = path.read_bytes()
    at = data.index(b"\x44\x89\x88") + 3  # Matroska's Duration, a float64 in milliseconds
    assert struct.unpack(">d", data[at : at + 8]) == (500,)
    path.write_bytes(data[:at] + struct.pack(">d", 800) + data[at + 8 :])
    assert [type(frame) for frame in read_frames(path)] == [Frame] * 5


def test_a_cut_video_gives_what_is_there_and_a_warning(
    cli: Cli, model: Path, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "clip.avi", plain_frames(30))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 85 // 100])
    result = cli("run", model, path, "--json", code=1)
    assert 0 < len(rows(result)) < 30
    warning, error = result.stderr.splitlines()
    assert warning.startswith(f"Warning: {path}: ends after {len(rows(result))} of 30 frames")
    assert error == "Error: 1 of 1 files could not be read to the end"


def test_what_is_no_video_is_named(cli: Cli, model: Path, photos: Path) -> None:
    (photos / "clip.mp4").write_bytes(b"no video " * 100)
    result = cli("run", model, photos, "--json", code=1)
    assert len(rows(result)) == 4
    assert f"Warning: {photos / 'clip.mp4'}: no frame" in result.stderr


def test_hidden_videos_of_a_folder_are_left_alone(cli: Cli, model: Path, photos: Path) -> None:
    (photos / "._clip.mp4").write_bytes(b"what macOS leaves beside a clip")
    assert sources(cli("run", model, photos, "--json")) == ["a.png", "b.png", "c.png", "d.png"]


def test_the_good_images_among_bad_ones_are_classified(cli: Cli, model: Path, photos: Path) -> None:
    (photos / "b.png").write_bytes((photos / "b.png").read_bytes()[:500])
    (photos / "bb.jpg").write_bytes(b"")
    result = cli("run", model, photos, "--json", code=1)
    assert sources(result) == ["a.png", "c.png", "d.png"]
    first, second, error = result.stderr.splitlines()
    assert first == f"Warning: {photos / 'b.png'}: the image is cut short"
    assert second == f"Warning: {photos / 'bb.jpg'}: the file is empty"
    assert error == "Error: 2 of 5 files could not be read to the end"
    errors = [record for record in records(result) if record["type"] == "error"]
    assert [(Path(one["source"]).name, one["error"]) for one in errors] == [
        ("b.png", "the image is cut short"),
        ("bb.jpg", "the file is empty"),
    ]
    assert {tuple(one) for one in errors} == {("schema", "type", "time", "source", "error")}


def test_an_empty_name_is_not_the_current_folder(cli: Cli, model: Path) -> None:
    assert only_line(cli("run", model, "", code=1)).startswith(
        "Error: an empty name: give an image"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("empty", "holds no image and no video"),
        ("gone.png", "no such file"),
        ("gone/*.png", "no such file"),
        ("photos/*.bmp", "no such file"),
        ("photos/notes.txt", "neither an image nor a video"),
    ],
)
def test_a_source_without_images_is_one_line(
    cli: Cli, model: Path, photos: Path, source: str, reason: str
) -> None:
    folder = photos.parent
    (folder / "empty").mkdir()
    (photos / "notes.txt").write_text("no image")
    line = only_line(cli("run", model, photos / "a.png", folder / source, code=1))
    assert line.startswith(f"Error: {folder / source}: {reason}")


def damaged_models(model: Path) -> dict[str, tuple[bytes | None, str]]:
    data = model.read_bytes()
    tail = data.index(b"PK\x03\x04")
    return {
        "missing": (None, "cannot be read"),
        "empty": (b"", "not a TFLite model"),
        "photograph": (b"\x89PNG\r\n\x1a\n" + bytes(99), "not a TFLite model"),
        "cut": (data[: len(data) // 2], "cut short"),
        "cut by a byte": (data[:-1], "cut short"),
        "without spec": (data[:tail], "not written by edgeclf"),
        "half a flatbuffer": (data[: tail // 2] + data[tail:], "damaged ("),
        "zeros": (data[:64] + bytes(tail - 64) + data[tail:], "damaged ("),
    }


@pytest.mark.parametrize(
    "damage",
    ["missing", "empty", "photograph", "cut", "cut by a byte", "without spec",
     "half a flatbuffer", "zeros"],
)  # fmt: skip
def test_a_damaged_model_is_one_line(
    cli: Cli, model: Path, photos: Path, tmp_path: Path, damage: str
) -> None:
    content, reason = damaged_models(model)[damage]
    path = tmp_path / "damaged.tflite"
    if content is not None:
        path.write_bytes(content)
    line = only_line(cli("run", path, photos, code=1))
    assert str(path) in line
    assert reason in line


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": ["one", "two"]}, "4 outputs for 2 labels"),
        ({"input_hw": [8, 8]}, r"expected an input of uint8 (1, 8, 8, 3)"),
    ],
)
def test_a_spec_that_does_not_fit_its_model_is_one_line(
    cli: Cli, model: Path, photos: Path, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    data, spec = read_model(model)
    values = json.loads(spec.to_json()) | changes
    del values["novelty"]  # which would not fit other labels
    path = tmp_path / "odd.tflite"
    flatbuffer = data[: data.index(b"PK\x03\x04")]
    write_model(path, flatbuffer, type(spec).from_json(json.dumps(values), name="x"))
    line = only_line(cli("run", path, photos, code=1))
    assert f"{path}: {reason}" in line


@pytest.mark.parametrize(
    "options",
    [("--top", 0), ("--threads", 0), ("--threshold", 1.5), ("--threshold", "high")],
)
def test_impossible_options_are_refused(
    cli: Cli, model: Path, photos: Path, options: tuple[object, ...]
) -> None:
    assert str(options[0]) in cli("run", model, photos, *options, code=2).stderr


@pytest.mark.parametrize("suffix", [".bmp", ".tif", ".mp4"])
def test_decoders_print_nothing_of_their_own(
    fresh_python: Callable[..., subprocess.CompletedProcess[str]],
    model: Path,
    tmp_path: Path,
    suffix: str,
) -> None:
    path = tmp_path / f"broken{suffix}"
    if suffix == ".mp4":
        path.write_bytes(b"no video " * 100)
    else:
        ok, data = cv2.imencode(suffix, plain_frames(1)[0])
        assert ok
        path.write_bytes(data.tobytes()[: len(data) // 2])
    done = fresh_python("from edgeclf.cli import main; main()", "run", model, path)
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["Warning", "Error"]
