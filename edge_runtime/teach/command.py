"""`edgeclf teach`: a class more, from a few photographs, without TensorFlow."""

from pathlib import Path

import click

from ..classifier import Classifier
from ..command_line.warning import echo_warning
from ..errors import EdgeclfError
from ..images import ImageError
from ..sources import find_files, is_video
from ..text import printable
from .class_names import checked_class
from .left_out import leave_out
from .photographs import Photograph, read_photograph, undone_folder
from .teaching import Teaching


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("images", metavar="[IMAGES]...", nargs=-1)
@click.option(
    "--class", "name", metavar="NAME", help="Class that IMAGES show, an old or a new one."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="NEW.tflite",
    help="File to write. [default: MODEL, if taught before]",
)
@click.option("--undo", is_flag=True, help="Take back the last lesson of MODEL.")
def teach(
    model: Path, images: tuple[str, ...], name: str | None, out: Path | None, undo: bool
) -> None:
    """Teach a .tflite MODEL of `edgeclf convert` a class from photographs, on the device.

    IMAGES are files, folders and globs. The network stays as it is; NEW.tflite knows the class,
    too. Its photographs are kept in the folder NEW.photos, for `edgeclf train`.

    \b
    edgeclf teach int8.tflite --class dust dust/*.jpg --out line3.tflite
    edgeclf teach line3.tflite --class lint lint/        # adds to line3.tflite
    edgeclf teach line3.tflite --undo
    """
    _check_options(images, name, out, undo=undo)
    classifier = Classifier(model)
    is_taught = classifier.spec.taught is not None
    teaching = Teaching(classifier, model if undo else _written(model, out, is_taught=is_taught))
    if undo:
        lesson = teaching.undo()
        count = _photographs(len(lesson.photographs))
        click.echo(f"taken back: {count} of {lesson.label}, of {lesson.taught_at}")
        click.echo(printable(f"{undone_folder(teaching.out)}: where they are now"))
        _describe(teaching, classifier)
        return
    label = checked_class(name or "", classifier.spec.labels)
    photographs, damaged, videos = _read(classifier, images)
    before = _count(classifier)
    missing = teaching.teach(label, photographs)
    if missing:
        echo_warning(f"{missing} photographs of earlier lessons are missing beside {model}")
    new = _count(classifier) - before
    skipped = _skipped(damaged, videos)
    remark = f"; skipped: {skipped}" if skipped else ""
    twice = len(photographs) - len({one.sha256 for one in photographs})
    remark += f"; given twice: {twice}" if twice else ""
    again = len(photographs) - twice - new
    remark += f"; taught before: {again}" if again else ""
    click.echo(printable(f"taught: {_photographs(new)} of {label}{remark}"))
    _describe(teaching, classifier)
    if damaged:
        given = len(photographs) + damaged
        raise EdgeclfError(
            f"{damaged} of {given} photographs could not be read; the others were taught"
        )


def _describe(teaching: Teaching, classifier: Classifier) -> None:
    """Say what the file knows now, and how well it knows what it was taught."""
    spec = classifier.spec
    for one in leave_out(spec):
        click.echo(printable(f"  {one}"))
    taught = "nothing" if spec.taught is None else ", ".join(spec.taught.labels)
    own = len(spec.network_labels)
    click.echo(printable(f"{teaching.out}: {own} classes of the network; taught: {taught}"))
    if spec.taught is not None:
        click.echo(printable(f"{teaching.folder}: the photographs"))


def _check_options(
    images: tuple[str, ...], name: str | None, out: Path | None, *, undo: bool
) -> None:
    if undo and (images or name is not None or out is not None):
        raise EdgeclfError("--undo takes back a lesson; give it without --class, --out and images")
    if not undo and name is None:
        raise EdgeclfError("what do the images show? give --class NAME, or --undo")
    if not undo and not images:
        raise EdgeclfError("no image to teach; give photographs, a folder or a glob")


def _written(model: Path, out: Path | None, *, is_taught: bool) -> Path:
    """Return the file that is written."""
    if out is None or out == model:
        if is_taught:
            return model
        raise EdgeclfError(
            f"{model}: as it was converted, it stays as it is; give --out NEW.tflite"
        )
    if out.exists():
        raise EdgeclfError(
            f"{out}: exists; teach it with `edgeclf teach {out} …`, or choose another"
        )
    return out


def _read(classifier: Classifier, images: tuple[str, ...]) -> tuple[list[Photograph], int, int]:
    """Return the photographs, how many more cannot be read, and how many files are videos."""
    photographs: list[Photograph] = []
    damaged = videos = 0
    for path in find_files(images, warn=echo_warning):
        if is_video(path):
            videos += 1
            continue
        try:
            photographs.append(read_photograph(classifier, _bytes(path), name=str(path)))
        except ImageError as error:
            damaged += 1
            echo_warning(str(error))
    if not photographs:
        raise EdgeclfError(
            f"no photograph that can be taught ({_skipped(damaged, videos)}); nothing was changed"
        )
    return photographs, damaged, videos


def _skipped(damaged: int, videos: int) -> str:
    """Return what was skipped, in words."""
    found = [f"{damaged} not readable"] if damaged else []
    found += [f"{videos} video{'s' if videos > 1 else ''}"] if videos else []
    return ", ".join(found)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EdgeclfError(f"{path}: cannot be read ({error.strerror}); leave it out") from None


def _count(classifier: Classifier) -> int:
    taught = classifier.spec.taught
    return 0 if taught is None else len(taught.photographs)


def _photographs(count: int) -> str:
    return f"{count} photograph{'' if count == 1 else 's'}"
