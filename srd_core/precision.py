"""In which floating-point format matrix products are fast on this machine.

bfloat16 halves the time where the processor multiplies in it (AVX-512 BF16, AMX, the ARM extension). Elsewhere PyTorch imitates it: on a
processor with AVX2 alone, products took 60 times as long as in float32 and a training step ten times (`bench/precision.py`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "bfloat16", "float32"]
"""`auto`: bfloat16 where the processor has it, else float32."""

_NATIVE = ("amx_bf16", "avx512_bf16", "bf16")
"""What PyTorch calls the instructions, on x86 and on ARM."""


def autocast(precision: Precision = "auto", device: str = "cpu") -> torch.autocast:
    """A context in which matrix products run in that format; weights and sums stay float32."""
    import torch

    kind = torch.device(device).type
    rough = precision == "bfloat16" or (precision == "auto" and has_bfloat16(kind))
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=rough)


@cache
def has_bfloat16(kind: str = "cpu") -> bool:
    """Whether devices of that kind multiply bfloat16 in hardware."""
    import torch

    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _NATIVE)
