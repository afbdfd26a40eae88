"""Builds small Linux libraries: one loaded segment whose addresses are file offsets, a dynamic section, symbols."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

MACHINES = {"x64": 62, "arm64": 183, "x86": 3}
_HEADERS = 64 + 2 * 56
_NAME = b"\0OrtGetApiBase\0"


def build_elf(
    *,
    machine: str = "x64",
    needed: Sequence[str] = ("libc.so.6",),
    exports: Sequence[str] = (),
    runpath: str = "",
    soname: str = "",
    versions: Mapping[str, Sequence[str]] | None = None,
    defines: Sequence[str] = (),
    imports: Sequence[str] = (),
    code: Callable[[int, int], bytes] | None = None,
    table_to_code: int | None = None,
    payload: bytes = b"",
) -> bytes:
    """Return a shared library.

    `versions` maps libraries to needed symbol versions ("GLIBC_2.28"), `defines` are its own, `imports` undefined
    names. `code` gets its own address and that of a constant: the string OrtGetApiBase, or with `table_to_code` a
    pointer to the code at that offset.
    """
    body = bytearray()

    def put(data: bytes, align: int = 8) -> int:
        body.extend(bytes(-(_HEADERS + len(body)) % align))
        at = _HEADERS + len(body)
        body.extend(data)
        return at

    put(payload)
    constant = put(_NAME if table_to_code is None else bytes(16)) + (table_to_code is None)
    code_at = put(code(0, 0) if code else b"\xc3", 16)
    if code:
        raw = code(code_at, constant)
        body[code_at - _HEADERS : code_at - _HEADERS + len(raw)] = raw
    if table_to_code is not None:
        body[constant - _HEADERS : constant - _HEADERS + 8] = struct.pack("<Q", code_at + table_to_code)
    strings = _Strings()
    symbols = bytes(24) + b"".join(struct.pack("<IBBHQQ", strings(n), 0x12, 0, 1, code_at, 8) for n in exports)
    symbols += b"".join(struct.pack("<IBBHQQ", strings(n), 0x12, 0, 0, 0, 0) for n in imports)
    definitions = b"".join(
        struct.pack("<HHHHIII", 1, 0, n, 1, 0, 20, 28 if n < len(defines) else 0) + struct.pack("<II", strings(name), 0)
        for n, name in enumerate(defines, start=1)
    )
    needs, count = _needs(versions or {}, strings)
    tags = [(1, strings(n)) for n in needed]
    tags += [(29, strings(runpath))] if runpath else []
    tags += [(14, strings(soname))] if soname else []
    tags += [(6, put(symbols)), (11, 24), (4, put(struct.pack("<IIII", 1, len(symbols) // 24, 0, 0)))]
    tags += [(0x6FFFFFFE, put(needs)), (0x6FFFFFFF, count)] if needs else []
    tags += [(0x6FFFFFFC, put(definitions)), (0x6FFFFFFD, len(defines))] if defines else []
    tags += [(5, put(bytes(strings.raw))), (10, len(strings.raw)), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    dynamic_at = put(dynamic)
    size = _HEADERS + len(body)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, MACHINES[machine], 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    head += struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 0x1000)
    head += struct.pack("<IIQQQQQQ", 2, 4, dynamic_at, dynamic_at, dynamic_at, len(dynamic), len(dynamic), 8)
    return head + bytes(body)


class _Strings:
    def __init__(self) -> None:
        self.raw = bytearray(b"\0")

    def __call__(self, text: str) -> int:
        at = len(self.raw)
        self.raw += text.encode() + b"\0"
        return at


def _needs(versions: Mapping[str, Sequence[str]], strings: _Strings) -> tuple[bytes, int]:
    rows = b""
    items = list(versions.items())
    for number, (library, names) in enumerate(items):
        length = 16 * (len(names) + 1)
        following = 0 if number == len(items) - 1 else length
        rows += struct.pack("<HHIII", 1, len(names), strings(library), 16, following)
        for n, name in enumerate(names):
            rows += struct.pack("<IHHII", 0, 0, 2, strings(name), 0 if n == len(names) - 1 else 16)
    return rows, len(items)
