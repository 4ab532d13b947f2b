"""Which images a data folder holds, of which class and split; and what is skipped."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.images import IMAGE_SUFFIXES
from ...edge_runtime.images.folders import FolderScan, scan_folder, subfolders
from ...edge_runtime.text import alike, invisible_in, printable

SPLITS = ("train", "val", "test")
_SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "tests"), "test"),
}
_BESIDE = "image beside the folders of classes"
_NO_SPLIT = "image in a folder beside the splits"


@dataclass(frozen=True)
class LabelledImage:
    """One photograph of a data folder.

    Attributes:
        path: the file.
        label: its class, which is the name of its folder.
        split: `train`, `val` or `test` where the folder layout says so, else None.
    """

    path: Path
    label: str
    split: str | None


@dataclass(frozen=True)
class LabelledFolder:
    """What a data folder holds.

    Attributes:
        images: with their classes, sorted by path.
        skipped: how many files are no part of it, by reason.
        warnings: a line on these, and on each folder that was not read.
    """

    images: tuple[LabelledImage, ...]
    skipped: dict[str, int]
    warnings: tuple[str, ...]


def scan_labelled_folder(root: Path) -> LabelledFolder:
    """List the images below `root/<class>/`, or `root/<split>/<class>/`, at any depth.

    Splits go by their usual names, in any case: train, training; val, valid, validation, dev;
    test, tests, testing.

    Raises:
        EdgeclfError: `root` is no folder, holds no class, or has a class without an image; every
            such class is named. Or folders that cannot be classes, or classes whose names people
            would mix up.
    """
    if not root.is_dir():
        raise EdgeclfError(f"{root}: no such folder; give one with a folder of images per class")
    scan = scan_folder(root)
    folders = list(subfolders(root))
    splits = _splits(folders)
    class_folders = _class_folders(folders, splits)
    if not class_folders:
        raise EdgeclfError(
            f"{root}: holds no class; put the images of each class in a folder of its name"
        )
    images, skipped = _sort(scan, root, class_folders, splits)
    for parent in splits or (root,):
        _check_are_classes(parent, [f for f in class_folders if f.parent == parent], images)
    _check_none_empty(class_folders, images)
    _check_names(root, sorted({image.label for image in images}))
    found = FolderScan((), scan.skipped | skipped, scan.unreadable, scan.loops)
    return LabelledFolder(tuple(images), found.skipped, tuple(found.warnings(root)))


def _splits(folders: Sequence[Path]) -> dict[Path, str]:
    """Return the folders that are splits: all of them, or those that hold folders beside others."""
    named = {
        folder: _SPLIT_NAMES[folder.name.casefold()]
        for folder in folders
        if folder.name.casefold() in _SPLIT_NAMES
    }
    if len(named) == len(folders):
        return named
    several = len(named) > 1 and "train" in named.values()
    return named if several and all(any(subfolders(folder)) for folder in named) else {}


def _class_folders(folders: Sequence[Path], splits: dict[Path, str]) -> list[Path]:
    return [inner for outer in splits for inner in subfolders(outer)] if splits else [*folders]


def _sort(
    scan: FolderScan, root: Path, class_folders: Sequence[Path], splits: dict[Path, str]
) -> tuple[list[LabelledImage], Counter[str]]:
    classes = set(class_folders)
    depth = len(root.parts) + (2 if splits else 1)
    images: list[LabelledImage] = []
    skipped: Counter[str] = Counter()
    for path in scan.files:
        folder = Path(*path.parts[:depth])
        if folder in classes and len(path.parts) > depth:
            images.append(LabelledImage(path, folder.name, splits.get(folder.parent)))
        else:
            outside = splits and len(path.parts) > depth - 1 and folder.parent not in splits
            skipped[_NO_SPLIT if outside else _BESIDE] += 1
    return images, skipped


def _check_are_classes(
    parent: Path, folders: Sequence[Path], images: Sequence[LabelledImage]
) -> None:
    """Refuse folders that all hold the same several folders: these are the classes."""
    inner = [{alike(each.name) for each in subfolders(folder)} for folder in folders]
    if len(folders) < 2 or len(inner[0]) < 2 or any(names != inner[0] for names in inner):
        return
    of_parent = [image.path for image in images if parent in image.path.parents]
    own = sum(path.parent in folders for path in of_parent)
    if 2 * own <= len(of_parent):
        names = ", ".join(printable(folder.name) for folder in folders[:4])
        raise EdgeclfError(
            f"{parent}: {names} all hold the folders {', '.join(sorted(inner[0])[:4])}, which look "
            "like the classes; name splits train, val and test, or put the images of each class in "
            "one folder"
        )


def _check_none_empty(class_folders: Sequence[Path], images: Sequence[LabelledImage]) -> None:
    filled = {folder for image in images for folder in image.path.parents}
    known = " ".join(sorted(IMAGE_SUFFIXES))
    empty = [
        f"{folder}: class {folder.name!r} holds no image ({known}); fill or remove it"
        for folder in class_folders
        if folder not in filled
    ]
    if empty:
        raise EdgeclfError("\n".join(empty))


def _check_names(root: Path, labels: Sequence[str]) -> None:
    """Refuse names that do not survive a list of lines, and those that look like another."""
    seen: dict[str, str] = {}
    for label in labels:
        hidden = invisible_in(label)
        if hidden is not None:
            raise EdgeclfError(
                f"{root}: class {label!r} holds a character that nobody sees ({hidden}); rename it"
            )
        if label != label.strip():  # labels.txt is a line for each, and trims them
            raise EdgeclfError(f"{root}: class {label!r} begins or ends with a space; rename it")
        other = seen.setdefault(alike(label), label)
        if other != label:
            how = "only by case" if other.lower() == label.lower() else "only in what nobody sees"
            raise EdgeclfError(
                f"{root}: classes {other!a} and {label!a} differ {how}; merge or rename one"
            )
