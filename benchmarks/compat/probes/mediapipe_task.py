"""What MediaPipe's ImageClassifier makes of a case; see cases.py and rows.py.

    python mediapipe_task.py CASE OUT

Runs where MediaPipe is installed, without edgeclf. The task gives the scores of all classes as
floats, and nothing of a second output; where the model's are quantized, each float is written as
the step that it stands for.
"""

import base64
import json
import statistics
import sys
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import mediapipe  # type: ignore[import-not-found]
import numpy as np
from mediapipe.tasks.python import (  # type: ignore[import-not-found]
    BaseOptions,
    vision,
)

_WARM_UP, _QUERIES, _MOST_SECONDS = 3, 30, 5.0


def probe(case: Path) -> dict[str, Any]:
    """Run the case and return the JSON object of its row."""
    seen = {"runtime": "mediapipe", "version": version("mediapipe")}
    described = json.loads((case / "case.json").read_text())
    pixels = np.frombuffer((case / "inputs.bin").read_bytes(), np.uint8)
    # Of the model's own size, so that there is nothing to resize.
    images = [
        mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image.copy())
        for image in pixels.reshape(described["inputs"], *described["shape"][1:])
    ]
    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_path=str(case / "model.tflite")), score_threshold=0.0
    )
    try:
        classifier = vision.ImageClassifier.create_from_options(options)
        scores = [_scores(classifier, image, described["tensors"][0]) for image in images]
    except (RuntimeError, ValueError) as error:
        return seen | {"refused": " ".join(str(error).split())}
    return seen | {
        "outputs": [base64.b64encode(b"".join(scores)).decode()],
        "ms": _median_ms(classifier, images[0]),
        "delegated": None,
    }


def _scores(classifier: Any, image: Any, tensor: dict[str, Any]) -> bytes:
    """Return the scores of an image in the order of the classes, as the model's output has them."""
    categories = classifier.classify(image).classifications[0].categories
    scores = np.full(tensor["shape"][-1], np.nan)
    for category in categories:
        scores[category.index] = category.score
    if np.isnan(scores).any():
        sys.exit(f"the task gives {len(categories)} of {len(scores)} scores")
    if tensor["scale"]:
        scores = np.round(scores / tensor["scale"]) + tensor["zero_point"]
    return scores.astype(np.dtype(tensor["dtype"]).newbyteorder("<")).tobytes()


def _median_ms(classifier: Any, image: Any) -> float:
    for _ in range(_WARM_UP):
        classifier.classify(image)
    taken: list[float] = []
    while len(taken) < _QUERIES and sum(taken) < _MOST_SECONDS:
        start = perf_counter()
        classifier.classify(image)
        taken.append(perf_counter() - start)
    return 1000 * statistics.median(taken)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(probe(Path(sys.argv[1]))))
