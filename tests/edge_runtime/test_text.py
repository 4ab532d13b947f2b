"""Text of others does no harm where it is written."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest

from edgeclf.edge_runtime.command_line.table import format_table
from edgeclf.edge_runtime.text import csv_cell, csv_text, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Öl é 油", "Öl é 油"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb", r"a\rb"),
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("M\udcfcller", r"M\udcfcller"),
        ("می\u200cروم", "می\u200cروم"),
    ],
)
def test_a_terminal_gets_nothing_to_obey(text: str, expected: str) -> None:
    assert printable(text) == expected
    assert expected in format_table(["label"], [[text]])


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+49", "-1", "@SUM(A1)", "\tx", "\rx", "'quoted", "'=x", "plain", "", "a=b", "''"],
)
def test_cells_are_no_formulas_and_come_back(text: str) -> None:
    line = io.StringIO()
    csv.writer(line).writerow([csv_cell(text)])
    (cell,) = next(csv.reader(io.StringIO(line.getvalue(), newline="")))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert csv_text(cell) == text


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8:strict", "cp1252"])
def test_output_takes_what_its_encoding_lacks(encoding: str) -> None:
    program = (
        "import json\n"
        "from edgeclf.edge_runtime.text import escape_what_output_cannot_write\n"
        "escape_what_output_cannot_write()\n"
        "print(json.dumps({'x': '\\u00fc \\u6cb9 \\U0001f600 \\udcfc'}, ensure_ascii=False))\n"
        "print('\\u2500\\u2500')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    line, rule = done.stdout.decode(encoding.partition(":")[0]).splitlines()
    assert json.loads(line)["x"].encode("utf-16", "surrogatepass") == "ü 油 😀 \udcfc".encode(
        "utf-16", "surrogatepass"
    )
    assert rule in {"──", "--"}
