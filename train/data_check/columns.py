"""CSV files that say something of each image: its group, its split."""

import csv
from pathlib import Path

from ...edge_runtime.errors import EdgeclfError


def read_column(csv_path: Path, column: str) -> dict[str, str]:
    """Return the value of `column` for each path, in a CSV file with the columns path and `column`.

    Raises:
        EdgeclfError: the file cannot be read, or lacks one of the columns.
    """
    try:
        with csv_path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EdgeclfError(f"{csv_path}: cannot be read ({error}); give a CSV file") from None
    if not rows or not {"path", column} <= set(rows[0]):
        columns = ", ".join(rows[0]) if rows else "none"
        raise EdgeclfError(f"{csv_path}: expected the columns path, {column}; got {columns}")
    return {row["path"].replace("\\", "/"): row[column] or "" for row in rows}


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
