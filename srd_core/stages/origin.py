"""Where figures come from: which code, which libraries, which processor. Two machines need not agree to the last digit."""

from __future__ import annotations

from typing import Any

from srd_core import __version__
from srd_core.stages.code import taken, tree_digest
from srd_core.stages.libraries import libraries


def code() -> dict[str, Any]:
    """Versions of SRD and of what it computes with, JSON-ready; `code` is a digest of all of `srd_core` as it was imported."""
    return {"srd": __version__, "code": tree_digest(taken()), "libraries": libraries()}


def origin() -> dict[str, Any]:
    """`code`, and what models run on with the format in which it multiplies."""
    import torch

    from srd_core.hardware import device, has_bfloat16

    gpu = device().type == "cuda"
    processor = torch.cuda.get_device_name(device()) if gpu else torch.cpu.get_capabilities().get("cpu_name", "unknown")
    return {**code(), "processor": str(processor), "arithmetic": "bfloat16" if has_bfloat16(device().type) else "float32"}
