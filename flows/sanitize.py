"""The flow `srd-sanitize`: the data path by itself, shards side by side. Same bytes and same manifest as `srd sanitize`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow

from flows.line import Line
from srd_core.config import load_config
from srd_core.stages.files import part_of, shards_of
from srd_core.stages.sanitize import name_of, total
from srd_core.stages.seal import SANITIZED
from srd_core.stages.stage import Run
from tasks import pipeline
from tasks.workers import workers


@flow(name="srd-sanitize", flow_run_name="sanitize {source}", persist_result=False)
def sanitize(
    source: str,
    sink: str,
    profile: str | None = None,
    config_file: str | None = None,
    overrides: list[str] | None = None,
) -> dict[str, Any]:
    """Copy the shards at `source` to `sink`, strictly read, with images from pixels; return what happened to the pairs.

    Args:
        source: suspect shards: a folder, a `*.tar` glob or `s3://bucket/prefix`.
        sink: folder or `s3://bucket/prefix` for the results.
        profile: name of a profile.
        config_file: path of a YAML file instead.
        overrides: `key=value` settings on top.

    Raises:
        SrdError: what the user can mend.
    """
    run = Run(source, sink, "", load_config(profile, Path(config_file) if config_file else None, overrides or ()))
    suspect = pipeline.take_inventory(run, "source")
    pipeline.claim_sink(run, {"source": suspect})
    with workers(run.config.workers) as runner:
        line = Line(run, runner)
        for shard in shards_of(suspect):
            line.submit(name_of(shard), pipeline.sanitize, {"shard": shard.name}, source=part_of(suspect, [shard]))
        made = line.finish()
    pipeline.write_manifest(run, {"source": suspect, **made}, SANITIZED)
    return total(made.values()).as_facts()
