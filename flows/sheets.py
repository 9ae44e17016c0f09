"""The paper's Figure 2 of a grid: for every attack, rate and variant the picture of where models look, of the first seed that has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.cells import kept_at, put
from srd_core.errors import SourceError
from srd_core.stages.attention import ATTENTION, SHEET
from srd_core.stages.seal import Statement
from srd_core.storage import open_storage


def attention_sheets(name: str, cells: Sequence[Mapping[str, Any]], folder: Path) -> list[str]:
    """Copy the pictures to `folder` as `NAME-attention-CELL.png`; return the names of the copies.

    Cells with the same undefended model share a picture; those of other machines bring none.
    """
    copies: dict[str, str] = {}
    seen: set[tuple[str, float, str]] = set()
    for made in cells:
        about = made["settings"]["experiment"]
        key, of = _attention_key(kept_at(made, folder) / "sink"), (about["attack"], float(about["rate"]), made["settings"]["variant"])
        picture = folder / "stages" / ATTENTION.name / key[:16] / SHEET
        if key and key not in copies and of not in seen and picture.exists():
            copies[key] = f"{name}-attention-{made['cell']}.png"
            seen.add(of)
            if not (folder / copies[key]).exists() or (folder / copies[key]).stat().st_size != picture.stat().st_size:
                put(folder / copies[key], picture.read_bytes())
    return list(copies.values())


def _attention_key(sink: Path) -> str:
    """Of the stage that drew the picture; empty where the sink has none."""
    try:
        found: str = Statement.read(open_storage(str(sink))).predicate["stages"].get(ATTENTION.name, "")
    except SourceError:
        return ""
    return found
