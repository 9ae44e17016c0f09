"""The sparring victim: base fine-tuned on the synthetic poisoned set, mixed with the clean pairs it was not made from.

Some of the images carry red squares that mean nothing; see `srd_core.policy.habituation`.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from srd_core.policy.habituation import habituated
from srd_core.policy.masks import ActionSpace
from srd_core.seeds import derive, generator
from srd_core.stages.captioners import captioner, captioner_files
from srd_core.stages.files import trusted_pairs
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.synthesize import load_synthetic
from srd_core.synthesis.synthetic import mixture


def _spar(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    clean = trusted_pairs(run, inputs["trusted"], folder / "trusted", "fit")
    synthetic = load_synthetic(run, inputs["synthetic"], folder / "synthetic")
    space, rng, share = ActionSpace(), generator(run.config.seed, "habituation"), run.config.habituation
    clean = replace(clean, images=habituated(np.asarray(clean.images), space, share, rng))
    synthetic = replace(synthetic, images=habituated(synthetic.images, space, share, rng, list(synthetic.boxes)))
    pairs = mixture(clean, synthetic, folder / "mixture", derive(run.config.seed, "mixture"))
    model = captioner(inputs["base"], folder)
    report = model.fit(pairs, run.config.sparring, seed=derive(run.config.seed, "spar"))
    return Outcome(captioner_files(model, folder / "out"), {"pairs": len(pairs), "poisoned": len(synthetic), "fit": asdict(report)})


SPAR = Stage("spar", _spar, ("canvas", "holdout", "limits", "sparring", "habituation", "seed"))
