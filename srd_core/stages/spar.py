"""The sparring victim: base fine-tuned on the synthetic poisoned set, mixed with the clean pairs it was not made from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from srd_core.attacks.synthesis import mixture
from srd_core.seeds import derive
from srd_core.stages.files import captioner, captioner_files, trusted_pairs
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.synthesize import load_synthetic


def _spar(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    clean = trusted_pairs(run, inputs["trusted"], folder / "trusted", "fit")
    synthetic = load_synthetic(run, inputs["synthetic"], folder / "synthetic")
    pairs = mixture(clean, synthetic, folder / "mixture", derive(run.config.seed, "mixture"))
    model = captioner(inputs["base"], folder)
    report = model.fit(pairs, run.config.sparring, seed=derive(run.config.seed, "spar"))
    return Outcome(captioner_files(model, folder / "out"), {"pairs": len(pairs), "poisoned": len(synthetic), "fit": asdict(report)})


SPAR = Stage("spar", _spar, ("canvas", "holdout", "limits", "sparring", "seed"))
