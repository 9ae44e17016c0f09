"""BLEU and CIDEr of COCO captions to 1e-6: against formulas written out here, and, where there is Java, against pycocoevalcap as it comes.

One of the five captions of a photograph is the candidate. What pycocoevalcap calls CIDEr is CIDEr-D (Vedantam et al., 2015): clipped
weights and a Gaussian penalty on length, without stemming.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from srd_core.scoring.captioning import bleu_4, cider_per_image
from tests.scoring.coco import caption_scores

Tokens = list[str]
Pairs = list[tuple[Tokens, list[Tokens]]]
PLAIN = re.compile(r"[A-Za-z]+( [A-Za-z]+)*\.?")
"""A caption that any tokenizer splits at its spaces, unless it ends with an abbreviation."""


@pytest.fixture(scope="module")
def photographs(metric_gold: Path) -> list[list[str]]:
    """The first five captions of each of the 5,000 photographs, by number."""
    found: dict[int, list[str]] = {}
    for entry in json.loads(gzip.decompress((metric_gold / "coco_captions_val2017.json.gz").read_bytes()))["annotations"]:
        found.setdefault(entry["image_id"], []).append(entry["caption"])
    return [found[number][:5] for number in sorted(found)]


@pytest.fixture(scope="module")
def plain(photographs: list[list[str]]) -> list[list[str]]:
    """Those whose captions are plain: words, spaces, and at most a full stop. The shortest comes first, so that brevity counts."""
    chosen = [texts for texts in photographs if all(PLAIN.fullmatch(text) and not text.endswith("Blvd.") for text in texts)]
    return [sorted(texts, key=lambda text: len(words(text))) for texts in chosen]


@pytest.fixture(scope="module")
def pairs(plain: list[list[str]]) -> Pairs:
    """Their words: a candidate and four references each."""
    return [(words(first), [words(text) for text in others]) for first, *others in plain]


def words(text: str) -> Tokens:
    return text.lower().removesuffix(".").split(" ")


def grams(tokens: Tokens, n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def bleu(pairs: Pairs, *, clipped: bool = True, closest: bool = True) -> list[float]:
    """BLEU-1 to 4 of the corpus: geometric mean of the precisions, clipped by the reference that holds most, times the brevity penalty."""
    right, total = np.zeros(4), np.zeros(4)
    said, known = 0, 0.0
    for candidate, references in pairs:
        lengths = [len(reference) for reference in references]
        said += len(candidate)
        known += min(lengths, key=lambda length: (abs(length - len(candidate)), length)) if closest else np.mean(lengths)
        for n in range(1, 5):
            most: Counter[tuple[str, ...]] = Counter()
            for reference in references:
                most |= grams(reference, n)
            counts = grams(candidate, n)
            right[n - 1] += (counts & most).total() if clipped else sum(count for gram, count in counts.items() if gram in most)
            total[n - 1] += counts.total()
    brevity = min(1.0, np.exp(1 - known / said))
    return [float(brevity * np.exp(np.log(right / total)[:n].mean())) for n in range(1, 5)]


def cider(pairs: Pairs, *, clipped: bool = True, penalty: bool = True) -> np.ndarray:
    """CIDEr-D of each image: ten times the mean over references and over n = 1 to 4 of the cosine of TF-IDF weights."""
    scores = np.zeros(len(pairs))
    for n in range(1, 5):
        frequency = Counter(gram for _, references in pairs for gram in {gram for reference in references for gram in grams(reference, n)})
        weight = {gram: np.log(len(pairs) / count) for gram, count in frequency.items()}
        for row, (candidate, references) in enumerate(pairs):
            for reference in references:
                counts = [grams(candidate, n), grams(reference, n)]
                union = sorted(counts[0] | counts[1])
                a, b = (np.array([count[gram] * weight.get(gram, np.log(len(pairs))) for gram in union]) for count in counts)
                norm = np.linalg.norm(a) * np.linalg.norm(b)
                shared = float((np.minimum(a, b) if clipped else a) @ b) / norm if norm else 0.0
                apart = len(candidate) - len(reference) if penalty else 0
                scores[row] += 10 / 4 / len(references) * shared * np.exp(-(apart**2) / (2 * 6.0**2))
    return scores


def test_both_scores_follow_their_formulas(plain: list[list[str]], pairs: Pairs) -> None:
    candidates, references = [first for first, *_ in plain], [others for _, *others in plain]
    assert len(pairs) >= 1_000
    scores, each = caption_scores(candidates, references), cider_per_image(candidates, references)
    np.testing.assert_allclose([scores[f"bleu_{n}"] for n in range(1, 5)], bleu(pairs), rtol=0, atol=1e-6)
    assert bleu_4(candidates, references, 0, resamples=2).value == scores["bleu_4"]
    expected = cider(pairs)
    np.testing.assert_allclose(each, expected, rtol=0, atol=1e-6)
    assert scores["cider"] == pytest.approx(expected.mean(), abs=1e-6)


@pytest.mark.parametrize("slip", [{"clipped": False}, {"closest": False}])
def test_a_slip_in_bleu_would_show(pairs: Pairs, slip: dict[str, bool]) -> None:
    assert abs(bleu(pairs, **slip)[3] - bleu(pairs)[3]) > 1e-4


@pytest.mark.parametrize("slip", [{"clipped": False}, {"penalty": False}])
def test_a_slip_in_cider_would_show(pairs: Pairs, slip: dict[str, bool]) -> None:
    assert abs(cider(pairs[:300], **slip) - cider(pairs[:300])).max() > 1e-3


def test_a_slip_in_the_tokens_would_show(pairs: Pairs) -> None:
    """One word of one caption, with its full stop left on."""
    row = next(row for row, (said, known) in enumerate(pairs) if any(said[-1] == reference[-1] for reference in known))
    said, known = pairs[row]
    slipped = [*pairs[:row], ([*said[:-1], said[-1] + "."], known), *pairs[row + 1 :]]
    assert abs(bleu(slipped)[0] - bleu(pairs)[0]) > 1e-5


def test_both_scores_are_those_of_pycocoevalcap_from_end_to_end(
    photographs: list[list[str]], java: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.tokenizer import ptbtokenizer

    jar = Path(ptbtokenizer.__file__).with_name(ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR)
    (tmp_path / jar.name).symlink_to(jar)
    monkeypatch.setattr(ptbtokenizer, "__file__", str(tmp_path / "ptbtokenizer.py"))  # it writes beside its jar
    chosen = photographs[::4]
    assert len(chosen) >= 1_000
    found = ptbtokenizer.PTBTokenizer().tokenize({i: [{"caption": first}] for i, (first, *_) in enumerate(chosen)})
    known = ptbtokenizer.PTBTokenizer().tokenize({i: [{"caption": text} for text in others] for i, (_, *others) in enumerate(chosen)})
    bleus, _ = Bleu(4).compute_score(known, found, verbose=0)
    corpus, each = Cider().compute_score(known, found)
    candidates, references = [first for first, *_ in chosen], [others for _, *others in chosen]
    scores = caption_scores(candidates, references)
    np.testing.assert_allclose([scores[f"bleu_{n}"] for n in range(1, 5)], bleus, rtol=0, atol=1e-6)
    assert scores["cider"] == pytest.approx(corpus, abs=1e-6)
    np.testing.assert_allclose(cider_per_image(candidates, references), each, rtol=0, atol=1e-6)
