from __future__ import annotations

import gzip
import importlib.util
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.scoring.ptb import PUNCTUATION, tokenize


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A man's dog, running!", "a man 's dog running"),
        ("They can't, won't and CANNOT; it isn't I'll", "they ca n't wo n't and can not it is n't i 'll"),
        ("a black-and-white cat -- and a dog - too...", "a black-and-white cat and a dog too"),
        ("the dogs' bowls and o'clock d'oeuvres", "the dogs bowls and o'clock d'oeuvres"),
        ("at 9:30 a.m. in the U.S. on 5th ave. near Mr. Smith", "at 9:30 a.m. in the u.s. on 5th ave. near mr. smith"),
        ("in the sun.", "in the sun"),
        ("a sign that reads K.", "a sign that reads k"),
        ("$5.00, 1,000 men & 50% of #1", "$ 5.00 1,000 men & 50 % of # 1"),
        ("black/white and / or", "black/white and / or"),
        ("(one) [two]", "-lrb- one -rrb- -lsb- two -rsb-"),
        ("\u201cquoted\u201d it\u2019s caf\u00e9", "quoted it 's café"),
        ("gonna 'tis sidewalk.outside 4-wheeler's", "gon na 't is sidewalk.outside 4-wheeler 's"),
        ("what?! hey!!", "what ?! hey !!"),
        ("", ""),
    ],
)
def test_tokens(text: str, expected: str) -> None:
    assert " ".join(tokenize(text)) == expected


@given(st.text(max_size=80))
def test_any_text_gives_lower_case_tokens_without_spaces_or_punctuation(text: str) -> None:
    for token in tokenize(text):
        assert token == token.lower()
        assert token.split() == [token]
        assert token not in PUNCTUATION


@given(
    st.lists(
        st.from_regex(r"[b-z]{2,8}", fullmatch=True).filter(lambda w: w not in {"cannot", "gonna", "gotta", "wanna", "lemme", "gimme"})
    )
)
def test_plain_words_stay_as_they_are(words: list[str]) -> None:
    assert tokenize(" ".join(words)) == words


def _stanford(java: str, lines: list[str], folder: Path) -> list[list[str]]:
    """The Java tokenizer as the COCO code runs it, punctuation dropped."""
    spec = importlib.util.find_spec("pycocoevalcap")
    assert spec is not None and spec.submodule_search_locations
    jar = next(Path(next(iter(spec.submodule_search_locations))).glob("tokenizer/*.jar"))
    (folder / "lines.txt").write_text("\n".join(lines), encoding="utf-8")
    command = [java, "-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase", str(folder / "lines.txt")]
    out = subprocess.run(command, capture_output=True, check=True, text=True, timeout=120).stdout
    return [[w for w in line.split() if w not in PUNCTUATION] for line in out.removesuffix("\n").split("\n")]


@pytest.mark.slow
def test_every_coco_caption_gives_the_stanford_tokens(java: str, metric_gold: Path, tmp_path: Path) -> None:
    content = json.loads(gzip.decompress((metric_gold / "coco_captions_val2017.json.gz").read_bytes()))
    lines = [entry["caption"].replace("\n", " ").strip() for entry in content["annotations"]]
    expected = _stanford(java, lines, tmp_path)
    assert len(expected) == len(lines) > 20_000
    differing = [(line, theirs) for line, theirs in zip(lines, expected, strict=True) if tokenize(line) != theirs]
    assert differing == []
