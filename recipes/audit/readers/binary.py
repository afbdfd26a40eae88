"""What the audit knows about one native binary, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Machine = Literal["x64", "arm64", "arm64ec", "x86", "arm", "other"]


@dataclass(frozen=True, kw_only=True)
class Import:
    """A library that a binary needs: its file name, what it takes from it (names or ordinals), and whether late."""

    library: str
    symbols: tuple[str | int, ...] = ()
    delayed: bool = False


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A number read out of machine code: the value, how it was read, and the lowest the code falls back to.

    `value` is None when nothing certain was found; `how` then says why.
    """

    value: int | None
    how: str
    lowest: int | None = None


@dataclass(frozen=True, kw_only=True)
class Binary:
    """A PE or ELF file of a wheel.

    `exports` maps names to ordinals (0 in ELF). `runtime` is the linker's version, (14, 40), in PE. `needs` are the
    symbol versions that an ELF requires, "GLIBC_2.28", `suppliers` (library, version) from which library; `defines` are
    those that it defines itself, `c23` the functions of glibc 2.38 that it takes. `commit` is the one that the binary
    says it was built from. The four readings are of ONNX Runtime's API (compiled in,
    offered) and of the D3D12 Agility SDK (asked for, carried). `problem` says why the file could not be read.
    """

    path: str
    format: Literal["pe", "elf"]
    machine: Machine = "other"
    imports: tuple[Import, ...] = ()
    exports: Mapping[str, int] = field(default_factory=dict)
    rpaths: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    suppliers: tuple[tuple[str, str], ...] = ()
    defines: tuple[str, ...] = ()
    c23: tuple[str, ...] = ()
    commit: str = ""
    runtime: tuple[int, int] | None = None
    debug_path: str = ""
    version: str = ""
    api_compiled: Reading | None = None
    api_offered: Reading | None = None
    agility_asked: Reading | None = None
    agility_carried: int | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        """The file name without its folder."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The folder inside the wheel, "" for its root."""
        return self.path.rpartition("/")[0]

    def imported_from(self, library: str) -> Import | None:
        """Return the import of a library, by file name without regard to case."""
        return next((i for i in self.imports if i.library.lower() == library.lower()), None)
