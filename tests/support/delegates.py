"""A TFLite delegate for the tests of accelerators, which answers from a recording."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.images import RGBImage, read_image


@dataclass(frozen=True)
class Delegates:
    """A model, a photograph, and a delegate that answers both from a recording.

    Attributes:
        model: the .tflite file.
        photograph: an image file.
        library: the delegate's.
        recording: its answers to the self-test, to the other inputs of a trial, and to the
            photograph, as the CPU computes them.
        short: the same without the trial's other inputs.
    """

    model: Path
    photograph: Path
    library: Path
    recording: Path
    short: Path

    def value(self, fault: str = "none", *, recording: Path | None = None) -> str:
        """The value of --accelerator with that fault."""
        return f"{self.library};recording:{recording or self.recording};fault:{fault}"

    def pixels(self) -> RGBImage:
        """The photograph's."""
        return read_image(self.photograph)


def recording_of(classifier: Classifier, images: list[RGBImage]) -> bytes:
    """The inputs, each with all outputs, which a delegate has in the order of their places."""
    interpreter = classifier.interpreter
    place = interpreter.get_input_details()[0]["index"]
    outputs = sorted(output["index"] for output in interpreter.get_output_details())
    parts: list[bytes] = []
    for image in images:
        interpreter.set_tensor(place, image[np.newaxis])
        interpreter.invoke()
        parts.append(image.tobytes())
        parts += [interpreter.get_tensor(output).tobytes() for output in outputs]
    return b"".join(parts)
