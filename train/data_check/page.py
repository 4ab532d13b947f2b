"""The check of a data folder as a page: one file that holds all it shows."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...edge_runtime.files import write_text
from ...models.report.document import document, section, tiles
from ...models.report.figures import count
from ...models.report.markup import Markup, join, tag
from ...models.report.table import Table, draw_table
from ...models.report.thumbnails import Thumbnails
from .checking import DataCheck
from .findings import Finding, findings, leak_forms, leak_text
from .near_duplicates import Pair
from .text import verdict

_PAIRS, _SCENES, _OF_SCENE, _OUTLIERS, _ROWS = 24, 12, 8, 24, 100


def write_page(path: Path, check: DataCheck, *, allowed: tuple[str, ...] = ()) -> None:
    """Write the page to `path`, whole or not at all; what is `allowed` need not be mended."""
    write_text(path, page(check, allowed=allowed))


def page(check: DataCheck, *, allowed: tuple[str, ...] = ()) -> str:
    """Return the page as HTML that is well-formed XML too; arguments as in `write_page`."""
    thumbnails = Thumbnails(Path(check.data))
    text = verdict(check, allowed=allowed)
    return document(
        f"Data: {text}",
        _header(check, text),
        tag("main", *_sections(check, thumbnails)),
        tag(
            "footer",
            "Similarity is the correlation of details over all shifts, 1 at most. Robust z is the "
            "distance from the class’s median in units of 1.4826 median deviations.",
        ),
    )


def _header(check: DataCheck, text: str) -> Markup:
    members = check.members()
    figures = [
        (f"{len(check.photographs):,}", "images", count(len(check.classes()), "class", "classes")),
        (str(len(check.corrupt)), "corrupt", "files that cannot be read"),
        (
            str(len(check.copies) + len(check.near_duplicates)),
            "duplicates",
            f"{len(check.copies_across_classes) + len(check.near_across_classes)} across classes",
        ),
        (
            f"{len(set(check.scenes)):,}" if check.scene_pairs is not None else "—",
            "scenes",
            f"{len(members)} of several images, {max(map(len, members), default=1)} at most",
        ),
    ]
    return tag(
        "header",
        tag("p", f"edgeclf data check · {check.data}", class_="meta"),
        tag("h1", _sentence(text)),
        tiles(figures),
    )


def _sections(check: DataCheck, thumbnails: Thumbnails) -> Iterator[Markup]:
    found = findings(check)
    if found:
        yield section("What to do", _table("", ["", "what", "mend"], _finding_rows(found)))
    yield section("Classes", _balance(check))
    if check.corrupt:
        rows = [[each.path, each.reason] for each in check.corrupt]
        yield section("Corrupt files", _table("", ["file", "reason"], rows))
    yield from _duplicates(check, thumbnails)
    yield from _leaks(check, thumbnails)
    yield from _scenes(check, thumbnails)
    if check.outliers:
        yield section(
            "Outliers",
            _outliers(check, thumbnails),
            note="Unlike the others of their class in size, aspect, brightness or contrast.",
        )
    yield from _masks(check)


def _sentence(text: str) -> str:
    """Return a verdict without its folder, and with a capital."""
    sentence = text.partition(": ")[2]
    return sentence[:1].upper() + sentence[1:]


def _finding_rows(found: Sequence[Finding]) -> list[list[str]]:
    return [["must" if each.must else "look", each.text, each.mend] for each in found]


def _balance(check: DataCheck) -> Markup:
    sizes = {label: len(places) for label, places in check.classes().items()}
    most = max(sizes.values(), default=0) or 1
    rows = [
        tag(
            "tr",
            tag("th", label, scope="row"),
            tag("td", str(size), class_="figure"),
            tag("td", tag("div", style=f"width:{size / most:.1%}"), class_="share"),
        )
        for label, size in sizes.items()
    ]
    return tag("table", tag("tbody", *rows), class_="balance")


def _duplicates(check: DataCheck, thumbnails: Thumbnails) -> Iterator[Markup]:
    crossing, copies = set(check.near_across_classes), set(check.copies_across_classes)
    if crossing or copies:
        cards = [_cards(check, thumbnails, places[:2], "same file") for places in copies]
        cards += [
            _pair(check, thumbnails, pair) for pair in _varied(check, check.near_across_classes)
        ]
        yield section(
            "The same under two classes",
            _gallery(cards),
            note="One of the labels may be wrong." + _of(len(cards), _PAIRS),
        )
    cards = [
        _cards(check, thumbnails, places[:2], f"{len(places)} × the same file")
        for places in check.copies
        if places not in copies
    ]
    cards += [
        _pair(check, thumbnails, pair)
        for pair in _varied(check, check.near_duplicates)
        if pair not in crossing
    ]
    if cards:
        note = "Within a class they only repeat what is known; on both sides of a split they leak."
        yield section("Duplicates", _gallery(cards), note=note + _of(len(cards), _PAIRS))


def _leaks(check: DataCheck, thumbnails: Thumbnails) -> Iterator[Markup]:
    for leak in check.leaks:
        if not leak.same_scene:
            continue
        scene_of_train = {
            check.scenes[place]: place
            for place, each in enumerate(check.photographs)
            if each.split == "train"
        }
        cards = [
            _cards(
                check,
                thumbnails,
                (place, scene_of_train[check.scenes[place]]),
                f"{leak.split} and train",
            )
            for place in leak.same_scene
        ]
        note = f"{leak_text(leak)}; {leak_forms(leak)}. Figures on them flatter."
        yield section(
            f"Leaks into {leak.split}", _gallery(cards), note=note + _of(len(cards), _PAIRS)
        )


def _scenes(check: DataCheck, thumbnails: Thumbnails) -> Iterator[Markup]:
    members = check.members()
    if not members:
        return
    rows = [
        tag(
            "li",
            tag("p", count(len(places), "image"), class_="kind"),
            tag("div", *(_picture(check, thumbnails, place) for place in places[:_OF_SCENE])),
        )
        for places in members[:_SCENES]
    ]
    note = "Photographs that a split must not part"
    note += f": without groups, a random one shows training {check.random_leak():.0%} of the scenes"
    note += f" that it tests on.{_of(len(members), _SCENES)}"
    yield section("Scenes", tag("ul", *rows, class_="strips"), note=note)


def _outliers(check: DataCheck, thumbnails: Thumbnails) -> Markup:
    cards = []
    for outlier in check.outliers[:_OUTLIERS]:
        text = f"{outlier.measure} {outlier.value:.4g}, median {outlier.median:.4g}"
        cards.append(
            tag(
                "li",
                _picture(check, thumbnails, outlier.photograph),
                tag("p", f"{text}, z {outlier.score:+.1f}".replace("-", "−"), class_="kind"),
                tag("p", check.photographs[outlier.photograph].path, class_="path"),
            )
        )
    return tag("ul", join(cards), class_="gallery")


def _masks(check: DataCheck) -> Iterator[Markup]:
    masks = check.masks
    if not masks:
        return
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
    note = f"{count(masks.masks, 'mask')} in {masks.folder}" + (
        "." if rows else "; each has its image, and each image its mask."
    )
    yield section("Masks", _table("", ["file", "what"], rows) if rows else None, note=note)


def _pair(check: DataCheck, thumbnails: Thumbnails, pair: Pair) -> Markup:
    text = f"similarity {pair.match.whole:.2f}"
    return _cards(check, thumbnails, (pair.first, pair.second), text)


def _varied(check: DataCheck, pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs in turn, one of each scene, then the next of each."""
    turns: dict[int, int] = {}
    order: list[tuple[int, int]] = []
    for pair in pairs:
        scene = check.scenes[pair.first]
        turns[scene] = turns.get(scene, 0) + 1
        order.append((turns[scene], len(order)))
    return [pairs[place] for _, place in sorted(order)]


def _cards(check: DataCheck, thumbnails: Thumbnails, places: Sequence[int], about: str) -> Markup:
    """Return photographs side by side over their names."""
    return tag(
        "li",
        tag("div", *(_picture(check, thumbnails, place) for place in places)),
        tag("p", about, class_="kind"),
        *(tag("p", check.photographs[place].path, class_="path") for place in places),
    )


def _picture(check: DataCheck, thumbnails: Thumbnails, place: int) -> Markup:
    path = check.photographs[place].path
    picture = thumbnails[path]
    if picture is None:
        return tag("div", f"{path} cannot be read", class_="missing")
    return tag("img", src=picture, alt=path, title=path, loading="lazy")


def _gallery(cards: Sequence[Markup]) -> Markup:
    return tag("ul", join(cards[:_PAIRS]), class_="pairs")


def _of(number: int, shown: int) -> str:
    return f" {shown} of {number} are shown." if number > shown else ""


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    more = len(rows) - _ROWS
    note = f"… {more} more; --json has all." if more > 0 else ""
    return draw_table(Table(title, header, rows[:_ROWS], note))
