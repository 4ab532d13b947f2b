"""A file that is taught. What it was taught stands in the file; all else follows from that."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..classifier import Classifier
from ..errors import EdgeclfError
from ..files import check_file, check_folder, locked_folder, write_bytes
from ..knowledge import Knowledge
from ..model_file.container import read_model, renewed_bytes
from ..novelty.taught import Lesson
from .lessons import with_lesson, without_last_lesson
from .photographs import (
    Photograph,
    copy_photographs,
    keep_photograph,
    move_photographs,
    photographs_folder,
    undone_folder,
)


def taught_before(model: Path, out: Path) -> Path:
    """Return `out` if it is there, else `model`: what a run begins with that teaches `out`.

    Raises:
        EdgeclfError: `out` is of another model, or `model` itself and as it was converted.
    """
    if not out.exists():
        return model
    spec, taught = read_model(model)[1], read_model(out)[1]
    if spec.flatbuffer_sha256 != taught.flatbuffer_sha256:
        raise EdgeclfError(f"{out}: of another model than {model}; choose another file")
    if out.samefile(model) and spec.taught is None:
        raise EdgeclfError(f"{model}: as it was converted, it stays as it is; choose another file")
    return out


class Teaching:
    """Teaches a file, lesson by lesson.

    A lesson is acknowledged once its photographs, and then the file, are whole and on the disk. The
    file is read anew for each, so that several programs may teach it, one after another.

    Attributes:
        classifier: answers by what was taught from then on.
        out: the file that is written.
        folder: of the photographs.
    """

    def __init__(self, classifier: Classifier, out: Path) -> None:
        """Be ready to write `out`; nothing is written yet.

        Raises:
            EdgeclfError: the classifier's file has no novelty, or `out` cannot be written.
        """
        path, spec = classifier.path, classifier.spec
        if spec.novelty is None:
            raise EdgeclfError(
                f"{path}: without novelty, which teaching builds on; convert the model again, "
                "without --no-novelty"
            )
        if out.suffix != ".tflite":  # what lies beside it is named after it
            raise EdgeclfError(f"{out}: give a name that ends in .tflite")
        self.classifier, self.out = classifier, out
        self.folder = photographs_folder(out)
        check_file(out)
        check_folder(self.folder)

    def teach(
        self, label: str, photographs: Sequence[Photograph], *, one_view: bool = False
    ) -> int:
        """Teach photographs of a class; those that were taught before do not count again.

        Returns how many photographs of earlier lessons could not be copied beside a new file, for
        they are missing; it knows their features nevertheless.

        Args:
            label: of the class, as `checked_class` returns it.
            photographs: at least one.
            one_view: whether they show one thing at one time.

        Raises:
            EdgeclfError: all were taught before, one as another class, there are too many, or the
                disk is full; then nothing has changed.
        """
        with locked_folder(self.out.parent, wait=True):
            source, data, known = self._read()
            taught = known.spec.taught
            classes = {} if taught is None else {one[0]: one[1] for one in taught.photographs}
            for one in photographs:
                if classes.get(one.sha256, label) != label:
                    raise EdgeclfError(
                        f"a photograph of {label} was taught as {classes[one.sha256]} before; "
                        "take that back with --undo, or leave it out"
                    )
            new = list({one.sha256: one for one in photographs}.values())
            new = [one for one in new if one.sha256 not in classes]
            if not new:
                raise EdgeclfError(f"{label}: all of these photographs were taught before")
            spec = with_lesson(known, label, new, one_view=one_view)
            before, missing = self.classifier.spec, 0
            self.classifier.renew(spec)  # it answers while the disk is still busy
            try:
                if source != self.out and taught is not None:
                    pairs = [(name, digest) for digest, name, _ in taught.photographs]
                    missing = copy_photographs(photographs_folder(source), self.folder, pairs)
                for one in new:
                    keep_photograph(self.folder, label, one)
                write_bytes(self.out, renewed_bytes(data, spec))
            except BaseException:
                self.classifier.renew(before)
                raise
            return missing

    def undo(self) -> Lesson:
        """Take back the last lesson, and lay its photographs aside.

        Raises:
            EdgeclfError: there was none.
        """
        with locked_folder(self.out.parent, wait=True):
            _, data, known = self._read()
            if known.spec.taught is None:
                raise EdgeclfError(f"{self.out}: it was taught nothing; there is nothing to undo")
            lesson = known.spec.taught.lessons[-1]
            spec = without_last_lesson(known)
            write_bytes(self.out, renewed_bytes(data, spec))
            self.classifier.renew(spec)
            move_photographs(
                self.folder, lesson.label, lesson.photographs, target=undone_folder(self.out)
            )
            return lesson

    def _read(self) -> tuple[Path, bytes, Knowledge]:
        """Return the file that is taught on, its bytes, and what it knows now."""
        source = self.out if self.out.exists() else self.classifier.path
        data, spec = read_model(source)
        if spec.flatbuffer_sha256 != self.classifier.spec.flatbuffer_sha256:
            raise EdgeclfError(f"{source}: it has become another model; start again")
        return source, data, replace(self.classifier.knowledge, spec=spec)
