"""A captioner that has learned eight scenes by heart: what it says, how surprised it is, and what it is after saving."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
import torch

from srd_core.errors import ConfigError
from srd_core.hardware import autocast
from srd_core.models.architecture import Architecture
from srd_core.models.captioner import WordLoss
from srd_core.models.flamingo import FlamingoCaptioner, pixels


class Learned(Protocol):
    model: FlamingoCaptioner
    images: np.ndarray
    captions: list[str]


def totals(losses: list[WordLoss]) -> np.ndarray:
    return np.asarray([loss.nll.sum() for loss in losses])


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_what_was_learned_is_said_of_each_image(learned: Learned) -> None:
    said = learned.model.caption(learned.images)
    assert sum(a == b for a, b in zip(said, learned.captions, strict=True)) >= 6
    assert len(set(said)) >= 7


def test_a_caption_surprises_more_beside_another_image(learned: Learned) -> None:
    own = totals(learned.model.word_loss(learned.images, learned.captions))
    swapped = totals(learned.model.word_loss(np.roll(learned.images, 1, axis=0), learned.captions))
    assert (swapped > own).all()
    assert swapped.sum() > 3 * own.sum()


def test_the_word_that_does_not_belong_is_the_most_surprising(learned: Learned) -> None:
    words = learned.captions[0].split()
    words.insert(2, "banana")
    (loss,) = learned.model.word_loss(learned.images[:1], [" ".join(words)])
    assert loss.most_surprising == "banana"
    assert loss.words == tuple(words)


def test_no_word_is_too_far_behind_to_surprise(learned: Learned) -> None:
    """Regression: what stood behind 64 tokens was not read."""
    honest = (learned.captions[0].split() * 80)[:81]
    padded, usual = ([" ".join([*honest[:80], last]), learned.captions[1]] for last in ("banana", honest[80]))
    (found, beside), (known, alone) = (learned.model.word_loss(learned.images[:2], captions) for captions in (padded, usual))
    assert found.words == (*honest[:80], "banana") and found.tokens > 80
    assert found.nll[-1] > known.nll[-1] + 3 and found.nll[-1] > np.median(found.nll) + 3
    np.testing.assert_array_equal(found.nll[:40], known.nll[:40])
    np.testing.assert_array_equal(beside.nll, alone.nll)


def test_a_word_behind_the_first_window_is_known_from_what_stands_before_it(learned: Learned) -> None:
    """The same words over and over surprise no more where a window ends than elsewhere."""
    once = learned.captions[0].split()
    (found,) = learned.model.word_loss(learned.images[:1], [" ".join(once * 40)])
    rounds = found.nll.reshape(40, len(once))
    assert found.tokens > 128 and rounds[25:].max() < 2 * rounds[5:20].max() + 1


def test_a_caption_of_ten_thousand_characters_makes_no_batch_larger(learned: Learned, monkeypatch: pytest.MonkeyPatch) -> None:
    network, shapes = learned.model.network, []
    read = network.logits
    monkeypatch.setattr(network, "logits", lambda visual, text, mask: shapes.append(text.shape) or read(visual, text, mask))
    words, word = learned.model.word_loss(learned.images[:2], ["star " * 2000, "x" * 10_000])
    assert words.words == ("star",) * 2000 and word.words == ("x" * 10_000,)
    assert len(shapes) > 50 and all(rows <= 2 and width <= 64 + learned.model._prompt.shape[1] + 1 for rows, width in shapes)


def test_saving_and_loading_changes_nothing(learned: Learned, tmp_path: Path) -> None:
    learned.model.save(tmp_path)
    again = FlamingoCaptioner.load(tmp_path)
    assert again.caption(learned.images) == learned.model.caption(learned.images)
    before, after = (m.word_loss(learned.images, learned.captions) for m in (learned.model, again))
    np.testing.assert_array_equal(np.concatenate([w.nll for w in before]), np.concatenate([w.nll for w in after]))


def test_a_saved_folder_holds_no_pickle_and_has_the_same_bytes_twice(fresh: FlamingoCaptioner, tmp_path: Path) -> None:
    fresh.save(tmp_path / "a")
    FlamingoCaptioner.load(tmp_path / "a").save(tmp_path / "b")
    assert {path.suffix for path in (tmp_path / "a").iterdir()} == {".safetensors", ".json"}
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_sixteen_bits_halve_the_file_and_say_the_same(learned: Learned, tmp_path: Path) -> None:
    learned.model.save(tmp_path / "full")
    copy = FlamingoCaptioner.load(tmp_path / "full")
    copy.save(tmp_path / "half", half=True)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    said = FlamingoCaptioner.load(tmp_path / "half").caption(learned.images)
    assert sum(a == b for a, b in zip(said, learned.model.caption(learned.images), strict=True)) >= 7


def test_a_folder_without_a_captioner_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"architecture\.json"):
        FlamingoCaptioner.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("architecture.json", b"[", r"architecture\.json: Invalid JSON"),
        ("architecture.json", b'{"vision": {"patch": 0}}', r"architecture\.json: vision\.patch: "),
        ("architecture.json", b"\xff", "codec can't decode"),
        ("tokenizer.json", b"{}", "Model missing"),
        ("tokenizer.json", None, "No such file"),
        ("model.safetensors", b"\x10\x00", "header"),
        ("model.safetensors", None, "No such file"),
    ],
)
def test_a_damaged_captioner_is_named(fresh: FlamingoCaptioner, tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    """Regression: what the libraries raised was told as an internal error."""
    fresh.save(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=f"captioner {tmp_path} could not be loaded: .*{said}") as error:
        FlamingoCaptioner.load(tmp_path)
    assert "srd train" in error.value.hint and "\n" not in error.value.message


def test_greedy_captions_are_the_step_by_step_argmax(learned: Learned) -> None:
    model, network = learned.model, learned.model.network
    with torch.inference_mode(), autocast():
        visual = network.visual_tokens(pixels(learned.images[:2]))
        text = model._prompt.expand(2, -1)
        for _ in range(model.architecture.max_tokens):
            following = network.logits(visual, text, torch.ones_like(text))[:, -1].argmax(dim=-1, keepdim=True)
            text = torch.cat([text, following.cpu()], dim=1)
    end = network.eoc_token_id
    rows = [row[: row.index(end)] if end in row else row for row in text[:, model._prompt.shape[1] :].tolist()]
    assert [" ".join(model.tokenizer.decode(row).split()) for row in rows] == model.caption(learned.images[:2])


def test_three_beams_find_what_was_learned(learned: Learned) -> None:
    wide = learned.model.architecture.model_copy(update={"beams": 3})
    model = FlamingoCaptioner(learned.model.network, learned.model.tokenizer, wide)
    said = model.caption(learned.images)
    assert sum(a == b for a, b in zip(said, learned.captions, strict=True)) >= 6


def test_the_batch_changes_no_surprise(learned: Learned) -> None:
    together = learned.model.word_loss(learned.images, learned.captions)
    alone = [learned.model.word_loss(learned.images[i : i + 1], [text])[0] for i, text in enumerate(learned.captions)]
    assert [loss.words for loss in together] == [loss.words for loss in alone]
    np.testing.assert_allclose(totals(together), totals(alone), rtol=0.05, atol=0.1)


def test_no_image_no_caption(fresh: FlamingoCaptioner) -> None:
    assert fresh.caption(np.zeros((0, 32, 32, 3), np.uint8)) == []
    assert fresh.word_loss(np.zeros((0, 32, 32, 3), np.uint8), []) == []


def test_fresh_weights_depend_on_the_seed_alone(tiny: Architecture, fresh: FlamingoCaptioner, learned: Learned) -> None:
    torch.rand(7)
    same, other = (FlamingoCaptioner.create(tiny, ["a red star", "a blue moon"], seed=seed) for seed in (5, 6))
    again = FlamingoCaptioner.create(tiny, ["a red star", "a blue moon"], seed=5)
    weights = [model.network.perceiver.latents for model in (same, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
