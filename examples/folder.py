"""Sort a folder by what the model sees: python examples/folder.py int8.tflite photos/ sorted/"""

import argparse
import shutil
import sys
from collections import Counter
from pathlib import Path

from edgeclf import Classifier, EdgeclfError, find_images, read_image


def main(model: str, photographs: str, out: str) -> None:
    """Copy each image below `photographs` to `out`/LABEL, and count the labels."""
    classifier = Classifier(model)
    counts: Counter[str] = Counter()
    for path in find_images(photographs):
        try:
            label = classifier.classify(read_image(path), threshold=0.5).label
        except EdgeclfError as error:
            print(f"Warning: {error}", file=sys.stderr)
            label = "unreadable"
        counts[label] += 1
        # The folders stay, for images of the same name in different ones.
        copy = Path(out) / label / path.relative_to(photographs)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for label, count in counts.most_common():
        print(f"{count:6}  {label}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("model", "photographs", "out"):
        parser.add_argument(name)
    try:
        main(**vars(parser.parse_args()))
    except EdgeclfError as error:
        sys.exit(f"Error: {error}")
