"""All scores of the COCO evaluation that need no Java, on our tokens: what published examples are compared with."""

from __future__ import annotations

from collections.abc import Sequence

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.rouge.rouge import Rouge

from srd_core.scoring.captioning import cider_per_image, tokenized


def caption_scores(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """Corpus scores `bleu_1` … `bleu_4`, `rouge_l`, `cider` of `candidates[i]` against `references[i]`."""
    found, known = tokenized(candidates, references)
    scores = {f"bleu_{n}": float(value) for n, value in enumerate(Bleu(4).compute_score(known, found, verbose=0)[0], start=1)}
    cider = float(cider_per_image(candidates, references).mean())
    return {**scores, "rouge_l": float(Rouge().compute_score(known, found)[0]), "cider": cider}
