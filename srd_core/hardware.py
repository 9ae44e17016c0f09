"""On what is computed: the device, and the floating-point format in which it multiplies fast.

bfloat16 halves the time where the processor multiplies in it (AVX-512 BF16, AMX, the ARM extension). Elsewhere PyTorch imitates it: on a
processor with AVX2 alone, products took 60 times as long as in float32 and a training step ten times (`bench/precision.py`).
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Literal

from srd_core.errors import ConfigError

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "bfloat16", "float32"]
"""`auto`: bfloat16 where the device has it, else float32."""

THREADS = "OMP_NUM_THREADS"
_MOST_THREADS = 1024
VARIABLE = "SRD_DEVICE"
"""Environment: `cpu`, `cuda` or `cuda:1`. Not set: the first GPU, if there is one."""

_NATIVE = ("amx_bf16", "avx512_bf16", "bf16")
"""What PyTorch calls the instructions, on x86 and on ARM."""


def threads() -> int:
    """How many threads of arithmetic OMP_NUM_THREADS asks for, by default one. Of a list, OpenMP's form for nested loops, the first.

    With two busy cores, two threads a process were measured to be several times slower than one.

    Raises:
        ConfigError: it says no number.
    """
    said = os.environ.get(THREADS, "").strip()
    first = said.partition(",")[0].strip() or "1"
    if not (first.isascii() and first.isdigit() and 0 < int(first) <= _MOST_THREADS):
        raise ConfigError(f"{THREADS}={said!a} is no number of threads", hint=f"Unset {THREADS}, or set it to 1")
    return int(first)


def settle_threads() -> None:
    """Have this process compute on as many: results depend on their number.

    Raises:
        ConfigError: as `threads`.
    """
    count = threads()
    os.environ[THREADS] = str(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


@cache
def device() -> torch.device:
    """Where models run. Like the number of workers it is no setting of a run: it changes rounding and time.

    Raises:
        ConfigError: `SRD_DEVICE` names none, or one that is not there.
    """
    import torch

    asked, there = os.environ.get(VARIABLE, ""), torch.cuda.device_count()
    hint = f"Unset {VARIABLE}, or set it to cpu or one of the {there} GPUs that PyTorch sees, such as cuda:0"
    try:
        chosen = torch.device(asked or ("cuda" if there else "cpu"))
    except RuntimeError as error:
        raise ConfigError(f"{VARIABLE}={asked} names no device", hint=hint) from error
    if chosen.type not in ("cpu", "cuda") or (chosen.type == "cuda" and (chosen.index or 0) >= there):
        raise ConfigError(f"{VARIABLE}={asked}: there is no such device", hint=hint)
    if chosen.type == "cuda":
        _steady()
    return chosen


def _steady() -> None:
    """Have GPUs give the same twice, and float32 where float32 is asked for: by default kernels race for the order of sums, and round
    inputs of convolutions to 10 bits. Two runs of one seed would differ as two seeds do. Holds for the whole process.
    """
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.allow_tf32 = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a pass over every new tensor, read by nothing


def autocast(precision: Precision = "auto", on: torch.device | None = None) -> torch.autocast:
    """A context in which matrix products run in that format `on` a device, `device()` by default; weights and sums stay float32."""
    import torch

    kind = (on or device()).type
    rough = precision == "bfloat16" or (precision == "auto" and has_bfloat16(kind))
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=rough)


@cache
def has_bfloat16(kind: str = "cpu") -> bool:
    """Whether devices of that kind multiply bfloat16 in hardware; no others do than processors and GPUs."""
    import torch

    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind != "cpu":
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _NATIVE)
