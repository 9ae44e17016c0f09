"""Tokens and words: nothing of a caption is lost, added, or counted twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from srd_core.models.captioner import WordLoss
from srd_core.models.text import caption_ids, caption_loss, encode_captions, prompt_ids, token_losses, token_places, windows, word_loss_of
from srd_core.models.tokenizer import END_OF_CHUNK, IMAGE, learn_tokenizer

CAPTIONS = ["a red star on a plain background", "a blue moon above a red star", "two small green hearts"] * 5
TOKENIZER = learn_tokenizer(CAPTIONS, 320)
PROMPT = prompt_ids(TOKENIZER, "a photo of")
words = st.text(st.characters(categories=("Ll", "Lo", "Nd", "So"), exclude_characters="\ufffd"), min_size=1, max_size=9)


def falling_back() -> PreTrainedTokenizerBase:
    """As LLaMA's: bytes where it has no letter, and decoding drops the space at the start."""
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    raw = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True, unk_token="<unk>"))
    raw.normalizer = normalizers.Replace(" ", "▁")
    raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=raw)


TOKENIZERS = {"bytes": TOKENIZER, "fallback": falling_back()}


def words_by(tokenizer: PreTrainedTokenizerBase, caption: str) -> tuple[str, ...]:
    (ids,) = caption_ids(tokenizer, [caption])
    return word_loss_of(tokenizer, ids, [1.0] * len(ids)).words


def word_losses(captions: list[str]) -> list[WordLoss]:
    """By a network that knows nothing."""
    batch = encode_captions(TOKENIZER, PROMPT, captions, longest=1000)
    losses = token_losses(batch, torch.zeros(*batch.tokens.shape, len(TOKENIZER)))
    return [word_loss_of(TOKENIZER, *both) for both in zip(caption_ids(TOKENIZER, captions), losses, strict=True)]


@given(st.lists(words, min_size=1, max_size=6))
def test_any_words_come_back_one_by_one(texts: list[str]) -> None:
    (loss,) = word_losses([" ".join(texts)])
    expected = TOKENIZER.decode(TOKENIZER(" ".join(texts), add_special_tokens=False)["input_ids"]).split()
    assert list(loss.words) == expected
    assert loss.nll.sum() == pytest.approx(loss.tokens * np.log(len(TOKENIZER)), rel=1e-4)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize(
    "caption",
    ["ein hübscher hund läuft", "日本 日本語 犬", "a 👩\u200d🚀 🚀 b", "привет, мир", "a\u00a0dog\u3000runs", "\ufffd a \ufffd\ufffd b"],
)
def test_words_that_are_written_with_bytes_are_read_whole(tokenizer: str, caption: str) -> None:
    """Regression: each token was decoded by itself, so that “hübscher” was surprising as “h��bscher”."""
    found = words_by(TOKENIZERS[tokenizer], caption)
    if "\ufffd" in caption:
        assert len(found) == 4 and found[1::2] == ("a", "b"), "who cannot tell its bytes from those of half a character may count otherwise"
    else:
        assert list(found) == caption.split()


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_no_caption_takes_long_to_read(tokenizer: str) -> None:
    """Of replacement characters none seems finished; read from the first one each time, this would take minutes."""
    first, last = words_by(TOKENIZERS[tokenizer], "\ufffd" * 20_000 + " dog")
    assert set(first) == {"\ufffd"} and last == "dog"


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_tokens_of_one_character_all_stand_where_it_stands(tokenizer: str) -> None:
    (ids,) = caption_ids(TOKENIZERS[tokenizer], ["a 日x"])
    text, places = token_places(TOKENIZERS[tokenizer], ids)
    assert text == " a 日x"
    assert places[-4:] == [(3, 4)] * 3 + [(4, 5)]
    assert token_places(TOKENIZERS[tokenizer], ids[:-2])[1] == places[:-2], "cut within the character"


def test_the_pieces_of_a_word_are_summed_and_the_end_is_no_word() -> None:
    (loss,) = word_losses(["a xylophone"])
    assert loss.words == ("a", "xylophone")
    pieces = len(TOKENIZER(" xylophone", add_special_tokens=False)["input_ids"])
    assert pieces > 3
    np.testing.assert_allclose(loss.nll, np.log(len(TOKENIZER)) * np.asarray([1, pieces]), rtol=1e-5)
    assert loss.mean == pytest.approx(np.log(len(TOKENIZER)))
    assert loss.most_surprising == "xylophone" and loss.largest == pytest.approx(loss.nll[1])


def test_a_full_stop_and_capitals_say_nothing() -> None:
    rows = [encode_captions(TOKENIZER, PROMPT, [text]).tokens.tolist() for text in ("A Red Star.", "a red star", " a red star . ")]
    assert rows[0] == rows[1] == rows[2]


@given(st.lists(words | st.sampled_from([*TOKENIZER.all_special_tokens, IMAGE]), min_size=1, max_size=6).map("".join))
def test_no_caption_has_a_special_token(text: str) -> None:
    """Regression: behind a second `<image>` base was blind to the picture, and `<|endofchunk|>` within a caption was learned as its end."""
    (ids,) = caption_ids(TOKENIZER, [text])
    assert not {*ids} & {*TOKENIZER.all_special_ids, *TOKENIZER.convert_tokens_to_ids([IMAGE, END_OF_CHUNK])}


def test_no_caption_has_a_special_token_that_is_a_piece_of_text_too() -> None:
    """Regression: of Unigram models, whose vocabulary holds them with the words, `</s>` within a caption was read as the end."""
    pieces = [("<unk>", 0.0), ("<pad>", -1.0), ("</s>", -1.0), *((letter, -5.0) for letter in "abcdefghijklmnopqrstuvwxyz </>")]
    unigram = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.Unigram(pieces, unk_id=0)), eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
    (ids,) = caption_ids(unigram, ["a dog</s>runs<pad>"])
    assert not {*ids} & {unigram.eos_token_id, unigram.pad_token_id}
    assert "".join(unigram.convert_ids_to_tokens(ids)) == " a dog</s>runs<pad>"


def test_punctuation_stays_with_its_word() -> None:
    (loss,) = word_losses(["a star, a moon!"])
    assert loss.words == ("a", "star,", "a", "moon!")


def test_an_empty_caption_has_a_finite_surprise() -> None:
    losses = word_losses(["", "a red star"])
    assert "".join(losses[0].words) == "" and np.isfinite(losses[0].mean)
    assert losses[1].words == ("a", "red", "star")


def test_nothing_said_is_no_surprise() -> None:
    nothing = WordLoss((), np.zeros(0, np.float32), 0)
    assert (nothing.mean, nothing.largest, nothing.most_surprising) == (0.0, 0.0, "")


def test_rows_begin_with_image_and_prompt_and_end_with_the_end_of_chunk() -> None:
    batch = encode_captions(TOKENIZER, PROMPT, ["a red star", "two small green hearts and more"])
    image, end = TOKENIZER.convert_tokens_to_ids(IMAGE), TOKENIZER.convert_tokens_to_ids(END_OF_CHUNK)
    assert (batch.tokens[:, 0] == image).all()
    for tokens, mask, labels in zip(batch.tokens, batch.mask, batch.labels, strict=True):
        assert tokens[mask.bool()][-1] == end
        assert (tokens[~mask.bool()] == TOKENIZER.pad_token_id).all()
        assert (labels[: PROMPT.shape[1]] == -100).all() and (labels[~mask.bool()] == -100).all()


def test_a_very_long_caption_is_cut() -> None:
    batch = encode_captions(TOKENIZER, PROMPT, ["star " * 500], longest=10)
    assert batch.tokens.shape[1] == PROMPT.shape[1] + 11


@given(st.integers(0, 300), st.integers(2, 64))
def test_windows_read_every_token_once_and_know_what_stood_before(count: int, longest: int) -> None:
    parts = windows(count, longest)
    assert [token for part, fresh in parts for token in range(count)[part][len(range(count)[part]) - fresh :]] == list(range(count))
    assert all(part.stop - part.start <= longest for part, _ in parts)
    assert all(part.stop - part.start - fresh >= longest // 2 for part, fresh in parts[1:])
    assert len(parts) == 1 or count > longest


def test_only_caption_tokens_count_in_the_loss() -> None:
    batch = encode_captions(TOKENIZER, PROMPT, ["a red star", "a blue moon above a red star"])
    logits = torch.randn(*batch.tokens.shape, len(TOKENIZER), generator=torch.Generator().manual_seed(0))
    loss = caption_loss(logits, batch.labels)
    logits[:, : PROMPT.shape[1] - 1] += 5 * torch.randn(len(TOKENIZER))
    logits[0, int(batch.mask[0].sum()) :] = 99 * torch.randn(len(TOKENIZER))
    assert caption_loss(logits, batch.labels) == pytest.approx(loss)


def test_the_tokenizer_depends_on_the_captions_only() -> None:
    again = learn_tokenizer(CAPTIONS, 320)
    assert again.get_vocab() == TOKENIZER.get_vocab()
    assert len(TOKENIZER) <= 320
    assert TOKENIZER("a red star", add_special_tokens=False)["input_ids"] == again("a RED star", add_special_tokens=False)["input_ids"]
