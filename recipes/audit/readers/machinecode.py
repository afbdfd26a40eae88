"""Follow a few dozen instructions with symbolic registers: enough to see which constant a call receives.

The compiler may keep the constant in another register or on the stack first, load the function's address into one, or
call through Control Flow Guard's dispatcher. So registers and stack slots hold values (a constant, a load from
something, one of the names below), and every instruction that is not understood forgets what it writes. Both ways of a
conditional jump are followed, each instruction once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from recipes.audit.readers.code_image import CodeImage

FUNCTION: Literal["function"] = "function"
RESULT: Literal["result"] = "result"
NAME: Literal["name"] = "name"

STEPS = 160
"""Instructions that are followed from each site."""

_ENDS = frozenset({"ret", "int3", "ud2", "udf", "br", "hlt", "brk"})
_FRAME = frozenset({"rbp", "rsp", "sp", "x29"})


@dataclass(frozen=True)
class Load:
    """What lies in memory at `base` plus `offset`, where `base` may be unknown (None)."""

    base: object
    offset: int


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that was followed: its target and its first two integer arguments, where they are known."""

    target: object
    arguments: tuple[object, object]


_X64 = {f"{low}{name}": f"r{name}" for name in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp") for low in ("e", "")}
_X64 |= {f"r{n}{suffix}": f"r{n}" for n in range(8, 16) for suffix in ("d", "w", "b")}
_X64 |= {"al": "rax", "bl": "rbx", "cl": "rcx", "dl": "rdx", "sil": "rsi", "dil": "rdi", "bpl": "rbp"}
_LOST_WINDOWS = ("rax", "rcx", "rdx", "r8", "r9", "r10", "r11")
_LOST_SYSV = (*_LOST_WINDOWS, "rsi", "rdi")
_LOST_ARM64 = tuple(f"x{n}" for n in range(19))


def canonical(register: str) -> str:
    """Return the name of the 64-bit register that a register is part of."""
    if register.startswith("w") and register[1:].isdigit():
        return f"x{register[1:]}"
    return _X64.get(register, register)


@cache
def _disassembler(arch: str) -> Any:
    import capstone

    if arch == "x64":
        made = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    else:
        arm64 = getattr(capstone, "CS_ARCH_AARCH64", None) or capstone.CS_ARCH_ARM64  # as capstone 6 and 5 call it
        made = capstone.Cs(arm64, capstone.CS_MODE_ARM)
    made.detail = True
    return made


def instructions(image: CodeImage, address: int, count: int = STEPS) -> Iterator[Any]:
    """Yield instructions from an address on, up to a jump without condition, a return, or `count` of them."""
    for instruction in _disassembler(image.arch).disasm(image.code_at(address, 16 * count), address, count):
        yield instruction
        if instruction.mnemonic in _ENDS or instruction.mnemonic in ("jmp", "b"):
            return


_REG, _IMM = 1, 2  # capstone 5's and 6's numbers, the same for the operands of both architectures


def explore(image: CodeImage, address: int, stubs: frozenset[int]) -> tuple[list[Call], list[Any]]:
    """Follow the code from a site; return its calls, and the instructions that were followed in order of address."""
    calls: list[Call] = []
    seen: dict[int, Any] = {}
    waiting = [(address, _Machine(image, stubs))]
    while waiting and len(seen) < STEPS:
        at, machine = waiting.pop()
        for instruction in instructions(image, at, STEPS - len(seen)):
            if instruction.address in seen:
                break
            seen[instruction.address] = instruction
            if (target := _jump_target(instruction)) is not None:
                waiting.append((target, machine.copy()))
            elif (call := machine.step(instruction)) is not None:
                calls.append(call)
    return calls, [seen[key] for key in sorted(seen)]


def _jump_target(instruction: Any) -> int | None:
    """Return where a jump inside the code leads, None for other instructions and for jumps through registers."""
    name = instruction.mnemonic
    is_jump = name.startswith(("j", "b.", "cb", "tb")) or name == "b"
    last = instruction.operands[-1] if is_jump and instruction.operands else None
    return int(last.imm) if last is not None and last.type == _IMM else None


class _Machine:
    """The registers while code is followed."""

    def __init__(self, image: CodeImage, stubs: frozenset[int]) -> None:
        self.image = image
        self.stubs = stubs
        self.registers: dict[str, object] = {}
        self.stack: dict[tuple[str, int], object] = {}
        self.x64 = image.arch == "x64"
        self.arguments = (("rcx", "rdx") if image.windows else ("rdi", "rsi")) if self.x64 else ("x0", "x1")
        self.lost = _LOST_ARM64 if not self.x64 else _LOST_WINDOWS if image.windows else _LOST_SYSV

    def copy(self) -> _Machine:
        """Return a machine in the same state, for the other way of a jump."""
        made = _Machine(self.image, self.stubs)
        made.registers, made.stack = dict(self.registers), dict(self.stack)
        return made

    def step(self, instruction: Any) -> Call | None:
        """Carry out one instruction; return the call that it makes, if it is one."""
        if instruction.mnemonic in ("call", "bl", "blr"):
            return self._call(instruction)
        operands = instruction.operands
        if len(operands) == 2 and self._store(instruction, *operands):
            return None
        written = {canonical(instruction.reg_name(r) or "") for r in instruction.regs_access()[1]}
        value = self._value(instruction, operands) if len(operands) >= 2 and operands[0].type == _REG else None
        target = canonical(instruction.reg_name(operands[0].reg)) if value is not None else ""
        for register in written:
            self.registers.pop(register, None)
        if value is not None:
            self.registers[target] = value
        return None

    def _store(self, instruction: Any, first: Any, second: Any) -> bool:
        """Carry out a store to the stack; say whether the instruction was one to memory at all."""
        name = instruction.mnemonic
        place, source = (second, first) if name in ("str", "stur") else (first, second)
        if place.type in (_REG, _IMM) or name in ("cmp", "test"):
            return False
        slot = (canonical(instruction.reg_name(place.mem.base) or ""), int(place.mem.disp))
        if slot[0] in _FRAME:
            self.stack.pop(slot, None)
            if name in ("mov", "str", "stur"):
                value = int(source.imm) if source.type == _IMM else self._get(instruction, source.reg)
                self.stack[slot] = value
        return True

    def _value(self, instruction: Any, operands: Any) -> object:
        """Return what an instruction puts into its first operand, None when that is not understood."""
        name, source = instruction.mnemonic, operands[1]
        if name in ("mov", "movz", "movabs", "ldr", "ldur", "adrp"):
            if source.type == _REG:
                return self._get(instruction, source.reg)
            if source.type == _IMM:
                return NAME if source.imm in self.image.names else int(source.imm)
            return self._load(instruction, source)
        if name == "xor" and source.type == _REG and source.reg == operands[0].reg:
            return 0
        if name == "lea" and instruction.reg_name(source.mem.base) == "rip":
            address = instruction.address + instruction.size + source.mem.disp
            return NAME if address in self.image.names else Load("address", address)
        if name == "add" and len(operands) == 3 and operands[2].type == _IMM:
            page = self._get(instruction, source.reg)
            if isinstance(page, int):
                return NAME if page + operands[2].imm in self.image.names else Load("address", page + operands[2].imm)
        return None

    def _get(self, instruction: Any, register: int) -> object:
        return self.registers.get(canonical(instruction.reg_name(register) or ""))

    def _load(self, instruction: Any, operand: Any) -> object:
        """Return the value of a memory operand: the function when it is one of its slots, a Load otherwise."""
        memory = operand.mem
        if memory.index:
            return None
        if instruction.reg_name(memory.base) == "rip":
            address = instruction.address + instruction.size + memory.disp
            return FUNCTION if address in self.image.slots else Load("memory", address)
        frame = canonical(instruction.reg_name(memory.base) or "")
        base = self._get(instruction, memory.base)
        if frame in _FRAME and base is None:  # optimised code uses rbp as any other register
            return self.stack.get((frame, int(memory.disp)))
        if isinstance(base, int) and not self.x64:
            return FUNCTION if base + memory.disp in self.image.slots else Load("memory", base + memory.disp)
        return Load(base, memory.disp)

    def _call(self, instruction: Any) -> Call | None:
        target = self._target(instruction)
        if not self.x64 and _is_guard(target) and isinstance(self.registers.get("x15"), Load):
            return None  # Control Flow Guard's check of x15, which keeps all registers; the call itself comes next
        if self.x64 and self.image.windows and _is_guard(target):
            target = self.registers.get("rax")  # Control Flow Guard's dispatcher jumps to rax
        values = (self.registers.get(self.arguments[0]), self.registers.get(self.arguments[1]))
        looked_up = NAME in values
        for register in self.lost:
            self.registers.pop(register, None)
        if target == FUNCTION or looked_up:
            self.registers["rax" if self.x64 else "x0"] = RESULT if target == FUNCTION else FUNCTION
        return Call(target=target, arguments=values)

    def _target(self, instruction: Any) -> object:
        operand = instruction.operands[0]
        if operand.type == _IMM:
            return FUNCTION if operand.imm in self.stubs else int(operand.imm)
        if operand.type == _REG:
            return self._get(instruction, operand.reg)
        return self._load(instruction, operand)


def _is_guard(target: object) -> bool:
    return isinstance(target, Load) and target.base == "memory"
