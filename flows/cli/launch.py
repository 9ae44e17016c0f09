"""Runs a flow here and now: quiet Prefect, progress on stderr, errors that the user can act on."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.console import say, watching
from flows.cli.group import is_verbose
from flows.cli.options import speakable
from flows.folder import no_settings_in
from flows.settings import configured_server, prefect_server, quiet
from srd_core.config import Config, load_config
from srd_core.data.inventory import take_inventory
from srd_core.errors import ConfigError, SrdError
from srd_core.places import behind, check_file, check_folder
from srd_core.storage import is_remote, local_path, open_storage

if TYPE_CHECKING:
    from prefect.exceptions import PrefectException


class RunError(SrdError):
    """A run ended without an error that says why."""

    exit_code = 70


def run_flow(name: str, *arguments: Any, **keywords: Any) -> Any:
    """The result of the flow `flows.NAME.NAME`, called with what follows.

    Raises:
        SrdError: what went wrong.
    """
    no_settings_in(Path())
    quiet(verbose=is_verbose(click.get_current_context()))
    with watching():
        server = configured_server()
        say(f"starting: loading libraries and {f'asking the Prefect server at {server}' if server else 'a temporary Prefect server'}")
        from prefect.exceptions import PrefectException

        try:
            with prefect_server(lambda: load_flow(name)) as flow:
                return flow(*arguments, **keywords)
        except (PrefectException, BrokenExecutor) as error:
            raise meant_for_user(error) or _ended_early(error) from error


def _ended_early(error: PrefectException | BrokenExecutor) -> RunError:
    if isinstance(error, BrokenExecutor):
        hint = "Give it more, or less to do at once (`--set workers=1`; `srd bench --at-once 1`), and run again: finished stages are kept"
        return RunError("a worker process has ended or was killed, probably since the machine has run out of memory", hint=hint)
    return RunError(f"the run ended early: {error}", hint="A worker was killed, or memory ran out; run again")


def load_flow(name: str) -> Callable[..., Any]:
    """The flow, imported late since it needs the big libraries."""
    if name == "bench":
        from flows.bench import bench

        return bench
    from flows.srd import srd

    return srd


def meant_for_user(error: BaseException | None) -> SrdError | None:
    """The SrdError among an error and what caused it."""
    while error is not None:
        if isinstance(error, SrdError):
            return error
        error = error.__cause__ or error.__context__
    return None


def checked(profile: str | None, config_file: str | None, overrides: list[str]) -> Config:
    """The configuration, before anything slow is started.

    Raises:
        ConfigError: as `load_config`; or both a profile and a file are given.
    """
    if profile and config_file:
        raise ConfigError("--profile and --config are both given", hint="Give one of them; --set changes single keys of either")
    return load_config(profile, Path(config_file) if config_file else None, overrides)


def supported(*places: str) -> None:
    """Refuse addresses of storages that SRD does not know, which would be taken for paths.

    Raises:
        StorageError: as `open_storage`.
    """
    for place in places:
        if "://" in place:
            open_storage(place)


def usable_sink(sink: str) -> None:
    """Look whether results could go there; nothing is left of that.

    Raises:
        ConfigError: it is a file, or as `speakable`. StorageError: as `open_storage`. PlaceError: as `check_folder`.
    """
    speakable(sink)
    supported(sink)
    if is_remote(sink):
        return
    if local_path(sink).is_file():
        raise ConfigError(f"{sink} is a file", hint="Give a folder, which is made if it is not there, or s3://bucket/prefix")
    check_folder(local_path(sink))


def writable(file: Path, *, beside: bool = False) -> None:
    """Look whether a file could be written there, before the work that fills it; or beside it, from where it takes the place.

    Raises:
        ConfigError: there is no such folder, or a folder of that name. PlaceError: as `check_file`.
    """
    if file.is_dir():
        raise ConfigError(f"{file} is a folder", hint="Name a file in it")
    folder = behind(file).parent
    if not folder.is_dir():
        raise ConfigError(f"{file} cannot be written: there is no folder {folder}", hint="Make it, or name another place")
    if beside and file.exists():
        check_folder(file.resolve().parent)
    else:
        check_file(file)


def reachable(*sources: str) -> None:
    """Look whether inputs are there, without reading them, so that a slip shows at once and not when everything has started.

    Raises:
        SourceError, StorageError: as `take_inventory`. OSError: a folder cannot be read.
    """
    supported(*sources)
    for source in sources:
        if not is_remote(source):
            path = local_path(source)
            if path.is_file() or (path.is_dir() and _holds_shards(path)):
                continue
        take_inventory(source)


def _holds_shards(folder: Path) -> bool:
    """Whether there are any; `Path.glob` would take a folder that cannot be read for an empty one."""
    with os.scandir(folder) as entries:
        return any(entry.name.endswith(".tar") for entry in entries)
