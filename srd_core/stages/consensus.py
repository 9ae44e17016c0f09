"""The second look of evidence mode: which words the flagged pairs of the whole suspect set share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from srd_core.data.manifest import StageManifest
from srd_core.defences.consensus import SharedWord, shared_words
from srd_core.defences.weighed import read_flags
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.weigh import weighed_files


def _consensus(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    parts = [manifest for name, manifest in sorted(inputs.items()) if name.startswith("weighed-")]
    files = [path for part in parts for path in weighed_files(part, folder)]

    def pairs() -> Iterator[tuple[str, bool]]:
        return (pair for path in files for pair in read_flags(path))

    evidence = run.config.evidence
    words = shared_words(pairs, evidence.false_positives) if evidence.second_look else []
    return Outcome(facts={"words": [word.model_dump(mode="json") for word in words]})


def condemned(manifest: StageManifest) -> list[SharedWord]:
    """What this stage found, the most telling first."""
    return [SharedWord.model_validate(item) for item in manifest.facts["words"]]  # type: ignore[union-attr]


CONSENSUS = Stage("consensus", _consensus, ("evidence.second_look", "evidence.false_positives"))
