"""Follow a few dozen instructions with symbolic registers: enough to see which constant a call receives.

The compiler may keep the constant in another register first, load the function's address into one, or call through
Control Flow Guard's dispatcher. So registers hold values (a constant, a load from something, one of the names below)
and every instruction that is not understood forgets what it writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from recipes.audit.code_image import CodeImage

FUNCTION: Literal["function"] = "function"
RESULT: Literal["result"] = "result"
NAME: Literal["name"] = "name"

STEPS = 96
"""Instructions that are followed from each site."""


@dataclass(frozen=True)
class Load:
    """What lies in memory at `base` plus `offset`, where `base` may be unknown (None)."""

    base: object
    offset: int


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that was followed: its target, its first two integer arguments, and what came after it."""

    target: object
    arguments: tuple[object, object]
    following: tuple[Any, ...] = ()


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
        made = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    made.detail = True
    return made


def instructions(image: CodeImage, address: int, count: int = STEPS) -> Iterator[Any]:
    """Yield instructions from an address on, through unconditional jumps, up to a return or `count` of them."""
    while count > 0:
        jump = None
        for instruction in _disassembler(image.arch).disasm(image.code_at(address, 16 * count), address, count):
            count -= 1
            yield instruction
            if instruction.mnemonic in ("ret", "int3", "ud2", "udf", "br", "hlt"):
                return
            if instruction.mnemonic in ("jmp", "b"):
                jump = instruction.operands[0].imm if instruction.operands[0].type == _IMM else None
                break
        if jump is None:
            return
        address = jump


_REG, _IMM = 1, 2  # capstone 5's numbers, the same for the operands of both architectures


def calls_from(image: CodeImage, address: int, stubs: frozenset[int]) -> Iterator[Call]:
    """Follow the code from a site and yield its calls, with the values of target and arguments where they are known."""
    machine = _Machine(image, stubs)
    listing = list(instructions(image, address))
    for index, instruction in enumerate(listing):
        call = machine.step(instruction)
        if call is not None:
            yield Call(target=call.target, arguments=call.arguments, following=tuple(listing[index + 1 : index + 17]))


class _Machine:
    """The registers while code is followed."""

    def __init__(self, image: CodeImage, stubs: frozenset[int]) -> None:
        self.image = image
        self.stubs = stubs
        self.registers: dict[str, object] = {}
        self.x64 = image.arch == "x64"
        self.arguments = (("rcx", "rdx") if image.windows else ("rdi", "rsi")) if self.x64 else ("x0", "x1")
        self.lost = _LOST_ARM64 if not self.x64 else _LOST_WINDOWS if image.windows else _LOST_SYSV

    def step(self, instruction: Any) -> Call | None:
        """Carry out one instruction; return the call that it makes, if it is one."""
        if instruction.mnemonic in ("call", "bl", "blr"):
            return self._call(instruction)
        operands = instruction.operands
        written = {canonical(instruction.reg_name(r) or "") for r in instruction.regs_access()[1]}
        value = self._value(instruction, operands) if len(operands) >= 2 and operands[0].type == _REG else None
        target = canonical(instruction.reg_name(operands[0].reg)) if value is not None else ""
        for register in written:
            self.registers.pop(register, None)
        if value is not None:
            self.registers[target] = value
        return None

    def _value(self, instruction: Any, operands: Any) -> object:
        """Return what an instruction puts into its first operand, None when that is not understood."""
        name, source = instruction.mnemonic, operands[1]
        if name in ("mov", "movz", "movabs", "ldr", "adrp"):
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
        base = self._get(instruction, memory.base)
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
