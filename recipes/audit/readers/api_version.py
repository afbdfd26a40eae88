"""Read version numbers out of machine code: which ORT API a GenAI library asks for, which one an onnxruntime offers.

GenAI calls `OrtGetApiBase()->GetApi(ORT_API_VERSION)`, so the number is an immediate operand near that call. On
Windows there is no fallback: an onnxruntime that offers less returns null, and the import of GenAI crashes. On Linux
GenAI looks the function up by name and steps down to a lowest version. An onnxruntime's `GetApi` compares its argument
with the highest version it knows. Nothing is guessed: what cannot be followed, or gives two answers, is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from recipes.audit.readers.binary import Reading
from recipes.audit.readers.code_image import CodeImage, sites
from recipes.audit.readers.machinecode import RESULT, Call, Load, canonical, explore, instructions

_HIGHEST_API = 999
_ABOVE = frozenset({"ja", "jbe", "b.hi", "b.ls"})  # jumps that tell n from n + 1
_FROM = frozenset({"jae", "jb", "b.hs", "b.lo"})  # jumps that tell n - 1 from n
_MAX_SITES = 64  # GenAI has three; a hostile file may have any number
_CREATE_DEVICE_FACTORY = 0x20  # ID3D12SDKConfiguration1's fifth method: three of IUnknown, then SetSDKVersion


def compiled_api(image: CodeImage) -> Reading:
    """Return the ORT API version that the code passes to `GetApi`."""
    found: dict[int, int | None] = {}
    for calls, listing in _explored(image):
        for call in calls:
            version = call.arguments[0]
            if call.target == Load(RESULT, 0) and isinstance(version, int) and 0 < version <= _HIGHEST_API:
                found[version] = found.get(version) or _lowest(listing, version)
    return _single(found, "the argument of OrtApiBase::GetApi")


def asked_agility(image: CodeImage) -> Reading:
    """Return the D3D12 Agility SDK version that the code passes to `CreateDeviceFactory`."""
    found: dict[int, int | None] = {}
    for call in (call for calls, _ in _explored(image) for call in calls):
        version = call.arguments[1]
        is_method = isinstance(call.target, Load) and call.target.offset == _CREATE_DEVICE_FACTORY
        if is_method and isinstance(version, int) and 0 < version < 10_000:
            found[version] = None
    return _single(found, "the argument of ID3D12SDKConfiguration1::CreateDeviceFactory")


def offered_api(image: CodeImage, get_api_base: int) -> Reading:
    """Return the highest API version that the `GetApi` behind `OrtGetApiBase` (at this address) accepts."""
    table = _returned_address(image, get_api_base)
    pointer = image.read(table, 8) if table is not None else b""
    if len(pointer) < 8:
        return Reading(value=None, how="OrtGetApiBase does not simply return a table")
    found: dict[int, int | None] = dict.fromkeys(_accepted(image, int.from_bytes(pointer, "little")))
    return _single(found, "the comparison in OrtApiBase::GetApi")


def _explored(image: CodeImage) -> Iterator[tuple[list[Call], list[Any]]]:
    starts, stubs = sites(image)
    for start in starts[:_MAX_SITES]:
        yield explore(image, start, stubs)


def _single(found: dict[int, int | None], how: str) -> Reading:
    if len(found) == 1:
        (value, lowest), *_ = found.items()
        return Reading(value=value, how=how, lowest=lowest)
    if found:
        return Reading(value=None, how=f"{how} has several values: {', '.join(map(str, sorted(found)))}")
    return Reading(value=None, how=f"{how} was not found in the code")


def _lowest(listing: list[Any], version: int) -> int | None:
    """Return the lowest version tried when there is a loop that counts down by one, None when there is none."""
    for step, check, jump in zip(listing, listing[1:], listing[2:], strict=False):
        counts = step.mnemonic == "dec" or (step.mnemonic in ("sub", "subs") and step.operands[-1].type == 2)
        if not counts or (step.mnemonic != "dec" and step.operands[-1].imm != 1) or check.mnemonic != "cmp":
            continue
        same = step.op_str.split(", ")[0] == check.op_str.split(", ")[0]
        bound = check.operands[1].imm if check.operands[1].type == 2 else version
        if same and 0 <= bound < version:
            return int(bound) + (jump.mnemonic not in ("jge", "jae", "b.ge", "b.hs"))
    return None


def _returned_address(image: CodeImage, function: int) -> int | None:
    """Return the address that a function of the form `return &table;` gives."""
    page = None
    for instruction in instructions(image, function, 6):
        operands = instruction.operands
        if instruction.mnemonic == "lea" and instruction.reg_name(operands[1].mem.base) == "rip":
            return int(instruction.address + instruction.size + operands[1].mem.disp)
        if instruction.mnemonic == "adrp":
            page = int(operands[1].imm)
        elif instruction.mnemonic == "add" and page is not None and operands[-1].type == 2:
            return page + int(operands[-1].imm)
    return None


def _accepted(image: CodeImage, function: int) -> Iterable[int]:
    """Yield n for the check `1 <= version <= n`.

    Optimised, it is one unsigned comparison of version - 1; otherwise version itself is compared, with 0 first.
    """
    copies = {{"x64": "rcx" if image.windows else "rdi", "arm64": "x0"}[image.arch]}
    less_one: set[str] = set()
    bound = None
    for instruction in _followed(image, function):
        name = instruction.mnemonic
        first, _, rest = instruction.op_str.partition(", ")
        operands = [canonical(first), canonical(rest)]  # the second is all of "[sp, #4]"
        if bound is not None and name in (*_ABOVE, *_FROM):
            yield bound if name in _ABOVE else bound - 1
            return
        compares = name == "cmp" or (name == "subs" and operands[0] in copies)  # without optimisation
        if compares and operands[0] in copies | less_one and instruction.operands[-1].type == 2:
            limit = int(instruction.operands[-1].imm)
            checks_zero = operands[0] not in less_one and limit <= 1  # "version >= 1", however it is written
            bound = None if checks_zero else limit + (operands[0] in less_one)
        elif name in ("mov", "str", "stur", "ldr", "ldur"):
            source, target = operands if name.startswith("st") else reversed(operands)
            (copies.add if source in copies else copies.discard)(target)
        elif any(_is_less_one(instruction, copy) for copy in copies):
            less_one.add(operands[0])


def _followed(image: CodeImage, function: int) -> Iterator[Any]:
    """Yield a function's first instructions, over jumps that are always taken: code without optimisation has some."""
    for _ in range(4):
        last = None
        for last in instructions(image, function, 24):
            yield last
        if last is None or last.mnemonic not in ("b", "jmp") or last.operands[0].type != 2:
            return
        function = int(last.operands[0].imm)


def _is_less_one(instruction: Any, argument: str) -> bool:
    """Say whether an instruction computes the argument minus one."""
    name, operands = instruction.mnemonic, instruction.operands
    if name not in ("lea", "sub", "dec"):
        return False
    source = operands[1] if len(operands) == 3 or name == "lea" else operands[0]
    register = source.mem.base if name == "lea" else source.reg
    less = operands[1].mem.disp == -1 if name == "lea" else name == "dec" or operands[-1].imm == 1
    return bool(less) and canonical(instruction.reg_name(register) or "") == argument
