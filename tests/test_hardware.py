"""On what is computed: the format by what the processor says it can do, the device by what is there and asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from srd_core.errors import ConfigError
from srd_core.hardware import VARIABLE, Precision, autocast, device, has_bfloat16


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """What the processor says of itself, to be filled in."""
    said: dict[str, object] = {"avx2": True, "avx512_f": True, "cpu_name": "some"}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: said)
    has_bfloat16.cache_clear()
    yield said
    has_bfloat16.cache_clear()


def product(precision: Precision) -> torch.dtype:
    with autocast(precision, torch.device("cpu")):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_a_processor_that_only_imitates_bfloat16_computes_in_float32(processor: dict[str, object]) -> None:
    assert product("auto") is torch.float32


@pytest.mark.parametrize("instructions", ["amx_bf16", "avx512_bf16", "bf16"])
def test_a_processor_that_has_bfloat16_computes_in_it(instructions: str, processor: dict[str, object]) -> None:
    processor[instructions] = True
    assert product("auto") is torch.bfloat16


def test_what_a_processor_can_says_nothing_of_other_devices(processor: dict[str, object]) -> None:
    processor["amx_bf16"] = True
    assert (has_bfloat16("cpu"), has_bfloat16("meta")) == (True, False)


def test_who_asks_for_a_format_gets_it(processor: dict[str, object]) -> None:
    assert (product("bfloat16"), product("float32")) == (torch.bfloat16, torch.float32)
    has_bfloat16.cache_clear()
    processor["amx_bf16"] = True
    assert (product("bfloat16"), product("float32")) == (torch.bfloat16, torch.float32)


def named(value: str | None, monkeypatch: pytest.MonkeyPatch) -> torch.device:
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    steady = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    device.cache_clear()
    try:
        chosen = device()
        gpu = chosen.type == "cuda"
        assert (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.allow_tf32) == (gpu, not gpu)
        return chosen
    finally:
        torch.use_deterministic_algorithms(steady, warn_only=True)
        device.cache_clear()


def test_without_a_gpu_models_run_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert named(None, monkeypatch) == named("cpu", monkeypatch) == torch.device("cpu")


def test_the_first_gpu_is_used_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(named(value, monkeypatch)) for value in (None, "cuda:1", "cpu")] == ["cuda", "cuda:1", "cpu"]


@pytest.mark.parametrize("value", ["gpu", "cuda:2", "mps", "cuda:x"])
def test_a_device_that_is_not_there_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match=f"{VARIABLE}={value}") as caught:
        named(value, monkeypatch)
    assert "2 GPUs" in caught.value.hint
