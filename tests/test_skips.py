"""CI's rule for skipped tests, in a pytest of its own, and the packages that `.ci/run` installs."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from prerequisites import PREREQUISITES

SUPPORT = Path(__file__).resolve().parent / "support"
ALLOWED = ("shared/", "Ray", "emulation", "Linux", "mount")
REFUSED_CODE = """
import pytest
import skips


@pytest.mark.parametrize("number", range(3))
def test_page(number):
    skips.skip_without("chromium")


@pytest.fixture
def broker():
    skips.skip_without("mosquitto", "none here")


def test_broker(broker):
    pass


def test_bare():
    pytest.skip("not today")


@pytest.mark.skip(reason="not any day")
def test_marked():
    pass
"""
REFUSED = {
    "test_it.py::test_page[0]",
    "test_it.py::test_page[1]",
    "test_it.py::test_page[2]",
    "test_it.py::test_broker",
    "test_it.py::test_bare",
    "test_it.py::test_marked",
}
WHOLE_FILE_CODE = "import pytest\npytest.importorskip('no_such_module')\n"
ALLOWED_CODE = f"""
import pytest
import skips


@pytest.mark.parametrize("name", {ALLOWED})
def test_allowed(name):
    skips.skip_without(name, "as it is")


def test_expected_failure():
    pytest.xfail("known")


def test_passes():
    pass
"""

Done = subprocess.CompletedProcess[str]
Pytest = Callable[..., Done]
both_ways = pytest.mark.parametrize("workers", [0, 2])


@pytest.fixture(scope="module")
def run_pytest(tmp_path_factory: pytest.TempPathFactory) -> Pytest:
    """Run pytest on a file of this code, on so many workers; once for the same arguments."""

    @cache
    def run(code: str, *, ci: bool, workers: int) -> Done:
        folder = tmp_path_factory.mktemp("skips")
        (folder / "test_it.py").write_text(code)
        (folder / "pytest.ini").write_text("[pytest]\n")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "skips",
            "-p",
            "xdist",
            f"-n{workers}",
        ]
        env = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
        env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(SUPPORT), "COLUMNS": "200"}
        env |= {"CI": "true" if ci else ""}
        return subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, check=False
        )

    return run


def failed(done: Done) -> set[str]:
    return set(re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE))


@both_ways
def test_a_skipped_test_is_a_failure_in_ci(run_pytest: Pytest, workers: int) -> None:
    done = run_pytest(REFUSED_CODE, ci=True, workers=workers)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert failed(done) == REFUSED
    for name, detail in (("chromium", ""), ("mosquitto", " (none here)")):
        reason = f"with CI=true: needs {name}: apt-get install {name}{detail}\n"
        assert f"skipped, which is a failure {reason}" in done.stdout
    assert " skipped" not in done.stdout.splitlines()[-1]


@both_ways
def test_elsewhere_a_line_names_each_program_that_is_missing(
    run_pytest: Pytest, workers: int
) -> None:
    done = run_pytest(REFUSED_CODE, ci=False, workers=workers)
    assert done.returncode == 0
    assert failed(done) == set()
    lines = done.stdout.splitlines()
    assert lines[-1].startswith(f"{len(REFUSED)} skipped")
    first = next(number for number, line in enumerate(lines) if " is missing: " in line)
    assert sorted(lines[first : first + 4]) == [
        "1 test was skipped: not any day",
        "1 test was skipped: not today",
        "chromium is missing: 3 tests of web pages in a real browser were skipped; "
        "apt-get install chromium",
        "mosquitto is missing: 1 test of MQTT against a real broker was skipped; "
        "apt-get install mosquitto",
    ]


@both_ways
def test_a_file_that_is_skipped_as_a_whole_is_a_failure_too(
    run_pytest: Pytest, workers: int
) -> None:
    done = run_pytest(WHOLE_FILE_CODE, ci=True, workers=workers)
    assert done.returncode not in {0, pytest.ExitCode.NO_TESTS_COLLECTED}
    assert failed(done) == {"test_it.py"}
    assert "skipped, which is a failure with CI=true: could not import" in done.stdout


@both_ways
def test_what_stands_in_the_list_may_be_skipped(run_pytest: Pytest, workers: int) -> None:
    done = run_pytest(ALLOWED_CODE, ci=True, workers=workers)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 passed, 5 skipped, 1 xfailed")
    for name in ALLOWED:
        missing = PREREQUISITES[name]
        line = f"{name} is missing: 1 test of {missing.covers} was skipped; {missing.mend}"
        assert f"\n{line} (allowed in CI: {missing.allowed})\n" in done.stdout
    assert done.stdout.count(" is missing: ") == len(ALLOWED)


def test_the_list_is_short() -> None:
    assert {name for name, each in PREREQUISITES.items() if each.allowed} == set(ALLOWED)


def test_no_reason_is_the_beginning_of_another() -> None:
    reasons = [each.reason for each in PREREQUISITES.values()]
    for reason in reasons:
        assert [other for other in reasons if other.startswith(reason)] == [reason]


def listed_packages(path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-S", SUPPORT / "prerequisites.py"],
        env={"PATH": str(path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_the_packages_of_missing_programs_are_listed(tmp_path: Path) -> None:
    programs = [each for each in PREREQUISITES.values() if each.programs]
    every = [package for each in programs for package in each.packages]
    assert listed_packages(tmp_path) == every
    for each in programs:
        program = tmp_path / each.programs[-1]
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    assert listed_packages(tmp_path) == []
