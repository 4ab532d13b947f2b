"""Classify one image: python examples/one_image.py int8.tflite photo.jpg"""

import argparse
import sys

from edgeclf import Classifier, EdgeclfError, read_image


def main(model: str, photograph: str) -> None:
    """Print the label, and the scores of the best classes."""
    prediction = Classifier(model).classify(read_image(photograph), threshold=0.5)
    print(f"{prediction.label}  {prediction.score:.3f}  {prediction.ms:.1f} ms")
    for label, score in prediction.top:
        print(f"  {score:.3f}  {label}")
    if prediction.refused is not None:
        print(f"{prediction.refused.label} is below its threshold {prediction.refused.threshold}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("model", "photograph"):
        parser.add_argument(name)
    try:
        main(**vars(parser.parse_args()))
    except EdgeclfError as error:  # one line with the mend; anything else is a bug
        sys.exit(f"Error: {error}")
