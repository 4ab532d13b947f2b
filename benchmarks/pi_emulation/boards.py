"""The boards that are emulated, as their processors and kernels describe them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Guest:
    """An architecture for which Debian, and so Raspberry Pi OS, is built.

    Attributes:
        debian: its name there.
        machine: its name in `uname -m`.
        qemu: the program that emulates it.
    """

    debian: str
    machine: str
    qemu: str


ARM64 = Guest("arm64", "aarch64", "qemu-aarch64")
ARMHF = Guest("armhf", "armv7l", "qemu-arm")

_ARMV7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm"
_ARMV7_NAME = "model name\t: ARMv7 Processor rev 5 (v7l)\n"
_ARMV8_0 = "fp asimd evtstrm crc32 cpuid"
_ARMV8_2 = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
    "asimddp"
)


@dataclass(frozen=True)
class Board:
    """A Raspberry Pi.

    The runtime picks its kernels by /proc/cpuinfo, so that must tell of the processor that QEMU
    emulates. QEMU's `max` is none of these: in 7.2 it miscomputes int8.

    Attributes:
        name: as the budgets call it.
        title: as people call it.
        cpu: QEMU's name of the processor.
        part: ARM's number of it.
        variant: the r of its rXpY.
        revision: the p.
        features: what the kernel finds in it.
        board_revision: the code of the board itself.
        model: its full name.
        guest: what its system is built for.
    """

    name: str
    title: str
    cpu: str
    part: int
    variant: int
    revision: int
    features: str
    board_revision: str
    model: str
    guest: Guest = ARM64

    @property
    def has_dot_product(self) -> bool:
        """Whether it multiplies four int8 pairs in an instruction, which decides int8's speed."""
        return "asimddp" in self.features.split()

    def cpuinfo(self) -> str:
        """Return its /proc/cpuinfo: four cores and the board."""
        version, name = (8, "") if self.guest == ARM64 else (7, _ARMV7_NAME)
        cores = [
            f"processor\t: {core}\n"
            f"{name}"
            "BogoMIPS\t: 108.00\n"
            f"Features\t: {self.features}\n"
            "CPU implementer\t: 0x41\n"
            f"CPU architecture: {version}\n"
            f"CPU variant\t: {self.variant:#x}\n"
            f"CPU part\t: {self.part:#x}\n"
            f"CPU revision\t: {self.revision}\n"
            for core in range(4)
        ]
        return "\n".join([*cores, f"Revision\t: {self.board_revision}\nModel\t\t: {self.model}\n"])


_PI_2 = "Raspberry Pi 2 Model B Rev 1.1"
_PI_4, _PI_5 = "Raspberry Pi 4 Model B Rev 1.1", "Raspberry Pi 5 Model B Rev 1.0"

# Those whose instructions are counted.
BOARDS = (
    Board("pi4", "Pi 4", "cortex-a72", 0xD08, 0, 3, _ARMV8_0, "c03111", _PI_4),
    Board("pi5", "Pi 5", "cortex-a76", 0xD0B, 4, 1, _ARMV8_2, "c04170", _PI_5),
)

# QEMU has no newer processor that runs 32-bit programs alone.
BOARDS_32 = (Board("pi2", "Pi 2", "cortex-a7", 0xC07, 0, 5, _ARMV7, "a01041", _PI_2, ARMHF),)
