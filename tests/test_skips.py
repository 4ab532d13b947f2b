"""CI's rule for skipped tests, in a pytest of its own, and the packages that `.ci/run` installs."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prerequisites import PREREQUISITES

TESTS = Path(__file__).resolve().parent

Pytest = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_pytest(tmp_path: Path) -> Pytest:
    """Run pytest on one file with this code, on two workers if asked to."""

    def run(code: str, *, ci: bool, workers: int = 0) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_it.py").write_text(code)
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "skips", "-p", "no:cacheprovider"]
        command += [f"-n{workers}"] if workers else []
        env = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
        env |= {"CI": "true" if ci else "", "PYTHONPATH": str(TESTS), "COLUMNS": "80"}
        return subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )

    return run


def a_test(body: str) -> str:
    return f"import pytest\nimport skips\n\n\ndef test_it():\n    {body}\n"


WITHOUT_CHROMIUM = a_test("skips.skip_without('chromium')")
BARE = a_test("pytest.skip('not today')")
MARKED = a_test("pass").replace("def ", "@pytest.mark.skip(reason='marked')\ndef ")
WHOLE_FILE = "import pytest\npytest.importorskip('no_such_module')\n" + a_test("pass")
IN_A_FIXTURE = """
import pytest
import skips


@pytest.fixture
def broker():
    skips.skip_without("mosquitto", "none here")


def test_it(broker):
    pass
"""


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("code", [WITHOUT_CHROMIUM, BARE, MARKED, WHOLE_FILE, IN_A_FIXTURE])
def test_a_skipped_test_is_a_failure_in_ci_alone(
    run_pytest: Pytest, code: str, workers: int
) -> None:
    at_home = run_pytest(code, ci=False, workers=workers)
    assert "1 skipped" in at_home.stdout
    assert at_home.returncode in {0, pytest.ExitCode.NO_TESTS_COLLECTED}
    in_ci = run_pytest(code, ci=True, workers=workers)
    assert "skipped, which is a failure with CI=true: " in in_ci.stdout
    assert in_ci.returncode not in {0, pytest.ExitCode.NO_TESTS_COLLECTED}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", ["shared/", "emulation", "Linux", "mount"])
def test_what_stands_in_the_list_may_be_skipped(
    run_pytest: Pytest, name: str, workers: int
) -> None:
    done = run_pytest(a_test(f"skips.skip_without({name!r}, 'as it is')"), ci=True, workers=workers)
    assert done.returncode == 0, done.stdout
    missing = PREREQUISITES[name]
    assert f"{name} is missing: 1 test of {missing.covers} was skipped; " in done.stdout
    assert f" (allowed in CI: {missing.allowed})" in done.stdout


def test_the_list_is_short() -> None:
    allowed = {name for name, each in PREREQUISITES.items() if each.allowed}
    assert allowed == {"shared/", "emulation", "Linux", "mount"}


def test_an_expected_failure_is_no_skip(run_pytest: Pytest) -> None:
    done = run_pytest(a_test("pytest.xfail('known')"), ci=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("workers", [0, 2])
def test_the_run_ends_with_a_line_for_each_missing_program(
    run_pytest: Pytest, workers: int
) -> None:
    code = (
        "import pytest\nimport skips\n\n"
        "@pytest.mark.parametrize('number', range(3))\ndef test_page(number):\n"
        "    skips.skip_without('chromium')\n\n"
        "def test_broker():\n    skips.skip_without('mosquitto')\n\n"
        "def test_other():\n    pytest.skip('not today')\n"
    )
    lines = run_pytest(code, ci=False, workers=workers).stdout.splitlines()
    assert (
        "chromium is missing: 3 tests of web pages in a real browser were skipped; "
        "apt-get install chromium"
    ) in lines
    assert (
        "mosquitto is missing: 1 test of MQTT against a real broker was skipped; "
        "apt-get install mosquitto"
    ) in lines
    assert "1 test was skipped: not today" in lines


def test_a_run_that_skips_nothing_says_nothing(run_pytest: Pytest) -> None:
    done = run_pytest(a_test("pass"), ci=True)
    assert done.returncode == 0
    assert "skipped" not in done.stdout


def test_no_reason_is_the_beginning_of_another() -> None:
    reasons = [each.reason for each in PREREQUISITES.values()]
    for reason in reasons:
        assert [other for other in reasons if other.startswith(reason)] == [reason]


def listed_packages(path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, TESTS / "prerequisites.py"],
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
        every = [package for package in every if package not in each.packages]
        assert listed_packages(tmp_path) == every
    assert every == []
