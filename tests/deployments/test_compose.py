"""What Compose starts, as far as it can be tried without Docker."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.settings import Settings

from tests.servers import seaweed

COMPOSE = Path(__file__).parents[2] / "docker" / "compose.yaml"


@pytest.fixture
def services() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text())["services"]  # type: ignore[no-any-return]


def test_the_s3_store_has_room_for_inbox_outbox_and_trusted_set(services: dict[str, Any], tmp_path: Path) -> None:
    """Regression: its eight volumes were taken by the first two buckets; the watch could not note what it had told."""
    room = [flag for flag in services["s3"]["command"] if flag.startswith(("-volume.max", "-master.volumeSizeLimitMB"))]
    with seaweed(tmp_path, room) as server:
        for name in ("srd-inbox", "srd-trusted", "srd-outbox"):
            server.client().put_object(Bucket=server.make_bucket(name), Key="x", Body=b"x")
            assert server.client().get_object(Bucket=name, Key="x")["Body"].read() == b"x"


def test_the_server_is_told_what_it_knows(services: dict[str, Any]) -> None:
    parts = Settings.model_json_schema()["$defs"].values()
    known = {name for part in parts for field in part["properties"].values() for name in field.get("supported_environment_variables", ())}
    asked = services["server"]["environment"]
    assert {name for name in asked if name.startswith("PREFECT_")} <= known
    assert import_module(asked["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"]).ConcurrencyLeaseStorage
