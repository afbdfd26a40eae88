"""The few instructions that matter, as compilers write them: GetApi, OrtGetApiBase, CreateDeviceFactory."""

from __future__ import annotations

import struct

from .pe_builder import TEXT, Code

RUNTIME, CORE = "onnxruntime.dll", "d3d12.dll"


def _rip(at: int, size: int, target: int) -> bytes:
    return struct.pack("<i", target - (at + size))


def genai_x64(api: int | None = 23, agility: int | None = None, style: str = "thunk", ordinal: int | str = 1):
    """Code that passes `api` to GetApi, and `agility` to CreateDeviceFactory.

    Styles: "thunk" (call of a stub, call through a register), "direct" (call of the slot, call through memory),
    "pointer" (the slot's content in a register), "guard" (Control Flow Guard's dispatcher), "two" (two constants).
    """

    def write(slots, constants):
        slot = slots[RUNTIME, ordinal]
        raw = bytearray(b"\xff\x25" + _rip(TEXT, 6, slot) + b"\xcc\xcc")  # the stub
        for number in {"two": (api, (api or 0) + 1)}.get(style, (api,)):
            at = TEXT + len(raw)
            if style in ("direct", "two"):
                raw += b"\xff\x15" + _rip(at, 6, slot)
            elif style == "pointer":
                raw += b"\x48\x8b\x1d" + _rip(at, 7, slot) + b"\xff\xd3"  # mov rbx, [slot]; call rbx
            else:
                raw += b"\xe8" + _rip(at, 5, TEXT)
            if number is not None:
                raw += b"\xb9" + struct.pack("<I", number)  # mov ecx, number
            raw += b"\x48\x8b\x00"  # mov rax, [rax]
            raw += {"guard": b"\xff\x15" + _rip(TEXT + len(raw), 6, constants)}.get(style, b"\xff\xd0")
            raw += b"\x48\x85\xc0"
        if agility is not None:
            at = TEXT + len(raw)
            raw += b"\xff\x15" + _rip(at, 6, slots[CORE, "D3D12GetInterface"])
            raw += b"\x48\x8b\x5c\x24\x48\x48\x8b\x03"  # mov rbx, [rsp+0x48]; mov rax, [rbx]
            raw += b"\xba" + struct.pack("<I", agility) + b"\xff\x50\x20"  # mov edx, agility; call [rax+0x20]
        return Code(raw=bytes(raw) + b"\xc3")

    return write


def genai_arm64(api: int = 23, ordinal: int | str = 1):
    """The same call on ARM64: a stub of ADRP, LDR, BR; then BL, MOV, LDR, BLR."""

    def write(slots, constants):
        slot = slots[RUNTIME, ordinal]
        pages = (slot >> 12) - (TEXT >> 12)
        adrp = 0x90000010 | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5
        ldr = 0xF9400210 | (slot & 0xFFF) // 8 << 10
        stub = struct.pack("<4I", adrp, ldr, 0xD61F0200, 0)
        call = 0x94000000 | (-len(stub) // 4 & 0x3FFFFFF)
        words = (call, 0xF9400008, 0x52800000 | api << 5, 0xD63F0100, 0xD65F03C0)  # ldr x8, [x0]; mov w0; blr x8
        return Code(raw=stub + struct.pack("<5I", *words))

    return write


def runtime_x64(api: int = 24):
    """OrtGetApiBase returns a table in .rdata whose first pointer is GetApi, which compares its argument."""

    def write(_slots, constants):
        base = b"\x48\x8d\x05" + _rip(TEXT, 7, constants) + b"\xc3"  # lea rax, [table]; ret
        get_api = b"\x8d\x41\xff\x83\xf8" + bytes([api - 1]) + b"\x77\x01\xc3\x31\xc0\xc3"
        at = TEXT + 16
        return Code(raw=base.ljust(16, b"\xcc") + get_api, functions={"OrtGetApiBase": TEXT}, pointers={constants: at})

    return write


def genai_linux(api: int = 26, lowest: int | None = 18):
    """Code of libonnxruntime-genai.so: dlsym, call, then GetApi in a loop that counts down to `lowest`."""

    def write(address: int, name_at: int) -> bytes:
        raw = bytearray(b"\x48\x8d\x35" + _rip(address, 7, name_at))  # lea rsi, [name]
        raw += b"\xe8" + struct.pack("<i", 0x100)  # call dlsym
        raw += b"\xff\xd0\x49\x89\xc4\xbb" + struct.pack("<I", api)  # call rax; mov r12, rax; mov ebx, api
        raw += b"\x89\xdf\x41\xff\x14\x24\x48\x85\xc0\x75\x20"  # mov edi, ebx; call [r12]; test; jne
        if lowest is not None:
            raw += b"\x83\xeb\x01\x83\xfb" + bytes([lowest - 1]) + b"\x75\xea"  # sub ebx, 1; cmp; jne
        return bytes(raw) + b"\xc3"

    return write


def runtime_linux(api: int = 31):
    """Code of libonnxruntime.so at an address, and where its table is: (code, offset of GetApi in it)."""

    def write(address: int, table_at: int) -> bytes:
        base = b"\xf3\x0f\x1e\xfa\x48\x8d\x05" + _rip(address + 4, 7, table_at) + b"\xc3"
        return (
            base.ljust(16, b"\x90") + b"\xf3\x0f\x1e\xfa\x8d\x57\xff\x83\xfa" + bytes([api - 1]) + b"\x77\x01\xc3\xc3"
        )

    return write
