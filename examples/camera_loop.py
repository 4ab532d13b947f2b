"""Act on what a camera sees: python examples/camera_loop.py int8.tflite 0

A plain loop of your own. `edgeclf run` does more: it reconnects, drops damaged and old frames, and
steadies the label (docs/device/live.md); its `--json` is easy to read in a program.
"""

import argparse
import sys

import cv2
import numpy as np

from edgeclf import Classifier, EdgeclfError


def main(model: str, camera: str) -> None:
    """Print a line whenever the label changes; `camera` is a number, an address or a video."""
    classifier = Classifier(model)
    capture = cv2.VideoCapture(int(camera) if camera.isdecimal() else camera)
    label = ""
    frames = 0
    while True:
        is_frame, bgr = capture.read()
        if not is_frame:
            break
        frames += 1
        # OpenCV's frames are BGR: classify_frame takes them as they are, classify takes RGB.
        prediction = classifier.classify_frame(np.asarray(bgr, np.uint8), threshold=0.5).prediction
        if prediction.label != label:
            label = prediction.label
            print(f"frame {frames}: {label} {prediction.score:.3f}", flush=True)
    if not frames:
        sys.exit(f"Error: {camera}: no frame comes; is the camera connected, and free?")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("model", "camera"):
        parser.add_argument(name)
    try:
        main(**vars(parser.parse_args()))
    except EdgeclfError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        pass
