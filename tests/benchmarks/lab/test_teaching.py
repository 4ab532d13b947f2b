"""The measurement of taught classes, on the tiny run's surfaces."""

from pathlib import Path

from click.testing import CliRunner

from edgeclf.benchmarks.lab.teaching import main


def test_what_taught_classes_reach(tiny_models: Path, surfaces: Path) -> None:
    model = str(tiny_models / "int8.tflite")
    options = ["--data", str(surfaces), "--seeds", "1", "--draws", "1"]
    done = CliRunner().invoke(main, [model, *options], catch_exceptions=False)
    assert done.exit_code == 0
    rows = [line.rsplit(maxsplit=7) for line in done.stdout.splitlines() if "nearest" in line]
    rows += [line.rsplit(maxsplit=7) for line in done.stdout.splitlines() if "shipped" in line]
    heads = {"shipped", "nearest by Mahalanobis", "nearest mean"}
    assert {(row[0].strip(), int(row[1])) for row in rows} == {
        (head, count) for head in heads for count in (1, 2, 5, 10)
    }
    for _, _, accuracy, share, least, before, after, new in rows:
        assert all(0 <= float(one) <= 1 for one in (accuracy, before, after, new))
        assert 0 <= float(least) <= float(share)
