"""Latency on this machine, and on a device behind a stand-in of `ssh` that runs commands here."""

import os
import sys
from pathlib import Path

import pytest

from edgeclf.benchmarks.fit.place import local_place, remote_place
from edgeclf.edge_runtime.errors import EdgeclfError

# Takes what `ssh` takes, writes it down, and runs the command in a shell without our PATH.
SSH = """#!/bin/sh
echo "$@" >> "{log}"
for last; do :; done
PATH="{path}" HOME="{home}" exec sh -c "$last"
"""
EDGECLF = """#!/bin/sh
exec "{python}" -m edgeclf "$@"
"""


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a device that has edgeclf where docs/device/raspberry-pi.md puts it."""
    home = tmp_path / "home"
    path = "/usr/local/bin:/usr/bin:/bin"
    script(tmp_path / "bin/ssh", SSH.format(log=tmp_path / "ssh.log", path=path, home=home))
    script(home / "edgeclf/bin/edgeclf", EDGECLF.format(python=sys.executable))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return home


@pytest.mark.usefixtures("device")
def test_the_device_measures_and_is_left_as_it_was(tiny_models: Path, tmp_path: Path) -> None:
    with remote_place("pi@pi", label="good") as measure:
        found = measure(tiny_models / "int8.tflite")
    assert found.queries >= 60
    assert found.p50_ms.interval.low <= found.p50_ms.value <= found.p50_ms.interval.high
    assert found.threads >= 1
    asked = (tmp_path / "ssh.log").read_text()
    assert all("BatchMode=yes" in line for line in asked.splitlines())
    assert "pi@pi" in asked
    assert not list(tmp_path.glob("tmp.*"))


@pytest.mark.usefixtures("device")
def test_a_class_may_have_any_name(tiny_models: Path, tmp_path: Path) -> None:
    refused = r"it's; a \$\(class\).* is none of the model's 4"
    with (
        remote_place("pi@pi", label="it's; a $(class)") as measure,
        pytest.raises(EdgeclfError, match=refused),
    ):
        measure(tiny_models / "int8.tflite")
    assert not list(tmp_path.glob("tmp.*"))


def test_this_machine_measures(tiny_models: Path) -> None:
    with local_place(label="oil") as measure:
        assert measure(tiny_models / "int8.tflite").p50_ms.value > 0
        with pytest.raises(EdgeclfError, match=r"cannot be measured \(.*none\.tflite"):
            measure(tiny_models / "none.tflite")


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("echo 'ssh: connect to pi: timed out' >&2; exit 255", "cannot be reached .*timed out"),
        ("exit 127", "has no `edgeclf` on its PATH"),
        ("echo 'cannot create directory' >&2; exit 1", "pi@pi: cannot create directory"),
        ("echo Welcome", "prints nothing else"),
        ("echo /tmp/a b", "prints nothing else"),
    ],
)
@pytest.mark.usefixtures("device")
def test_a_device_that_does_not_serve_is_one_line(
    tmp_path: Path, behaviour: str, reason: str
) -> None:
    script(tmp_path / "bin/ssh", f"#!/bin/sh\n{behaviour}\n")
    with pytest.raises(EdgeclfError, match=reason), remote_place("pi@pi", label="good"):
        pass


@pytest.mark.parametrize("address", ["-oProxyCommand=x", "pi@", "a b", "", "pi@-x", "$(x)", "a;b"])
def test_what_is_no_address_never_reaches_ssh(address: str) -> None:
    with (
        pytest.raises(EdgeclfError, match="expected user@host"),
        remote_place(address, label="good"),
    ):
        pass


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("address", ["pi@pi.local", "line-3", "root@10.0.0.7", "p@[::1]"])
def test_usual_addresses_are_asked(tmp_path: Path, address: str) -> None:
    with remote_place(address, label="good"):
        pass
    asked = (tmp_path / "ssh.log").read_text()
    assert f" {address} " in asked
