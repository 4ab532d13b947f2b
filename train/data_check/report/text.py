"""The check of a data folder for the terminal."""

from collections.abc import Iterator, Sequence

from ....edge_runtime.command_line.table import format_table
from ....models.report.figures import count
from ..checking import DataCheck
from ..likeness.near_duplicates import Pair
from .findings import Finding, findings, leak_forms, verdict_sentence

_MOST = 8  # lines of a section


def check_text(check: DataCheck, *, allowed: tuple[str, ...] = ()) -> str:
    """Return the verdict, then a section for each thing that was looked at."""
    sentence = f"{check.data}: {verdict_sentence(check, allowed=allowed)}"
    return "\n\n".join([sentence, *_sections(check)])


def _sections(check: DataCheck) -> Iterator[str]:
    found = findings(check)
    yield _balance(check)
    for title, kind, lines in (
        ("Corrupt files", "corrupt", [f"{each.path}: {each.reason}" for each in check.corrupt]),
        ("Labels that contradict each other", "labels", _contradictions(check)),
        ("Leaks", "leaks", _leaks(check)),
        ("Groups", "groups", _groups(check)),
        ("Scenes", "scenes", _scenes(check)),
        ("Masks", "masks", _masks(check)),
        ("Balance", "balance", []),
        ("Other files", "ignored", []),
    ):
        about = [each for each in found if each.kind == kind]
        if about or lines:
            yield "\n".join([title, *_finding_lines(about), *_first(lines)])
    if check.copies or check.near_duplicates:
        yield "\n".join(["Duplicates", *_first(_duplicates(check))])
    if check.outliers:
        yield f"Outliers within their class\n{_outliers(check)}"


def _finding_lines(found: Sequence[Finding]) -> list[str]:
    return [f"  {'! ' if each.must else ''}{each.text}\n    -> {each.mend}" for each in found]


def _first(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _MOST
    return [f"  {line}" for line in lines[:_MOST]] + ([f"  … {more} more"] if more > 0 else [])


def _balance(check: DataCheck) -> str:
    rows = [
        [label, str(len(places)), f"{len(places) / max(1, len(check.photographs)):.1%}"]
        for label, places in check.classes().items()
    ]
    return format_table(["class", "images", "share"], rows)


def _pair(check: DataCheck, pair: Pair) -> str:
    one, other = (check.photographs[place].path for place in (pair.first, pair.second))
    return f"{one} = {other} ({pair.match.whole:.2f})"


def _contradictions(check: DataCheck) -> list[str]:
    copies = [
        " = ".join(check.photographs[place].path for place in places)
        for places in check.copies_across_classes
    ]
    return copies + [_pair(check, pair) for pair in check.near_across_classes]


def _duplicates(check: DataCheck) -> list[str]:
    text = [
        f"{count(len(check.copies), 'set')} of identical files, "
        f"{count(len(check.near_duplicates), 'pair')} of near-duplicates"
    ]
    text += [" = ".join(check.photographs[i].path for i in places) for places in check.copies]
    return text + [_pair(check, pair) for pair in check.near_duplicates]


def _leaks(check: DataCheck) -> list[str]:
    leaks = [leak for leak in check.leaks if leak.same_scene]
    paths = [check.photographs[place].path for leak in leaks for place in leak.same_scene]
    return [leak_forms(leak) for leak in leaks] + paths


def _groups(check: DataCheck) -> list[str]:
    if not check.groups:
        return []
    text = (
        f"agreement with the scenes that were found: {check.groups.agreement:.3f} (adjusted Rand "
        "index: 1 the same, 0 chance; groups of several scenes lower it and do no harm)"
    )
    parted = [
        " | ".join(check.photographs[place].path for place in pair) for pair in check.groups.parted
    ]
    return [text, *parted]


def _scenes(check: DataCheck) -> list[str]:
    return [
        f"{count(len(places), 'image')}: "
        + ", ".join(check.photographs[place].path for place in places[:3])
        + (", …" if len(places) > 3 else "")
        for places in check.members()
    ]


def _masks(check: DataCheck) -> list[str]:
    masks = check.masks
    if not masks:
        return []
    parts = {
        "cannot be read": masks.unreadable,
        "no image": masks.without_image,
        "no mask": masks.without_mask,
        "other shape": masks.other_size,
        "marks nothing": masks.empty,
    }
    lines = [f"{path}: {what}" for what, paths in parts.items() for path in paths]
    return [f"{count(masks.masks, 'mask')} in {masks.folder}", *lines]


def _outliers(check: DataCheck) -> str:
    rows = [
        [
            check.photographs[each.photograph].path,
            each.measure,
            f"{each.value:.4g}",
            f"{each.median:.4g}",
            f"{each.score:+.1f}",
        ]
        for each in check.outliers[:_MOST]
    ]
    table = format_table(["image", "measure", "value", "median", "robust z"], rows)
    more = len(check.outliers) - _MOST
    return table + (f"\n… {more} more" if more > 0 else "")
