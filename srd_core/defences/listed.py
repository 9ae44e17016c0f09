"""A baseline defence at work: what its screen has condemned is withheld, pair by pair; everything else stays as it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from srd_core.defences.base import Batch, PairDecision, SampleDecision
from srd_core.defences.screens.base import Screened
from srd_core.defences.weighed import UNSEEN

_SCHEMA = pa.schema([("pair", pa.string()), ("score", pa.float64()), ("condemned", pa.bool_()), ("word", pa.string())])
ROW_GROUP = 4096
_AFTER = chr(ord("/") + 1)
"""The sign after the one that ends the name of a shard in a pair's id."""


def save_verdicts(path: Path, ids: Sequence[str], screened: Screened) -> None:
    """One row a pair: id, score, whether it is condemned, and by which word, if by one."""
    words = list(screened.words) or [""] * len(ids)
    columns = {"pair": list(ids), "score": screened.scores.tolist(), "condemned": screened.condemned.tolist(), "word": words}
    pq.write_table(pa.table(columns, schema=_SCHEMA), path, compression="zstd", row_group_size=ROW_GROUP)


def load_verdicts(path: Path, shards: Collection[str] | None = None) -> dict[str, bool]:
    """Whether each pair of `shards` is condemned; None: of all."""
    return _column(path, "condemned", _of(shards))


def load_suspicion(path: Path, shards: Collection[str] | None = None) -> dict[str, float]:
    """The score of each pair of `shards`; None: of all."""
    return _column(path, "score", _of(shards))


def load_condemned(path: Path, shards: Collection[str] | None = None) -> dict[str, str]:
    """The condemned pairs of `shards`, each with the word that condemned it; None: of all."""
    return _column(path, "word", _of(shards) & pc.field("condemned"))


def _of(shards: Collection[str] | None) -> pc.Expression:
    """The ids that begin with the name of one of the shards, as ranges: row groups outside of them are not read."""
    if shards is None:
        return pc.scalar(True)
    pair = pc.field("pair")
    return reduce(or_, ((pair >= f"{name}/") & (pair < f"{name}{_AFTER}") for name in shards), pc.scalar(False))


def _column(path: Path, name: str, which: pc.Expression) -> dict[str, Any]:
    table = pq.read_table(path, columns=["pair", name], filters=which)
    return dict(zip(table["pair"].to_pylist(), table[name].to_pylist(), strict=True))


class Listed:
    """See `Defence`. A pair that the screen has not seen is withheld: its image could not be looked at.

    Where it cannot be written either, the writer rejects it.
    """

    looks = False

    def __init__(self, name: str, condemned: Mapping[str, bool]) -> None:
        self._withhold = PairDecision("quarantine", f"condemned by {name}")
        self._unseen = PairDecision("quarantine", UNSEEN)
        self._keep = PairDecision("keep", f"passed by {name}")
        self._condemned = condemned

    def decide(self, batch: Batch) -> list[SampleDecision]:
        """See `Defence`."""
        return [SampleDecision(tuple(map(self._decided, own))) for own in batch.ids]

    def _decided(self, pair: str) -> PairDecision:
        condemned = self._condemned.get(pair)
        return self._unseen if condemned is None else self._withhold if condemned else self._keep
