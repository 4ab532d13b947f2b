"""What data_check.html shows: the page is one file that holds all of it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ....edge_runtime.files import write_text
from ....models.report.figures import count
from ....models.report.table import Table
from ....models.report.templates import Tile, render_page
from ....models.report.thumbnails import Thumbnails
from ..checking import DataCheck
from ..likeness.near_duplicates import Pair
from .findings import findings, leak_forms, leak_text, verdict_sentence

_TEMPLATE = Path(__file__).with_name("data_check.html")
_PAIRS, _SCENES, _OF_SCENE, _OUTLIERS, _ROWS = 24, 12, 8, 24, 100

# Title and note of a section, and of each of its cards what it is about and its photographs.
_Cards = list[tuple[str, Sequence[int]]]
_Section = tuple[str, str, _Cards]


def write_page(path: Path, check: DataCheck, *, allowed: tuple[str, ...] = ()) -> None:
    """Write the page to `path`, whole or not at all; what is `allowed` need not be mended."""
    write_text(path, page(check, allowed=allowed))


def page(check: DataCheck, *, allowed: tuple[str, ...] = ()) -> str:
    """Return the page as HTML that is well-formed XML too; arguments as in `write_page`."""
    sentence = verdict_sentence(check, allowed=allowed)
    sizes = {label: len(places) for label, places in check.classes().items()}
    most = max(sizes.values(), default=0) or 1
    found = [["must" if each.must else "look", each.text, each.mend] for each in findings(check)]
    corrupt = [[each.path, each.reason] for each in check.corrupt]
    return render_page(
        _TEMPLATE,
        title=f"Data: {check.data}: {sentence}",
        folder=check.data,
        verdict=sentence[:1].upper() + sentence[1:],
        tiles=_tiles(check),
        findings=_table(["", "what", "mend"], found),
        classes=[(label, size, f"{size / most:.1%}") for label, size in sizes.items()],
        corrupt=_table(["file", "reason"], corrupt),
        **_photographs(check),
        **_masks(check),
    )


def _tiles(check: DataCheck) -> list[Tile]:
    members = check.members()
    across = len(check.copies_across_classes) + len(check.near_across_classes)
    return [
        (f"{len(check.photographs):,}", "images", count(len(check.classes()), "class", "classes")),
        (str(len(check.corrupt)), "corrupt", "files that cannot be read"),
        (
            str(len(check.copies) + len(check.near_duplicates)),
            "duplicates",
            f"{across} across classes",
        ),
        (
            f"{len(set(check.scenes)):,}" if check.scene_pairs is not None else "—",
            "scenes",
            f"{len(members)} of several images, {max(map(len, members), default=1)} at most",
        ),
    ]


def _photographs(check: DataCheck) -> dict[str, Any]:
    thumbnails = Thumbnails(Path(check.data))

    def card(about: str, places: Iterable[int]) -> dict[str, Any]:
        paths = [check.photographs[place].path for place in places]
        pictures = [{"path": path, "data": thumbnails[path]} for path in paths]
        return {"about": about, "pictures": pictures}

    members = check.members()
    return {
        "duplicates": [
            {
                "title": title,
                "note": note + _shown_of(len(cards), _PAIRS),
                "cards": [card(about, places) for about, places in cards[:_PAIRS]],
            }
            for title, note, cards in (*_duplicates(check), *_leaks(check))
        ],
        "scenes": [
            card(count(len(places), "image"), places[:_OF_SCENE]) for places in members[:_SCENES]
        ],
        "scenes_shown": _shown_of(len(members), _SCENES),
        "random_leak": f"{check.random_leak():.0%}" if members else "",
        "outliers": [
            card(
                f"{each.measure} {each.value:.4g}, median {each.median:.4g}, "
                f"z {each.score:+.1f}".replace("-", "−"),
                [each.photograph],
            )
            for each in check.outliers[:_OUTLIERS]
        ],
    }


def _duplicates(check: DataCheck) -> Iterator[_Section]:
    crossing, copies = set(check.near_across_classes), set(check.copies_across_classes)
    cards: _Cards = [("same file", places[:2]) for places in copies]
    cards += map(_of_pair, _varied(check, check.near_across_classes))
    if cards:
        yield "The same under two classes", "One of the labels may be wrong.", cards
    cards = [
        (f"{len(places)} × the same file", places[:2])
        for places in check.copies
        if places not in copies
    ]
    cards += [
        _of_pair(pair) for pair in _varied(check, check.near_duplicates) if pair not in crossing
    ]
    if cards:
        note = "Within a class they only repeat what is known; on both sides of a split they leak."
        yield "Duplicates", note, cards


def _leaks(check: DataCheck) -> Iterator[_Section]:
    scene_of_train = {
        check.scenes[place]: place
        for place, each in enumerate(check.photographs)
        if each.split == "train"
    }
    for leak in check.leaks:
        cards: _Cards = [
            (f"{leak.split} and train", (place, scene_of_train[check.scenes[place]]))
            for place in leak.same_scene
        ]
        if cards:
            note = f"{leak_text(leak)}; {leak_forms(leak)}. Figures on them flatter."
            yield f"Leaks into {leak.split}", note, cards


def _masks(check: DataCheck) -> dict[str, Any]:
    masks = check.masks
    if not masks:
        return {"masks": None}
    rows = [
        [path, what]
        for what, paths in (
            ("cannot be read", masks.unreadable),
            ("no image", masks.without_image),
            ("no mask", masks.without_mask),
            ("other shape than the image", masks.other_size),
            ("marks nothing", masks.empty),
        )
        for path in paths
    ]
    return {
        "masks": _table(["file", "what"], rows),
        "masks_found": f"{count(masks.masks, 'mask')} in {masks.folder}",
    }


def _of_pair(pair: Pair) -> tuple[str, Sequence[int]]:
    return f"similarity {pair.match.whole:.2f}", (pair.first, pair.second)


def _varied(check: DataCheck, pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs in turn, one of each scene, then the next of each."""
    turns: dict[int, int] = {}
    order: list[tuple[int, int]] = []
    for pair in pairs:
        scene = check.scenes[pair.first]
        turns[scene] = turns.get(scene, 0) + 1
        order.append((turns[scene], len(order)))
    return [pairs[place] for _, place in sorted(order)]


def _shown_of(number: int, shown: int) -> str:
    return f" {shown} of {number} are shown." if number > shown else ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    more = len(rows) - _ROWS
    note = f"… {more} more; --json has all." if more > 0 else ""
    return Table("", header, rows[:_ROWS], note)
