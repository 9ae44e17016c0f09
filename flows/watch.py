"""The flow `srd-watch`: looks into an inbox and tells of every data set that it has not told of. An automation starts `srd` on the event.

A data set is a folder of shards directly below the inbox; it is known by the digest of its inventory, so nothing is started twice. What
has been told is kept as small files under `STATE/seen`. A data set that is still being uploaded changes its digest and would be
told of again: upload shards elsewhere and move them in, or leave a file `READY` last (`require_ready`).
"""

from __future__ import annotations

from prefect import flow, get_run_logger
from prefect.events import emit_event

from srd_core.data.inventory import take_inventory
from srd_core.data.manifest import canonical_json
from srd_core.errors import SourceError
from srd_core.storage import Storage, open_storage

EVENT = "srd.dataset.arrived"
_READY = "READY"


@flow(name="srd-watch", persist_result=False)
def watch(inbox: str, state: str, outbox: str, require_ready: bool = True) -> list[str]:
    """Emit one `srd.dataset.arrived` event for every new data set; return their URIs.

    Args:
        inbox: folder or `s3://bucket/prefix`; each folder below it is a data set.
        state: where to remember what has been told.
        outbox: where results go; the event proposes `OUTBOX/NAME-DIGEST` as the sink.
        require_ready: only data sets that hold a file named READY.
    """
    logger, memory, told = get_run_logger(), open_storage(state), []
    for name in arrivals(open_storage(inbox), require_ready=require_ready):
        source = f"{inbox.rstrip('/')}/{name}"
        try:
            digest = take_inventory(source).digest
        except SourceError as error:
            logger.warning("%s is left alone: %s", source, error)
            continue
        note = f"seen/{digest}.json"
        if memory.stat(note) is not None:
            continue
        sink = f"{outbox.rstrip('/')}/{name}-{digest[:12]}"
        payload = {"source": source, "sink": sink, "digest": digest}
        emit_event(event=EVENT, resource={"prefect.resource.id": f"srd.dataset.{digest}", "prefect.resource.name": name}, payload=payload)
        memory.put_bytes(note, canonical_json(payload))
        told.append(source)
    return told


def arrivals(inbox: Storage, *, require_ready: bool) -> list[str]:
    """Names of the folders that hold shards (and READY, if that is required), sorted."""
    parts = [info.key.split("/") for info in inbox.list()]
    shards = {folder for folder, *rest in parts if rest and rest[-1].endswith(".tar")}
    ready = {folder for folder, *rest in parts if rest == [_READY]}
    return sorted(shards & ready if require_ready else shards)
