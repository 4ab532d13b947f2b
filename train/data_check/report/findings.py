"""What must be mended in a data folder, and what is worth a look; as words and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .... import __version__
from ....models.report.figures import count
from ..checking import DataCheck, Leak
from ..likeness.near_duplicates import Pair

SCHEMA = 1

Kind = Literal["corrupt", "labels", "leaks", "groups", "masks", "scenes", "balance", "ignored"]
# What spoils a training or its figures; the exit code is 1. The rest is worth a look.
MUST: tuple[Kind, ...] = ("corrupt", "labels", "leaks", "groups")
# That of the worst finding.
Verdict = Literal["to_mend", "to_look_at", "fine"]

_UNEVEN = 10  # times as many photographs as the rarest class
_FEW = 20  # of a class: fewer leave a test split with next to none


@dataclass(frozen=True)
class Finding:
    """Something to be mended or looked at.

    Attributes:
        kind: what it concerns.
        count: number of files, pairs or classes.
        text: what it is.
        mend: what to do.
    """

    kind: Kind
    count: int
    text: str
    mend: str

    @property
    def must(self) -> bool:
        """Whether it spoils a training or its figures."""
        return self.kind in MUST


def findings(check: DataCheck) -> tuple[Finding, ...]:
    """Return all findings, those that must be mended first."""
    return (*_must(check), *_worth_a_look(check))


def verdict(found: Sequence[Finding], *, allowed: Sequence[str] = ()) -> Verdict:
    """Return the verdict on the findings `found`; of kinds that are `allowed`, none must be
    mended."""
    if any(each.must and each.kind not in allowed for each in found):
        return "to_mend"
    return "to_look_at" if found else "fine"


def verdict_sentence(check: DataCheck, *, allowed: Sequence[str] = ()) -> str:
    """Return the verdict and what it stands on; the terminal and the page both begin with it."""
    found = findings(check)
    images = count(len(check.photographs) + len(check.corrupt), "image")
    state = verdict(found, allowed=allowed)
    if state == "fine":
        left_out = "" if check.scene_pairs is not None else "; scenes were not searched for"
        return f"fine: nothing to mend or to look at in {images}{left_out}"
    if state == "to_mend":
        found = tuple(each for each in found if each.must and each.kind not in allowed)
    reasons = [f"{each.text}{' (allowed)' if each.kind in allowed else ''}" for each in found]
    return f"{state.replace('_', ' ')} in {images}: {'; '.join(reasons)}"


def _must(check: DataCheck) -> Iterator[Finding]:
    if check.corrupt:
        text = f"{count(len(check.corrupt), 'file')} cannot be read"
        yield Finding("corrupt", len(check.corrupt), text, "replace or remove them")
    copies, near = check.copies_across_classes, check.near_across_classes
    if copies:
        text = f"{count(len(copies), 'file')} under several classes"
        yield Finding("labels", len(copies), text, "keep each under the class that is right")
    if near:
        text = f"{count(len(near), 'near-duplicate pair')} across classes"
        mend = "look at both: one label may be wrong; if both are right, give --allow labels"
        yield Finding("labels", len(near), text, mend)
    for leak in check.leaks:
        if leak.same_scene:
            yield Finding("leaks", len(leak.same_scene), leak_text(leak), _split_mend(check))
    given = check.groups
    if given and given.parted:
        text = f"{count(len(given.parted), 'pair')} of duplicates in different groups"
        mend = "give them one group, or take --propose-groups FILE.csv, which joins both"
        yield Finding("groups", len(given.parted), text, mend)


def leak_text(leak: Leak) -> str:
    """Return how many images of a split training has seen in some form."""
    share = len(leak.same_scene) / leak.images
    text = f"{len(leak.same_scene)} of {leak.images} {leak.split} images ({share:.0%})"
    return f"{text} show what train shows"


def leak_forms(leak: Leak) -> str:
    """Return in what form training has seen them."""
    rest = len(leak.same_scene) - len(leak.copies) - len(leak.near_duplicates)
    parts = [
        count(len(leak.copies), "copy", "copies") if leak.copies else "",
        count(len(leak.near_duplicates), "near-duplicate") if leak.near_duplicates else "",
        f"{rest} of the same scene" if rest else "",
    ]
    return f"{leak.split}: {', '.join(part for part in parts if part)}"


def _split_mend(check: DataCheck) -> str:
    train = "edgeclf train --groups FILE.csv"
    if all(each.split and each.path.startswith(f"{each.split}/") for each in check.photographs):
        return f"put the classes into one folder, --propose-groups FILE.csv, then {train}"
    return f"--propose-groups FILE.csv, then {train}"


def _worth_a_look(check: DataCheck) -> Iterator[Finding]:
    members = check.members()
    split_known = any(leak.images for leak in check.leaks)
    if members and not check.groups and not split_known:
        text = (
            f"{count(sum(map(len, members)), 'image')} in {count(len(members), 'scene')} of several"
            f": a random split would show training {check.random_leak():.0%} of what it tests on"
        )
        yield Finding("scenes", len(members), text, _split_mend(check))
    if check.groups and check.groups.ungrouped:
        text = f"{count(len(check.groups.ungrouped), 'image')} without a group"
        yield Finding("scenes", len(check.groups.ungrouped), text, "each will stand alone")
    masks = check.masks
    if masks:
        for paths, what, mend in (
            (masks.unreadable, "that cannot be read", "replace them"),
            (masks.without_image, "without an image", "rename or remove them"),
            (masks.other_size, "of another shape than the image", "make them anew"),
            (masks.empty, "that mark nothing", "draw or remove them"),
        ):
            if paths:
                text = f"{count(len(paths), 'mask')} {what}"
                yield Finding("masks", len(paths), text, mend)
        if masks.without_mask:
            text = f"{count(len(masks.without_mask), 'image')} without a mask in classes with masks"
            yield Finding("masks", len(masks.without_mask), text, "draw them, if they are wanted")
    sizes = {label: len(places) for label, places in check.classes().items()}
    few = [label for label, size in sizes.items() if size < _FEW]
    if few:
        text = f"fewer than {_FEW} images of {', '.join(few)}"
        yield Finding("balance", len(few), text, "photograph more of them")
    most, least = max(sizes, key=sizes.__getitem__), min(sizes, key=sizes.__getitem__)
    if sizes[most] >= _UNEVEN * max(1, sizes[least]):
        text = f"{sizes[most]} images of {most}, {sizes[least]} of {least}"
        mend = "look at macro-F1 and recall, not at accuracy; train --class-weights weighs them"
        yield Finding("balance", 1, text, mend)
    if check.ignored:
        kinds = ", ".join(f"{number} {suffix}" for suffix, number in check.ignored.items())
        text = f"{count(sum(check.ignored.values()), 'file')} that training does not see: {kinds}"
        yield Finding("ignored", sum(check.ignored.values()), text, "convert them, if photographs")


def to_json(check: DataCheck, *, allowed: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the check as a JSON object of schema 1, which docs/train/data.md describes."""
    photographs = check.photographs

    def paths(places: tuple[int, ...] | list[int]) -> list[str]:
        return [photographs[place].path for place in places]

    def pair(one: Pair) -> dict[str, Any]:
        ends = photographs[one.first], photographs[one.second]
        return {
            "paths": [each.path for each in ends],
            "labels": [each.label for each in ends],
            "splits": [each.split for each in ends],
            "similarity": round(one.match.whole, 3),
            "elsewhere": round(one.match.elsewhere, 3),
        }

    found = findings(check)
    groups, masks = check.groups, check.masks
    corrupt = dict.fromkeys(check.classes(), 0)
    for each in check.corrupt:
        corrupt[each.label] += 1
    return {
        "schema": SCHEMA,
        "edgeclf_version": __version__,
        "data": check.data,
        "verdict": (state := verdict(found, allowed=allowed)),
        "passed": state != "to_mend",
        "allowed": list(allowed),
        "findings": [asdict(each) | {"must": each.must} for each in found],
        "classes": {
            label: {"images": len(places), "corrupt": corrupt[label]}
            for label, places in check.classes().items()
        },
        "corrupt": [asdict(each) for each in check.corrupt],
        "ignored": check.ignored,
        "copies": [
            {"paths": paths(places), "labels": sorted({photographs[i].label for i in places})}
            for places in check.copies
        ],
        "near_duplicates": [pair(each) for each in check.near_duplicates],
        "scenes_compared": check.scene_pairs is not None,
        "scenes": [paths(places) for places in check.members()],
        "random_split_leak": round(check.random_leak(), 4),
        "leaks": [
            {
                "split": leak.split,
                "images": leak.images,
                "copies": paths(leak.copies),
                "near_duplicates": paths(leak.near_duplicates),
                "same_scene": paths(leak.same_scene),
            }
            for leak in check.leaks
        ],
        "groups": groups
        and {
            "file": groups.file,
            "ungrouped": paths(groups.ungrouped),
            "parted": [paths(places) for places in groups.parted],
            "adjusted_rand_index": round(groups.agreement, 4),
        },
        "outliers": [
            {
                "path": photographs[each.photograph].path,
                "label": photographs[each.photograph].label,
                "measure": each.measure,
                "value": round(each.value, 3),
                "median": round(each.median, 3),
                "score": round(each.score, 2),
            }
            for each in check.outliers
        ],
        "masks": masks and asdict(masks),
    }
