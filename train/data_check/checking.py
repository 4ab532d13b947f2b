"""The check of a data folder: what was found, and what of it must be mended."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import click

from ...edge_runtime.errors import EdgeclfError
from ...models.data.class_folders import SPLITS, scan_labelled_folder
from .columns import column_of
from .likeness.landmarks import find_overlaps, likely_pairs
from .likeness.near_duplicates import Pair, find_near_duplicates
from .likeness.scenes import adjusted_rand_index, components, find_scene_pairs
from .masks import Masks, check_masks
from .outliers import Outlier, find_outliers
from .reading import Corrupt, Photograph, Reading, read_folder

# What `edgeclf train` takes for training by default.
_TRAIN_SHARE = 0.65


@dataclass(frozen=True)
class Leak:
    """Photographs of val or test that training has seen in some form.

    Attributes:
        split: `val` or `test`.
        images: number of its photographs.
        copies: its photographs of which train holds the same file.
        near_duplicates: its photographs of which train holds a near-duplicate, and no copy.
        same_scene: all its photographs whose scene is in train, those above included.
    """

    split: str
    images: int
    copies: tuple[int, ...]
    near_duplicates: tuple[int, ...]
    same_scene: tuple[int, ...]


@dataclass(frozen=True)
class GivenGroups:
    """What the groups of a CSV file are worth.

    Attributes:
        file: that holds them.
        ungrouped: photographs that it does not name.
        parted: pairs of copies or near-duplicates that stand in different groups.
        agreement: adjusted Rand index with the scenes that were found, 1 if they are the same.
    """

    file: str
    ungrouped: tuple[int, ...]
    parted: tuple[tuple[int, int], ...]
    agreement: float


@dataclass(frozen=True)
class DataCheck:
    """What a data folder holds. Numbers of photographs are places in `photographs`.

    Attributes:
        data: the folder.
        photographs: all that can be read.
        corrupt: all that cannot.
        ignored: the files that training does not see, by reason.
        copies: sets of identical files.
        near_duplicates: pairs that differ by compression, size or light alone; no copies.
        scene_pairs: pairs that show the same scene; None if they were not looked for.
        scenes: a number for each photograph, the same for those that must not be parted: copies,
            near-duplicates, the same scene, the same given group.
        outliers: the furthest first.
        leaks: of val and test, where a split is known.
        groups: what was given with --groups.
        masks: what was given with --masks.
    """

    data: str
    photographs: tuple[Photograph, ...]
    corrupt: tuple[Corrupt, ...]
    ignored: dict[str, int]
    copies: tuple[tuple[int, ...], ...]
    near_duplicates: tuple[Pair, ...]
    scene_pairs: tuple[Pair, ...] | None
    scenes: tuple[int, ...]
    outliers: tuple[Outlier, ...]
    leaks: tuple[Leak, ...]
    groups: GivenGroups | None
    masks: Masks | None

    @property
    def copies_across_classes(self) -> tuple[tuple[int, ...], ...]:
        """The sets of identical files that bear several labels."""
        return tuple(
            copies
            for copies in self.copies
            if len({self.photographs[place].label for place in copies}) > 1
        )

    @property
    def near_across_classes(self) -> tuple[Pair, ...]:
        """The near-duplicates that bear two labels."""
        return tuple(
            pair
            for pair in self.near_duplicates
            if self.photographs[pair.first].label != self.photographs[pair.second].label
        )

    def classes(self) -> dict[str, list[int]]:
        """Return the places of each class's photographs, the classes in order."""
        places: dict[str, list[int]] = {}
        for label in sorted(
            {each.label for each in self.photographs} | {each.label for each in self.corrupt}
        ):
            places[label] = [i for i, each in enumerate(self.photographs) if each.label == label]
        return places

    def members(self) -> list[list[int]]:
        """Return the photographs of each scene that has several, the largest first."""
        found: dict[int, list[int]] = defaultdict(list)
        for place, scene in enumerate(self.scenes):
            found[scene].append(place)
        several = [places for places in found.values() if len(places) > 1]
        return sorted(several, key=lambda places: -len(places))

    def random_leak(self) -> float:
        """Return the share of test images whose scene a split without groups puts in train too.

        Expected where each photograph goes to train with a chance of 0.65, as by default.
        """
        apart = sum(
            len(places) * (1 - (1 - _TRAIN_SHARE) ** (len(places) - 1)) for places in self.members()
        )
        return apart / len(self.photographs) if self.photographs else 0.0


def check_data(
    data: Path,
    *,
    groups: Path | None = None,
    masks: Path | None = None,
    split: Path | None = None,
    scenes: bool = True,
) -> DataCheck:
    """Look through the folder `data`, with progress bars on the terminal.

    Args:
        data: a folder of images per class, or of train, val and test.
        groups: a CSV file with the columns path, group.
        masks: a folder of masks with the same names as the images.
        split: a CSV file with the columns path, split; else that of the folders holds.
        scenes: whether to look for the same scenes, which takes longest.

    Raises:
        EdgeclfError: a folder or file cannot serve.
    """
    found_in_folder = scan_labelled_folder(data)
    images = found_in_folder.images
    paths = [image.path.relative_to(data).as_posix() for image in images]
    splits = _read_splits(split, paths) if split else [each.split or "" for each in images]
    group_names = column_of(groups, "group", paths) if groups else []
    with click.progressbar(length=len(images), label="Reading images") as bar:
        reading = read_folder(data, images, splits, scenes=scenes, advance=bar.update)

    photographs = reading.photographs
    copies = _copies(photographs)
    same_file = {frozenset(pair) for pair in _links(copies)}
    near = tuple(
        pair
        for pair in find_near_duplicates(reading.hashes, reading.squares)
        if photographs[pair.first].sha256 != photographs[pair.second].sha256
    )
    alike = [*_links(copies), *((pair.first, pair.second) for pair in near)]
    scene_pairs = _scene_pairs(reading, alike) if scenes else None
    links = [*alike, *((pair.first, pair.second) for pair in scene_pairs or ())]
    found = components(len(photographs), links)
    given = None
    if groups:
        name_of = dict(zip(paths, group_names, strict=True))
        names = [name_of[photograph.path] for photograph in photographs]
        given = _given_groups(groups, names, alike, found)
        chains = [pair for places in _places(names) for pair in pairwise(places)]
        found = components(len(photographs), [*links, *chains])
    return DataCheck(
        data=str(data),
        photographs=photographs,
        corrupt=reading.corrupt,
        ignored=found_in_folder.skipped,
        copies=copies,
        near_duplicates=near,
        scene_pairs=scene_pairs,
        scenes=tuple(found),
        outliers=find_outliers(photographs),
        leaks=tuple(_leaks(photographs, same_file, alike, found)),
        groups=given,
        masks=check_masks(masks, photographs, reading.corrupt) if masks else None,
    )


def _read_splits(file: Path, paths: list[str]) -> list[str]:
    splits = column_of(file, "split", paths)
    wrong = sorted(set(splits) - {*SPLITS, ""})
    if wrong:
        raise EdgeclfError(
            f"{file}: expected the splits {', '.join(SPLITS)}, got {wrong[0]!r}; rename it"
        )
    return splits


def _scene_pairs(reading: Reading, alike: Sequence[tuple[int, int]]) -> tuple[Pair, ...]:
    number = len(reading.photographs)
    with click.progressbar(length=number, label="Comparing scenes") as bar:
        shifted = find_scene_pairs(reading.hashes, reading.pictures, advance=bar.update)
    known = components(number, [*alike, *((pair.first, pair.second) for pair in shifted)])
    likely = likely_pairs(reading.landmarks, known)
    with click.progressbar(length=len(likely), label="Looking for crops") as bar:
        return shifted + find_overlaps(reading.landmarks, likely, advance=bar.update)


def _places(names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Return the places of each name that stands there several times; the empty one is none."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        if name:
            places[name].append(place)
    return tuple(tuple(found) for found in places.values() if len(found) > 1)


def _copies(photographs: Sequence[Photograph]) -> tuple[tuple[int, ...], ...]:
    return _places([photograph.sha256 for photograph in photographs])


def _links(sets: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Return all pairs within each set."""
    return [pair for places in sets for pair in combinations(places, 2)]


def _given_groups(
    file: Path, names: Sequence[str], alike: Sequence[tuple[int, int]], found: Sequence[int]
) -> GivenGroups:
    # A photograph without a group is a group of one.
    groups = [name or f"\0{place}" for place, name in enumerate(names)]
    return GivenGroups(
        file=str(file),
        ungrouped=tuple(place for place, name in enumerate(names) if not name),
        parted=tuple(pair for pair in alike if groups[pair[0]] != groups[pair[1]]),
        agreement=adjusted_rand_index(groups, found),
    )


def _leaks(
    photographs: Sequence[Photograph],
    same_file: set[frozenset[int]],
    alike: Sequence[tuple[int, int]],
    scenes: Sequence[int],
) -> Iterator[Leak]:
    train = {place for place, each in enumerate(photographs) if each.split == "train"}
    trained_scenes = {scenes[place] for place in train}
    for split in SPLITS[1:]:
        places = [place for place, each in enumerate(photographs) if each.split == split]
        if not places or not train:
            continue
        copied: set[int] = set()
        near: set[int] = set()
        for one, other in alike:
            for held_out, trained in ((one, other), (other, one)):
                if trained in train and photographs[held_out].split == split:
                    pair = frozenset((held_out, trained))
                    (copied if pair in same_file else near).add(held_out)
        yield Leak(
            split=split,
            images=len(places),
            copies=tuple(sorted(copied)),
            near_duplicates=tuple(sorted(near - copied)),
            same_scene=tuple(place for place in places if scenes[place] in trained_scenes),
        )
