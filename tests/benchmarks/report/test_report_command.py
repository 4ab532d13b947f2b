"""The commands that write the report of a benchmark."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from benchmark_page import headline_of, parsed, text_of
from click.testing import Result

from edgeclf.benchmarks.report.markdown import markdown
from edgeclf.benchmarks.report.page import page
from edgeclf.benchmarks.results.schema import Benchmark, write_benchmark

Cli = Callable[..., Result]


def test_the_command_reports_a_kept_result(cli: Cli, benchmark: Benchmark, tmp_path: Path) -> None:
    result_file, html, text = (tmp_path / name for name in ("b.json", "out/b.html", "out/b.md"))
    write_benchmark(result_file, benchmark)
    done = cli("benchmark", "report", result_file, "--report", html, "--markdown", text)
    assert done.output.split() == [str(html), str(text)]
    assert html.read_text("utf-8") == page(benchmark)
    assert text.read_text("utf-8") == markdown(benchmark)


def test_the_command_says_what_is_wrong(cli: Cli, benchmark: Benchmark, tmp_path: Path) -> None:
    result_file = tmp_path / "b.json"
    write_benchmark(result_file, benchmark)
    done = cli("benchmark", "report", result_file, code=1)
    assert "nothing to write; add --report FILE.html" in done.output
    done = cli("benchmark", "report", tmp_path / "no.json", "--report", tmp_path / "b.html", code=1)
    assert "no.json: no such file" in done.output
    done = cli("benchmark", "report", result_file, "--report", result_file / "b.html", code=1)
    assert "cannot be a folder for files" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


def test_a_measurement_writes_its_report(cli: Cli, tiny_models: Path, surfaces: Path,
                                         tmp_path: Path) -> None:  # fmt: skip
    files = [tiny_models / "float32.tflite", tiny_models / "int8.tflite"]
    options = ["--queries", 10, "--rounds", 2, "--threads", 1]
    outputs = ["--report", tmp_path / "b.html", "--markdown", tmp_path / "b.md"]
    cli("benchmark", *files, "--data", surfaces, *options, *outputs)
    root = parsed((tmp_path / "b.html").read_text("utf-8"))
    assert headline_of(root).startswith(("Ship int8", "Nothing passes"))
    missing = [text_of(e) for e in root.iter("div") if e.get("class") == "missing"]
    assert missing == []
    assert "## Latency" in (tmp_path / "b.md").read_text("utf-8")


def test_a_report_needs_no_tensorflow(
    fresh_python: Callable[..., CompletedProcess[str]], benchmark: Benchmark, tmp_path: Path
) -> None:
    write_benchmark(tmp_path / "b.json", benchmark)
    code = """
import sys
for name in ("tensorflow", "keras", "tf_keras", "h5py", "matplotlib", "ai_edge_litert"):
    sys.modules[name] = None
from edgeclf.cli import main
main()
"""
    html = tmp_path / "b.html"
    done = fresh_python(code, "benchmark", "report", tmp_path / "b.json", "--report", html)
    assert done.stderr == ""
    assert html.exists()
