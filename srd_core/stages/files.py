"""From references to things at hand: the files of a manifest as a local folder, its shards, a set of pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from srd_core.data.canvas import CanvasSet
from srd_core.data.inventory import Inventory, ShardRef
from srd_core.data.loading import load_canvas
from srd_core.data.manifest import FileRef, StageManifest
from srd_core.data.samples import Split
from srd_core.errors import SourceError
from srd_core.stages.stage import Run, locate
from srd_core.storage.base import checked_key


def local_folder(manifest: StageManifest, folder: Path, prefix: str = "") -> Path:
    """The files whose names begin with `prefix`, under their names below `folder` (links where they are local already).

    Raises:
        StorageError: a name leads elsewhere.
    """
    for name, ref in manifest.outputs.items():
        if name.startswith(prefix):
            place = folder / checked_key(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                place.symlink_to(local_file(ref, folder / ".fetched" / ref.sha256[:16]).resolve())
    return folder / prefix


def local_file(ref: FileRef, folder: Path) -> Path:
    """One file, local.

    Raises:
        ConflictError: it is not what it was when it was made.
    """
    storage, name = locate(ref)
    folder.mkdir(parents=True, exist_ok=True)
    return storage.fetch(name, folder, ref.sha256)


def files_below(folder: Path, prefix: str) -> dict[str, Path]:
    """Name → path of every file below `folder`, names beginning with `prefix/`."""
    return {f"{prefix}/{path.relative_to(folder).as_posix()}": path for path in sorted(folder.rglob("*")) if path.is_file()}


def shards_of(manifest: StageManifest) -> list[ShardRef]:
    """The shards that an inventory listed or a stage wrote (quarantine left out), sorted by name."""
    if "inventory" in manifest.facts:
        return list(Inventory.model_validate(manifest.facts["inventory"]).shards)
    return _shards(_written(manifest, withheld=False))


def part_of(inventory: StageManifest, shards: Sequence[ShardRef]) -> StageManifest:
    """The inventory with some of its shards, for a task that asks for no others; known by the key of the whole.

    A task's parameters are walked through and pickled: with the whole list in each of them that is the square of the number of shards.
    """
    listed = Inventory(source=str(inventory.facts["inventory"]["source"]), shards=tuple(shards))  # type: ignore[index, call-overload]
    return inventory.model_copy(update={"facts": {**inventory.facts, "inventory": listed.model_dump(mode="json")}})


def withheld_shards(manifest: StageManifest) -> list[ShardRef]:
    """The quarantine that a stage wrote, sorted by name."""
    return _shards(_written(manifest, withheld=True))


def shard_digests(manifest: StageManifest, *, withheld: bool) -> dict[str, str]:
    """File name → SHA-256 of the shards that a stage wrote, or of its quarantine, wherever they lie."""
    return {PurePosixPath(name).name: ref.sha256 for name, ref in _written(manifest, withheld=withheld).items()}


def _written(manifest: StageManifest, *, withheld: bool) -> dict[str, FileRef]:
    return {name: ref for name, ref in manifest.outputs.items() if name.endswith(".tar") and ("quarantine/" in name) == withheld}


def _shards(outputs: Mapping[str, FileRef]) -> list[ShardRef]:
    refs = []
    for ref in outputs.values():
        storage, key = locate(ref)
        info = storage.stat(key)
        if info is None:
            raise SourceError(f"{ref.uri} has gone", hint="Run again: the stage that wrote it will be repeated")
        refs.append(ShardRef(uri=storage.uri, key=key, size=ref.size, etag=info.etag, sha256=ref.sha256))
    return sorted(refs, key=lambda ref: ref.name)


def trusted_pairs(run: Run, manifest: StageManifest, folder: Path, split: Split) -> CanvasSet:
    """The trusted pairs of one part: `fit` for training, `holdout` to calibrate and measure on.

    Raises:
        SourceError: that part is empty.
    """
    config = run.config
    pairs, _ = load_canvas(shards_of(manifest), config.canvas, folder, split=split, holdout=config.holdout, limits=config.limits)
    if not len(pairs):
        problem = f"the trusted set {run.trusted} has no usable pair in its {split} part"
        raise SourceError(problem, hint="Give a few thousand trusted pairs")
    return pairs
