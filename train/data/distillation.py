"""A trained run as the teacher of another network."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.preprocess import ResizeRule, preprocess
from ...models.data.class_folders import SPLITS
from ...models.float_model import FloatModel, FloatModelInfo
from ...models.run import SPLIT_NAME, SplitImage, read_run


class TeacherModel:
    """Scores images with the float model of a run."""

    def __init__(self, info: FloatModelInfo) -> None:
        self._model = FloatModel(info)

    def __call__(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return scores (images, classes) of images (images, h, w, 3) in 0..255 of any size."""
        size_hw = self._model.info.input_hw
        if images.shape[1:3] != size_hw:
            images = np.stack(
                [
                    preprocess(np.rint(image).astype(np.uint8), size_hw=size_hw, rule="stretch")
                    for image in images
                ]
            )
        return self._model.scores(images)


def teacher_split(
    teacher: Path, *, data: Path, paths: list[str], labels: list[str], resize: ResizeRule
) -> tuple[tuple[SplitImage, ...], list[str]]:
    """Return the images with their groups and splits as in the teacher's run, and warnings.

    What the teacher was trained on must not test its student: it would say of those images what it
    has learnt by heart.

    Args:
        teacher: folder of the run.
        data: the data folder.
        paths: the images, relative to it.
        labels: the class of each.
        resize: how photographs are brought to the student's size.

    Raises:
        EdgeclfError: the images, their classes or `resize` are not those of the run.
    """
    run = read_run(teacher)
    classes = tuple(sorted(set(labels)))
    if classes != run.info.labels:
        odd = sorted(set(classes) ^ set(run.info.labels))
        raise EdgeclfError(
            f"{teacher}: its {len(run.info.labels)} classes are not the {len(classes)} of {data}: "
            f"only one has {', '.join(odd) or 'them in this order'}; give the data of this run"
        )
    if resize != run.info.resize:
        raise EdgeclfError(
            f"{teacher}: its images are resized by {run.info.resize}, got {resize}; "
            f"add --resize {run.info.resize}"
        )
    known = {(image.path, image.label): image for image in run.images}
    strange = [key for key in zip(paths, labels, strict=True) if key not in known]
    if strange:
        raise EdgeclfError(
            f"{teacher / SPLIT_NAME}: does not name {len(strange)} of the {len(paths)} images, the "
            f"first {strange[0][0]}, so that the teacher may have seen what would test its student;"
            " train the teacher again on this data, or remove them"
        )
    images = tuple(known.pop(key) for key in zip(paths, labels, strict=True))
    lost = sorted(set(SPLITS) - {image.split for image in images})
    if lost:
        raise EdgeclfError(
            f"{teacher}: none of its {lost[0]} images is left in the data; put them back"
        )
    missing = [path for path, _ in known]
    return images, (
        [f"{len(missing)} images of {teacher} are not in the data, the first {missing[0]}"]
        if missing
        else []
    )
