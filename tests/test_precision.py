"""Which floating-point format is computed in: by what the processor says it can do, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from srd_core.precision import Precision, autocast, has_bfloat16


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """What the processor says of itself, to be filled in."""
    said: dict[str, object] = {"avx2": True, "avx512_f": True, "cpu_name": "some"}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: said)
    has_bfloat16.cache_clear()
    yield said
    has_bfloat16.cache_clear()


def product(precision: Precision) -> torch.dtype:
    with autocast(precision):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_a_processor_that_only_imitates_bfloat16_computes_in_float32(processor: dict[str, object]) -> None:
    assert product("auto") is torch.float32


@pytest.mark.parametrize("instructions", ["amx_bf16", "avx512_bf16", "bf16"])
def test_a_processor_that_has_bfloat16_computes_in_it(instructions: str, processor: dict[str, object]) -> None:
    processor[instructions] = True
    assert product("auto") is torch.bfloat16


def test_who_asks_for_a_format_gets_it(processor: dict[str, object]) -> None:
    assert (product("bfloat16"), product("float32")) == (torch.bfloat16, torch.float32)
    has_bfloat16.cache_clear()
    processor["amx_bf16"] = True
    assert (product("bfloat16"), product("float32")) == (torch.bfloat16, torch.float32)
