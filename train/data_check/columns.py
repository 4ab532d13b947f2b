"""CSV files that say something of each image: its group, its split."""

import csv
from pathlib import Path

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.text import csv_text

_MORE = "\0"  # what DictReader shall call the cells beyond the columns


def read_column(csv_path: Path, column: str) -> dict[str, str]:
    """Return the value of `column` for each path, in a CSV file with the columns path and `column`.

    Raises:
        EdgeclfError: the file cannot be read, or lacks one of the columns.
    """
    try:
        with csv_path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file, restkey=_MORE)
            rows = list(reader)
            columns = reader.fieldnames or ()
    except (OSError, csv.Error) as error:
        raise EdgeclfError(f"{csv_path}: cannot be read ({error}); give a CSV file") from None
    if not rows or not {"path", column} <= set(columns):
        given = ", ".join(columns) or "none"
        raise EdgeclfError(f"{csv_path}: expected the columns path, {column}; got {given}")
    found: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        if _MORE in row or None in row.values():
            raise EdgeclfError(
                f"{csv_path}: row {line} has not the {len(columns)} columns of the first; mend it"
            )
        # `csv_cell` has marked what a spreadsheet would take for a formula.
        path, value = csv_text(row["path"]).replace("\\", "/"), csv_text(row[column])
        if found.setdefault(path, value) != value:
            raise EdgeclfError(
                f"{csv_path}: row {line} gives {path} the {column} {value!r}, and an earlier one "
                f"{found[path]!r}; remove one of them"
            )
    return found


def column_of(csv_path: Path, column: str, paths: list[str]) -> list[str]:
    """Return the value of `column` for each of `paths`, empty where the file does not name it.

    Raises:
        EdgeclfError: as `read_column`, or the file names none of the paths.
    """
    value_of = read_column(csv_path, column)
    values = [value_of.get(path, "") for path in paths]
    if paths and not any(values):
        raise EdgeclfError(
            f"{csv_path}: names none of the images; its paths must be relative to the data folder, "
            f"like {paths[0]}"
        )
    return values
