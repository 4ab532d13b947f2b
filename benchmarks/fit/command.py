"""`edgeclf fit`: the best classifier within a latency budget."""

from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from ...edge_runtime.command_line.option_types import SEED, FiniteRange
from ...edge_runtime.errors import EdgeclfError, Interrupted
from ...edge_runtime.files import check_folder, write_text
from ...models.networks.architectures import Architecture
from ...train.command import train
from .candidates import (
    architecture_options,
    budget_option,
    check_epochs,
    make_candidates,
    option_default,
)

_PATH = click.Path(path_type=Path)
_PAGE_NAME = "fit.html"


@click.command(context_settings={"show_default": True})
@click.argument("data", type=_PATH)
@click.option(
    "--budget",
    "budget_ms",
    required=True,
    callback=budget_option,
    metavar="LATENCY",
    help="Latency that an inference may take, with a unit: 20ms, 0.02s or 1500us.",
)
@click.option("--out", required=True, type=_PATH, help="Folder for trainings, models and report.")
@click.option(
    "--on",
    metavar="USER@HOST",
    help="Device with edgeclf to measure latency on, over SSH. [default: this machine]",
)
@click.option(
    "--arch",
    "architectures",
    multiple=True,
    callback=architecture_options,
    metavar="NAME[=WEIGHTS]",
    help="Architecture to try, and weights to start from: imagenet, none, or a FILE; repeatable. "
    "[default: all that have ImageNet weights]",
)
@click.option(
    "--input-size",
    "sizes",
    multiple=True,
    type=click.IntRange(16, 1024),
    help="Input height and width to try, in pixels; repeatable. "
    "[default: the architecture's, and three smaller ones]",
)
@click.option(
    "--keep",
    "shares",
    multiple=True,
    type=FiniteRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Share of the multiply-accumulates to which a network that is too slow may be slimmed; "
    "repeatable: the largest within the budget is trained. [default: none]",
)
@click.option(
    "--groups",
    type=_PATH,
    help="CSV file with columns path, group; images of a group stay on one side of the split.",
)
@click.option(
    "--hours",
    default=1.0,
    type=FiniteRange(0, min_open=True),
    help="Time for the search; each rung trains a candidate in any case.",
)
@click.option(
    "--epochs",
    default=option_default(train, "epochs"),
    type=click.IntRange(min=0),
    help="Epochs of the whole network in the last rung, and of a slim one at most; 0 trains heads "
    "alone.",
)
@click.option("--seed", default=0, type=SEED, help="Seed of every training.")
def fit(
    data: Path,
    budget_ms: float,
    out: Path,
    on: str | None,
    architectures: tuple[tuple[Architecture, str], ...],
    sizes: tuple[int, ...],
    shares: tuple[float, ...],
    groups: Path | None,
    hours: float,
    epochs: int,
    seed: int,
) -> None:
    """Find the best classifier for DATA within a latency budget.

    Networks and input sizes are timed as int8 files before any is trained, on this machine or on a
    device. Those within the budget are trained by successive halving. OUT/fit.html shows accuracy
    against latency. The same command goes on after an interruption.

    \b
    edgeclf fit photographs --budget 20ms --on pi@raspberrypi.local --out fit
    """
    if find_spec("tensorflow") is None:  # its processes would need it later
        raise ModuleNotFoundError(name="tensorflow")
    from ...models.data.class_folders import scan_labelled_folder
    from ...models.run import MODEL_NAME
    from ...train.data.dataset import check_apart, check_labels, read_groups
    from .place import local_place, remote_place
    from .results import Search, read_known
    from .search import Limits, Searcher

    page = import_module(".report.page", __package__)  # refuses a report without Jinja2
    terminal = import_module(".report.terminal", __package__)
    candidates = make_candidates(architectures, sizes, shares)
    for candidate in candidates:
        check_epochs(candidate, epochs)
    check_folder(out)
    if (out / MODEL_NAME).exists():
        raise EdgeclfError(f"{out}: holds a run of `edgeclf train`; choose another --out")
    check_apart(data, out)
    images = scan_labelled_folder(data).images
    labels = tuple(sorted({image.label for image in images}))
    check_labels(data, labels)
    names = [image.path.relative_to(data).as_posix() for image in images]
    read_groups(groups, names)
    digest = sha256(b"" if groups is None else groups.read_bytes())
    for image, name in zip(images, names, strict=True):
        line = f"{name} {image.path.stat().st_size}\n"
        digest.update(line.encode(errors="surrogateescape"))
    search = Search(
        data=str(data),
        groups=None if groups is None else str(groups),
        images=digest.hexdigest(),
        on=on,
        epochs=epochs,
        seed=seed,
    )
    known = read_known(out, search)
    limits = Limits(budget_ms, hours * 3600)
    place = remote_place(on, label=labels[0]) if on else local_place(label=labels[0])
    try:
        with place as measure:
            found = Searcher(
                candidates,
                known,
                search=search,
                limits=limits,
                out=out,
                labels=labels,
                measure=measure,
            ).run()
    except KeyboardInterrupt:
        raise Interrupted(f"the same command goes on from {out}") from None
    write_text(out / _PAGE_NAME, page.fit_page(found))
    click.echo(terminal.fit_table(found))
    click.echo(terminal.summary(found, out))
    click.echo(f"{out / _PAGE_NAME}: accuracy against latency")
    if found.recommended is None:
        raise EdgeclfError(
            f"no finished file takes {budget_ms:g} ms or less; give a larger --budget, and the "
            "same command goes on"
        )
