"""What the residual scan finds in real photographs, by attack and rate, and how long it takes: no model has any part in it.

Run `OMP_NUM_THREADS=1 python bench/residual_scan.py 'TRUSTED.tar' 'SUSPECT*.tar' [--side 96] [--target banana] [--json FILE]`. The suspect
shards are clean; every row is a poisoned copy of all their pairs, made in memory. `words` are those condemned, so on clean pairs none.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from srd_core.attacks.poison import poison_canvas
from srd_core.attacks.registry import get
from srd_core.data.canvas import CanvasSet
from srd_core.data.inventory import take_inventory
from srd_core.data.loading import load_canvas
from srd_core.defences.screens.base import Screening
from srd_core.defences.screens.residual import residual
from srd_core.models.schedule import Schedule
from srd_core.scoring.intervals import wilson

ATTACKS = "badnet,blended,trojvlm,fluent,multi-patch,low-frequency,sig,ftrojan,wanet,noise-patch"
COLUMNS = ("attack", "target", "rate", "poisoned", "found", "clean pairs condemned", "words", "seconds")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trusted")
    parser.add_argument("suspect")
    parser.add_argument("--side", type=int, default=96, help="of the canvas, pixels")
    parser.add_argument("--known", type=int, default=450, help="trusted images at most")
    parser.add_argument("--attacks", default=ATTACKS)
    parser.add_argument("--rates", default="0.01,0.002")
    parser.add_argument("--target", default="banana")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    rows = []
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for row in _rows(options):
        rows.append(row)
        print(f"| {' | '.join(str(row[name]) for name in COLUMNS)} |", flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n")


def _rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        trusted, _ = load_canvas(take_inventory(options.trusted).shards, options.side, Path(folder) / "trusted", limit=options.known)
        clean, _ = load_canvas(take_inventory(options.suspect).shards, options.side, Path(folder) / "suspect")
        yield _row("none", 0.0, options.target, clean, trusted)
        for attack in options.attacks.split(","):
            for rate in map(float, options.rates.split(",")):
                yield _row(attack, rate, options.target, clean, trusted)


def _row(attack: str, rate: float, target: str, clean: CanvasSet, trusted: CanvasSet) -> dict[str, Any]:
    suspect, planted = poison_canvas(clean, get(attack), rate, target, seed=0) if rate else (clean, np.zeros(0, np.int64))
    started = time.perf_counter()
    found = residual(Screening(suspect, trusted, _no_model, Schedule(), 0.005, 0))
    seconds = round(time.perf_counter() - started, 1)
    poisoned = np.isin(np.arange(len(suspect)), planted)
    hits = wilson(int(found.condemned[poisoned].sum()), int(poisoned.sum()))
    share = f"{100 * hits.value:.1f} % [{100 * hits.low:.1f}, {100 * hits.high:.1f}]" if rate else "–"
    wrong = f"{int(found.condemned[~poisoned].sum())} of {int((~poisoned).sum())}"
    words = ", ".join(sorted(set(found.words) - {""})) or "–"
    return dict(zip(COLUMNS, (attack, target, rate, int(poisoned.sum()), share, wrong, words, seconds), strict=True))


def _no_model() -> Any:
    raise AssertionError("the scan asked for a model")


if __name__ == "__main__":
    main()
