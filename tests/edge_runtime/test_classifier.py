"""`Classifier` as a library: shared between threads, one way to an answer, and what it refuses."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.images.folders import find_images
from edgeclf.edge_runtime.model_file.container import flatbuffer_size, read_model, write_model
from edgeclf.edge_runtime.prediction import UNKNOWN, Refusal

LABELS = ("good", "oil", "scratch", "stain")


@pytest.fixture(scope="module")
def two_headed(tiny_heatmaps: Path) -> Path:
    """An int8 file with heatmaps."""
    return tiny_heatmaps / "int8.tflite"


@pytest.fixture(scope="module")
def classifier(two_headed: Path) -> Classifier:
    return Classifier(two_headed, threads=1)


@pytest.fixture(scope="module")
def photographs(surfaces: Path) -> list[NDArray[np.uint8]]:
    return [read_image(path) for path in find_images(surfaces)[::6]]


def with_thresholds(model: Path, out: Path, thresholds: dict[str, float]) -> Classifier:
    """Open a copy of `model` with these thresholds, in which none but they make an `unknown`."""
    data, spec = read_model(model)
    own = replace(spec, thresholds=thresholds, novelty=None)
    write_model(out, data[: flatbuffer_size(data)], own)
    return Classifier(out, threads=1)


# Threads.


def test_sixteen_threads_get_the_answers_of_one(
    classifier: Classifier, photographs: list[NDArray[np.uint8]]
) -> None:
    alone = [classifier.classify(rgb, top=4, heatmap=True) for rgb in photographs]

    def work(turn: int) -> bool:
        place = turn % len(photographs)
        heatmap = turn % 3 == 0
        prediction = classifier.classify(photographs[place], top=4, heatmap=heatmap)
        if heatmap:
            np.testing.assert_array_equal(prediction.heatmap, alone[place].heatmap)
        return replace(prediction, ms=alone[place].ms) == alone[place]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(1600)))


def test_a_heatmap_of_another_threads_image_is_refused(
    classifier: Classifier, photographs: list[NDArray[np.uint8]]
) -> None:
    small = classifier.preprocess(photographs[0])
    classifier.infer(small)
    expected = classifier.class_activation_map(1)
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(EdgeclfError, match=r"classify\(image, heatmap=True\)"):
            pool.submit(classifier.class_activation_map, 1).result()
        pool.submit(classifier.infer, small).result()
        np.testing.assert_array_equal(
            pool.submit(classifier.class_activation_map, 1).result(), expected
        )
    with pytest.raises(EdgeclfError, match="not scored by this thread"):
        classifier.class_activation_map(1)


def test_a_batch_is_one_after_another(
    classifier: Classifier, photographs: list[NDArray[np.uint8]]
) -> None:
    batch = classifier.classify_batch((rgb for rgb in photographs), top=2)
    alone = [classifier.classify(rgb, top=2) for rgb in photographs]
    assert [replace(one, ms=0.0) for one in batch] == [replace(one, ms=0.0) for one in alone]
    assert classifier.classify_batch([]) == []
    with pytest.raises(EdgeclfError, match=r"^image 1 of the batch: an image of float32"):
        classifier.classify_batch([photographs[0], photographs[1].astype(np.float32)])


# One way to an answer.


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("raised", [None, *LABELS])
def test_a_frame_and_an_image_get_the_same_with_thresholds_per_class(
    two_headed: Path,
    photographs: list[NDArray[np.uint8]],
    tmp_path: Path,
    raised: str | None,
    threshold: float,
) -> None:
    """A class that is never sure enough leaves the label, and the heatmap, to another."""
    thresholds = {} if raised is None else {raised: 1.0}
    classifier = with_thresholds(two_headed, tmp_path / "model.tflite", thresholds)
    for rgb in photographs:
        image = classifier.classify(rgb, top=4, threshold=threshold, heatmap=True)
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        frame = classifier.classify_frame(bgr, top=4, threshold=threshold, heatmap=True)
        assert replace(frame.prediction, ms=image.ms) == image
        np.testing.assert_array_equal(frame.prediction.heatmap, image.heatmap)

        scores = dict(image.top)
        least = {label: thresholds.get(label, threshold) for label in LABELS}
        sure = [label for label in scores if scores[label] >= least[label]]
        assert image.label == (sure[0] if sure else UNKNOWN)
        best = image.top[0][0]
        is_refused = scores[best] < least[best]
        assert image.refused == (Refusal(best, scores[best], least[best]) if is_refused else None)
        shown = best if image.label == UNKNOWN else image.label
        classifier.infer(classifier.preprocess(rgb))
        expected = classifier.class_activation_map(LABELS.index(shown))
        np.testing.assert_array_equal(image.heatmap, expected)


def test_some_label_is_not_the_best_class(
    two_headed: Path, photographs: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    """So the test above has seen what it is about."""
    best = Classifier(two_headed).classify(photographs[0]).top[0][0]
    raised = with_thresholds(two_headed, tmp_path / "model.tflite", {best: 1.0})
    prediction = raised.classify(photographs[0])
    assert prediction.label not in (best, UNKNOWN)
    assert prediction.refused is not None
    assert prediction.refused.label == best == prediction.top[0][0]


def test_thresholds_of_ones_own_go_before_those_of_the_file(
    two_headed: Path, photographs: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    in_file = with_thresholds(two_headed, tmp_path / "model.tflite", {"oil": 0.5, "good": 0.6})
    assert in_file.thresholds == {"oil": 0.5, "good": 0.6}
    own = Classifier(in_file.path, threads=1, thresholds={"good": 1.0, "stain": 1.0})
    assert own.thresholds == {"oil": 0.5, "good": 1.0, "stain": 1.0}
    same = with_thresholds(two_headed, tmp_path / "same.tflite", own.thresholds)
    for rgb in photographs:
        expected = same.classify(rgb)
        assert replace(own.classify(rgb), ms=expected.ms) == expected
    with pytest.raises(EdgeclfError, match="'dent', which is no class"):
        Classifier(two_headed, thresholds={"dent": 0.5})


# What it takes, and what it refuses.


def test_paths_may_be_text(two_headed: Path, surfaces: Path) -> None:
    path = str(surfaces / "oil" / "oil_0001.png")
    np.testing.assert_array_equal(read_image(path), read_image(Path(path)))
    classifier = Classifier(str(two_headed), threads=2)
    assert classifier.path == two_headed
    assert classifier.classify(read_image(path)).label in LABELS


def test_views_of_an_array_are_images_too(
    classifier: Classifier, photographs: list[NDArray[np.uint8]]
) -> None:
    rgb = photographs[0]
    mirrored = rgb[:, ::-1]
    assert not mirrored.flags.c_contiguous
    copied = classifier.classify(mirrored.copy())
    assert replace(classifier.classify(mirrored), ms=copied.ms) == copied


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((0, 8, 3), np.uint8), r"uint8 \(0, 8, 3\): expected uint8 .* at least one pixel"),
        (np.zeros((8, 0, 3), np.uint8), r"uint8 \(8, 0, 3\)"),
        (np.zeros((8, 8, 3), np.float32), r"float32 \(8, 8, 3\): .* scale it to 0\.\.255"),
        (np.zeros((8, 8, 3), np.int64), r"int64 \(8, 8, 3\)"),
        (np.zeros((8, 8), np.uint8), r"uint8 \(8, 8\)"),
        (np.zeros((8, 8, 4), np.uint8), r"uint8 \(8, 8, 4\)"),
        (np.zeros((1, 8, 8, 3), np.uint8), r"uint8 \(1, 8, 8, 3\)"),
        (np.asarray(None), r"object \(\)"),
        (None, "type NoneType: .* `read_image` reads one"),
        ("photo.png", "type str"),
        ([[[0, 0, 0]]], "type list"),
    ],
)
def test_what_is_no_image(classifier: Classifier, image: Any, reason: str) -> None:
    for method in (classifier.classify, classifier.classify_frame, classifier.preprocess):
        with pytest.raises(EdgeclfError, match=reason):
            method(image)


def test_an_input_of_another_size(classifier: Classifier) -> None:
    with pytest.raises(EdgeclfError, match=r"shape \(8, 8, 3\) .* give what `preprocess` returns"):
        classifier.scores(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", 1025, 10**12])
def test_threads_that_are_none(two_headed: Path, threads: Any) -> None:
    with pytest.raises(EdgeclfError, match=f"^threads {threads!r}: give 1 to 1024"):
        Classifier(two_headed, threads=threads)


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({"top": 0}, "top 0: give the number of classes to list"),
        ({"top": 1.0}, "top 1.0"),
        ({"threshold": 1.01}, "threshold 1.01: give a score from 0 to 1"),
        ({"threshold": -0.1}, "threshold -0.1"),
        ({"threshold": float("nan")}, "threshold nan"),
    ],
)
def test_choices_that_are_none(
    classifier: Classifier,
    photographs: list[NDArray[np.uint8]],
    choices: dict[str, Any],
    reason: str,
) -> None:
    with pytest.raises(EdgeclfError, match=f"^{reason}"):
        classifier.classify(photographs[0], **choices)
