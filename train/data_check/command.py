"""`edgeclf data check`: what is wrong with a data set, before it is trained on."""

import csv
import io
from importlib import import_module
from pathlib import Path

import click

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import check_file, write_bytes, write_json
from ...edge_runtime.text import csv_cell, printable_lines
from ...models.run import SPLIT_NAME
from .checking import DataCheck, check_data
from .report.findings import MUST, findings, to_json, verdict
from .report.text import check_text

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def data() -> None:
    """Look into a data set before it is trained on."""


@data.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--groups",
    type=_FILE,
    metavar="CSV",
    help="CSV file with columns path, group, to check for duplicates in different groups.",
)
@click.option(
    "--masks",
    type=_FOLDER,
    help="Folder of masks, named as the images, to check for masks without an image.",
)
@click.option("--run", "run_folder", type=_FOLDER, help="Run whose split is checked for leaks.")
@click.option(
    "--split",
    "split_file",
    type=_FILE,
    metavar="CSV",
    help="CSV file with columns path, split, to check for leaks.",
)
@click.option(
    "--scenes/--no-scenes", default=True, help="Search for photographs of the same scene."
)
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(MUST),
    help="Finding that is known and accepted, so that the exit code stays 0; repeatable.",
)
@click.option(
    "--json", "json_file", type=_FILE, metavar="FILE", help="JSON file to write the findings to."
)
@click.option(
    "--report",
    "report_file",
    type=_FILE,
    metavar="FILE",
    help="HTML file to write the findings to, with pictures.",
)
@click.option(
    "--propose-groups",
    "groups_file",
    type=_FILE,
    metavar="FILE",
    help="CSV file to write the scenes to, for `edgeclf train --groups`.",
)
@click.pass_context
def check(
    ctx: click.Context,
    data: Path,
    groups: Path | None,
    masks: Path | None,
    run_folder: Path | None,
    split_file: Path | None,
    scenes: bool,
    allow: tuple[str, ...],
    json_file: Path | None,
    report_file: Path | None,
    groups_file: Path | None,
) -> None:
    """Find what spoils a training on DATA, or its figures.

    Corrupt files, duplicates and near-duplicates, the same under two classes, on both sides of a
    split or of groups; photographs of the same scene; classes, sizes and light that are unlike the
    others; masks without images. The exit code is 1 if something must be mended.

    \b
    edgeclf data check photographs/ --report check.html
    edgeclf data check photographs/ --propose-groups groups.csv
    edgeclf data check photographs/ --run RUN --masks photographs-masks/
    """
    if run_folder and split_file:
        raise EdgeclfError("--run and --split both give a split; give one of them")
    if groups_file and not scenes:
        raise EdgeclfError("--propose-groups needs the scenes; leave out --no-scenes")
    if report_file:
        import_module(".report.page", __package__)  # refuses a report without Jinja2
    for file in (json_file, report_file, groups_file):
        if file:
            check_file(file)
    split = run_folder / SPLIT_NAME if run_folder else split_file
    result = check_data(data, groups=groups, masks=masks, split=split, scenes=scenes)
    click.echo(printable_lines(check_text(result, allowed=allow)))
    if json_file:
        write_json(json_file, to_json(result, allowed=allow))
    if report_file:
        from .report.page import write_page

        write_page(report_file, result, allowed=allow)
    if groups_file:
        write_bytes(groups_file, _groups_csv(result).encode(errors="surrogateescape"))
    if verdict(findings(result), allowed=allow) == "to_mend":
        ctx.exit(1)


def _groups_csv(result: DataCheck) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "group"])
    for photograph, scene in zip(result.photographs, result.scenes, strict=True):
        writer.writerow([csv_cell(photograph.path), f"scene{scene}"])
    return text.getvalue()
