"""The folder through which the project's environment and the peers' speak."""

import pickle
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.convert.graph.nodes import Graph
from edgeclf.edge_runtime.files import whole_file, write_text

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Exchange:
    """Images, float model, and what every int8 model made of them.

    The images that do not calibrate are scored.

    Attributes:
        folder: where it all lies.
    """

    folder: Path

    @cached_property
    def inputs(self) -> NDArray[np.uint8]:
        """RGB of shape (images, height, width, 3)."""
        images: NDArray[np.uint8] = np.load(self.folder / "inputs.npy")
        return images

    @cached_property
    def truth(self) -> NDArray[np.intp]:
        """The class index of each image."""
        truth: NDArray[np.intp] = np.load(self.folder / "truth.npy")
        return truth

    @cached_property
    def reference(self) -> Scores:
        """The scores that Keras gives each image in float32, of shape (images, classes)."""
        scores: Scores = np.load(self.folder / "reference.npy")
        return scores

    @cached_property
    def graph(self) -> Graph:
        """The float model as Keras has it, with its BatchNorms."""
        graph = pickle.loads((self.folder / "graph.pickle").read_bytes())
        assert isinstance(graph, Graph)
        return graph

    @cached_property
    def calibration(self) -> NDArray[np.intp]:
        """The places of the images that calibrate, of shape (seeds, images)."""
        places: NDArray[np.intp] = np.load(self.folder / "calibration.npy")
        return places

    @property
    def seeds(self) -> range:
        """The seeds of the choice of calibration images."""
        return range(len(self.calibration))

    def scored(self, seed: int) -> NDArray[np.intp]:
        """Return the places of the images that are scored."""
        return np.setdiff1d(np.arange(len(self.inputs)), self.calibration[seed])

    def model(self, name: str, seed: int) -> Path:
        """Return where the model file `name` lies."""
        return self.folder / f"seed{seed}" / name

    def scores(self, entry: str, seed: int) -> Scores:
        """Return the scores of an entry, of shape (scored images, classes)."""
        scores: Scores = np.load(self._scores(entry, seed))
        return scores

    def has_scores(self, entry: str, seed: int) -> bool:
        """Return whether they have been computed."""
        return self._scores(entry, seed).exists()

    def write_scores(self, entry: str, seed: int, scores: Scores) -> None:
        """Keep the scores of an entry."""
        write_array(self._scores(entry, seed), scores)

    def is_made(self, name: str, source: str) -> bool:
        """Return whether what is called `name` was made, whole, from this `source`."""
        note = self.folder / f"{name}.made"
        if note.exists() and note.read_text() == source:
            return True
        note.unlink(missing_ok=True)  # for it is going to be made anew, perhaps not to the end
        return False

    def note_made(self, name: str, source: str) -> None:
        """Remember that `name` has been made from `source`."""
        write_text(self.folder / f"{name}.made", source)

    def _scores(self, entry: str, seed: int) -> Path:
        return self.folder / f"seed{seed}" / f"{entry}.npy"


def write_array(path: Path, array: NDArray[np.generic]) -> None:
    """Write `array` to the .npy file `path`, whole or not at all."""
    with whole_file(path) as temporary:
        np.save(temporary, array)
