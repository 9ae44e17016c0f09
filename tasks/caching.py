"""When a task's earlier result may be used again: same stage key, and every output still there with its digest.

Prefect asks a policy for a key and then believes whatever it has stored under it, even if the files have gone. So this policy looks first:
a stored result that is not what the stage itself can verify is expired before Prefect sees it, and the task runs again.
Results are stored as JSON that can only become a `StageManifest`; Prefect's own JSON would import any class that the file names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from prefect.results import ResultStore
from prefect.serializers import Serializer

from srd_core.data.manifest import StageManifest, canonical_json
from srd_core.stages.stage import Stage


class ManifestSerializer(Serializer):
    """A manifest as canonical JSON. An error is written as its text and never read back as an object."""

    type: str = "srd-manifest"

    def dumps(self, obj: Any) -> bytes:
        """Bytes of a manifest, or of the text of an exception."""
        return canonical_json({"error": str(obj)} if isinstance(obj, BaseException) else obj)

    def loads(self, blob: bytes) -> StageManifest:
        """The manifest. Raises pydantic's ValidationError for anything else."""
        return StageManifest.model_validate_json(blob)


@dataclass
class VerifiedStage(CachePolicy):
    """The cache policy of one stage's task; its key is `Stage.key`."""

    stage: Stage | None = None

    def compute_key(self, task_ctx: TaskRunContext, inputs: dict[str, Any], flow_parameters: dict[str, Any], **kwargs: Any) -> str | None:
        """The stage's key, after a stored result that no longer holds has been expired."""
        if self.stage is None:
            return None
        run = inputs["run"]
        key = self.stage.key(run, inputs["inputs"], inputs["details"])
        store = task_ctx.result_store
        if store.exists(key=key) and _stored(store, key) != self.stage.find(run, key):
            past: Any = datetime.now(UTC) - timedelta(days=1)
            store.write(None, key=key, expiration=past)
        return key


def _stored(store: ResultStore, key: str) -> StageManifest | None:
    """What Prefect would return for `key`, if it can be read."""
    try:
        result = store.read(key=key).result
    except ValueError:
        return None
    return result if isinstance(result, StageManifest) else None
