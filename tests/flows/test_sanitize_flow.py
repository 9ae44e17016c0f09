"""The data path as a flow: the same as the command, bit for bit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from flows.sanitize import sanitize as flow
from srd_core.config import Config
from srd_core.stages.sanitize import sanitize
from srd_core.stages.seal import NAME
from srd_core.stages.stage import Run
from srd_core.stages.verification import check


def test_flow_and_command_hand_back_the_same(data: Any, prefect_server: None, tmp_path: Path) -> None:
    sink = tmp_path / "sink"
    facts = flow(data.source, str(sink), overrides=["workers=0"])
    assert check(str(sink)) == []
    manifest = (sink / NAME).read_bytes()
    shutil.rmtree(sink)
    assert sanitize(Run(data.source, str(sink), "", Config(workers=0))).as_facts() == facts
    assert (sink / NAME).read_bytes() == manifest
