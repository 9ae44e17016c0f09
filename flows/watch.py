"""The flow `srd-watch`: looks into an inbox and tells of every data set that it has not told of. An automation starts `srd` on the event.

A data set is a folder of shards directly below the inbox; it is known by the digest of its inventory, so nothing is started twice. What
has been told is kept as small files under `STATE/seen`, written once the server has taken the event: after a failure the set is told of
again. A second note, by what the listing says, spares reading a set that has not changed since. A data set that is still being uploaded
changes its digest and would be told of again: upload shards elsewhere and move them in, or leave a file `READY` last (`require_ready`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from urllib.parse import quote

from prefect import flow, get_client, get_run_logger
from prefect.events import Event

from srd_core.data.inventory import take_inventory
from srd_core.data.manifest import canonical_json, digest
from srd_core.errors import SourceError, StorageError
from srd_core.storage import ObjectInfo, Storage, open_storage

EVENT = "srd.dataset.arrived"
_READY = "READY"
_SHOWN = 20
"""Names of what cannot be read, in the log of one look."""
_LONGEST = 120
"""Characters of such a name."""


@flow(name="srd-watch", persist_result=False)
def watch(inbox: str, state: str, outbox: str, require_ready: bool = True) -> list[str]:
    """Emit one `srd.dataset.arrived` event for every new data set; return their URIs.

    A data set that cannot be read is left alone, with a warning, and looked at again the next time; so is whatever else cannot be.

    Args:
        inbox: folder or `s3://bucket/prefix`; each folder below it is a data set.
        state: where to remember what has been told.
        outbox: where results go; the event proposes `OUTBOX/NAME-DIGEST` as the sink.
        require_ready: only data sets that hold a file named READY.

    Raises:
        StorageError: inbox or state cannot be read. Prefect's and httpx's errors: the server has not taken an event.
    """
    logger, memory, told = get_run_logger(), open_storage(state), []
    place = open_storage(inbox)
    for line in left_alone(place):
        logger.warning("%s", line)
    for name, glance in arrivals(place, require_ready=require_ready).items():
        source, listed = _below(inbox, name), f"seen/listed-{glance}.json"
        if memory.stat(listed) is not None:
            continue
        try:
            known = take_inventory(source).digest
        except (SourceError, StorageError) as error:
            logger.warning("%s is left alone: %s", source, error)
            continue
        note = f"seen/{known}.json"
        payload = {"source": source, "sink": _below(outbox, f"{name}-{known[:12]}"), "digest": known}
        if memory.stat(note) is None:
            resource = {"prefect.resource.id": f"srd.dataset.{known}", "prefect.resource.name": name}
            _tell(Event(event=EVENT, resource=resource, payload=payload))
            memory.put_bytes(note, canonical_json(payload))
            told.append(source)
        memory.put_bytes(listed, canonical_json(payload), overwrite=True)
    return told


def arrivals(inbox: Storage, *, require_ready: bool) -> dict[str, str]:
    """Names of the folders that hold shards (and READY, if that is required), sorted, each with a digest of what its listing says.

    The digest changes with the name, size or etag of any shard, and is known without reading one.
    """
    shards: dict[str, list[ObjectInfo]] = {}
    ready: set[str] = set()
    for info in inbox.list():
        folder, *rest = info.key.split("/")
        if rest and rest[-1].endswith(".tar"):
            shards.setdefault(folder, []).append(info)
        elif rest == [_READY]:
            ready.add(folder)
    wanted = {name: found for name, found in sorted(shards.items()) if name in ready or not require_ready}
    return {name: digest([[info.key, info.size, info.etag] for info in found]) for name, found in wanted.items()}


def left_alone(inbox: Storage) -> Iterator[str]:
    """What is to be told of names in the inbox that no listing of data sets can show; of many, how many more there are."""
    names = inbox.unlisted()
    for name in islice(names, _SHOWN):
        yield (
            f"{name[:_LONGEST]!a} in {inbox.uri} is left alone, since it cannot be read: a closed folder, a special file, a link, or a "
            "name that cannot be used. Open it to the user of this flow, rename it or remove it"
        )
    if len(names) > _SHOWN:
        yield f"{inbox.uri} holds {len(names) - _SHOWN:,} more names that are left alone, since they cannot be read"


def _below(place: str, name: str) -> str:
    """The folder of that name there. In `file:///…` a name's own `%2e` would mean a dot."""
    return f"{place.rstrip('/')}/{quote(name) if place.startswith('file://') else name}"


def _tell(event: Event) -> None:
    """Hand the event to the server and wait for its answer; `emit_event` would only queue it, and tell nobody if it never arrives."""
    with get_client(sync_client=True) as client:
        client.request("POST", "/events", json=[event.model_dump(mode="json")]).raise_for_status()
