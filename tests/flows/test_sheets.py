"""The paper's Figure 2 beside a grid's page: which pictures are copied, and that the page shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.cells import kept_at
from flows.plan import Plan
from flows.plan_files import load_size
from flows.sheets import attention_sheets
from flows.summary import Pages
from srd_core.config import load_config
from srd_core.data.inventory import Inventory
from srd_core.data.manifest import StageManifest
from srd_core.stages.attention import SHEET
from srd_core.stages.seal import seal
from srd_core.stages.stage import Run


def made(name: str, variant: str = "default", seed: int = 0, attack: str = "badnet") -> dict[str, Any]:
    about = {"experiment": {"attack": attack, "rate": 0.1, "seed": seed}, "variant": variant}
    scores: dict[str, Any] = {"models": [], "detection": {}, "policy": {}}
    return {"cell": name, "digest": "0" * 64, "settings": about, "seconds": 1, "scores": scores}


@pytest.fixture
def drawn(tmp_path: Path) -> Any:
    """`drawn(cell, picture)`: that cell's run is finished, and its attention stage drew that picture."""

    def make(cell: dict[str, Any], picture: str) -> dict[str, Any]:
        key = picture * 64
        sink = kept_at(cell, tmp_path) / "sink"
        run = Run("", str(sink), "", load_config("test", overrides=[f"work={tmp_path / 'stages'}"]))
        nothing = Inventory(source="", shards=())
        source = StageManifest(stage="inventory", key=nothing.digest, facts={"inventory": nothing.model_dump(mode="json")})
        seal(run, {"source": source, "attention": StageManifest(stage="attention", key=key)})
        place = tmp_path / "stages" / "attention" / key[:16]
        place.mkdir(parents=True, exist_ok=True)
        (place / SHEET).write_bytes(picture.encode())
        return cell

    return make


def test_a_picture_an_attack_and_variant_and_the_same_one_once(drawn: Any, tmp_path: Path) -> None:
    cells = [
        drawn(made("badnet-0"), "a"),
        drawn(made("badnet-1", seed=1), "b"),
        drawn(made("badnet-random", variant="random"), "a"),
        drawn(made("badnet-film", variant="film"), "c"),
        made("blended-0", attack="blended"),
        drawn(made("sig-0", attack="sig"), "d"),
    ]
    (tmp_path / "stages" / "attention" / ("d" * 16) / SHEET).unlink()
    names = attention_sheets("table1", cells, tmp_path)
    assert names == ["table1-attention-badnet-0.png", "table1-attention-badnet-film.png"]
    assert [(tmp_path / name).read_text() for name in names] == ["a", "c"]


def test_the_page_shows_them(drawn: Any, tmp_path: Path) -> None:
    pages = Pages(Plan(), "grid", load_size("scenes"), "srd bench grid.yaml", tmp_path)
    pages.write([drawn(made("badnet-0"), "a")])
    assert "Made by `srd bench grid.yaml`; " in (tmp_path / "grid.md").read_text()
    assert (tmp_path / "grid.md").read_text().endswith("![grid attention badnet 0](grid-attention-badnet-0.png)\n")
    pages.write([made("other")])
    assert "Figure 2" not in (tmp_path / "grid.md").read_text()
