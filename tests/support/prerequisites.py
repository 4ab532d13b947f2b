"""What some tests need and not every machine has, in one table; `.ci/run` installs from it.

`python3 tests/support/prerequisites.py` prints the Debian packages of the missing programs. That
happens before there is an environment, so nothing but the standard library is imported.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Prerequisite:
    """A program, a right or a place that tests are skipped without.

    Attributes:
        name: what the summary calls missing.
        covers: what its tests cover, after "tests of".
        mend: what the user can do.
        programs: the names on the PATH of which one is enough.
        packages: of Debian, which bring the program.
        allowed: why CI may lack it; where this is empty, a test that is skipped without it fails.
    """

    name: str
    covers: str
    mend: str
    programs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    allowed: str = ""

    @property
    def reason(self) -> str:
        """The reason of a skip, by which the report of a test is known as one of these."""
        return f"needs {self.name}: {self.mend}"

    def find(self) -> str | None:
        """Return the path of the program, if there is one."""
        return next(filter(None, map(shutil.which, self.programs)), None)


def _program(name: str, covers: str, *packages: str, others: tuple[str, ...] = ()) -> Prerequisite:
    mend = f"apt-get install {' '.join(packages)}"
    return Prerequisite(name, covers, mend, programs=(name, *others), packages=packages)


# The names of the browser are those that `find_browser` takes.
_BROWSERS = ("chromium-browser", "google-chrome", "chrome")

_PROGRAMS = (
    _program("chromium", "web pages in a real browser", "chromium", others=_BROWSERS),
    _program("npm", "LiteRT.js and MediaPipe tasks-vision", "npm"),
    _program("mosquitto", "MQTT against a real broker", "mosquitto"),
    _program("openssl", "MQTT over TLS", "openssl"),
    _program("systemd-analyze", "the service's unit as systemd reads it", "systemd"),
    _program("git", "the limits of folders and files", "git"),
    _program("gcc", "emulated Raspberry Pis and faulty accelerators", "gcc", "libc6-dev"),
)

_NETWORK = Prerequisite(
    "network", "packages that others make", "let this machine reach the package registries"
)

_COMPILED = Prerequisite(
    "CompiledModel",
    "--runtime compiled",
    "pip install 'ai-edge-litert>=2.1.6' ml-dtypes",
)

# The short list: the only skips that CI accepts.
_ALLOWED = (
    Prerequisite(
        "shared/",
        "real photographs",
        "put the folder beside the repository",
        allowed="the photographs are not ours to publish",
    ),
    Prerequisite(
        "Ray",
        "edgeclf bulk --ray",
        "pip install 'ray[data]'",
        allowed="it is large, and one option needs it",
    ),
    Prerequisite(
        "emulation",
        "the wheel on an emulated Raspberry Pi",
        "run them on x86-64 Debian",
        allowed="the emulated system is made of Debian packages for x86-64",
    ),
    Prerequisite(
        "Linux",
        "what only Linux counts or grants",
        "run them on Linux",
        allowed="no package makes Linux of another system",
    ),
    Prerequisite(
        "mount",
        "a disk that is full",
        "run them as root, where root may mount a file system",
        allowed="a container may forbid root to mount, and no package grants it",
    ),
)

PREREQUISITES: Mapping[str, Prerequisite] = {
    each.name: each for each in (*_PROGRAMS, _NETWORK, _COMPILED, *_ALLOWED)
}


def missing_packages() -> list[str]:
    """Return the Debian packages of the programs that are not on the PATH."""
    missing = [each for each in PREREQUISITES.values() if each.programs and each.find() is None]
    return [package for each in missing for package in each.packages]


if __name__ == "__main__":
    print("\n".join(missing_packages()))
