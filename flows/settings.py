"""How Prefect behaves when nobody has set it up: no telemetry, no chatter, a temporary server of this process's own.

Whoever has a server (PREFECT_API_URL, or a profile that names one) keeps it, and all settings made in the environment win.
Call `quiet` before Prefect is imported.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from srd_core.errors import ConfigError

if TYPE_CHECKING:
    from prefect.server.api.server import SubprocessASGIServer

T = TypeVar("T")

_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
    "OMP_NUM_THREADS": "1",
    "PYTHONSAFEPATH": "1",  # processes that are started with -c or -m would take modules from the working folder first
    "TQDM_DISABLE": "1",
}


def quiet(*, verbose: bool = False) -> None:
    """Set the defaults in the environment, which worker processes and the server inherit. Errors are shown by the command line itself."""
    level = "INFO" if verbose else "CRITICAL"
    levels = dict.fromkeys(("PREFECT_LOGGING_LEVEL", "PREFECT_LOGGING_SERVER_LEVEL", "PREFECT_LOGGING_INTERNAL_LEVEL"), level)
    for name, value in (_QUIET | levels).items():
        os.environ.setdefault(name, value)


def configured_server() -> str | None:
    """URL, without credentials, of the Prefect server that is configured; None: a temporary one is to be started."""
    from prefect.settings import PREFECT_API_URL

    parts = urlsplit(PREFECT_API_URL.value() or "")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() or None


@contextmanager
def prefect_server(meanwhile: Callable[[], T]) -> Iterator[T]:
    """Prefect is ready inside: the server that is configured, or a temporary one with its records in memory, which takes 8 s to start.

    Yields what `meanwhile` returns, which is called while the server starts.

    Raises:
        ConfigError: the configured server does not answer, or is one that this Prefect cannot use; or the temporary one does not start.
    """
    if configured_server():
        _must_answer()
        yield meanwhile()
        return
    from prefect.events.worker import EventsWorker
    from prefect.server.api.server import SubprocessASGIServer

    with tempfile.TemporaryDirectory(prefix="srd-prefect-") as folder:
        password = f"srd:{secrets.token_urlsafe()}"  # any page in a browser can send requests to this machine
        ours = {
            "PREFECT_SERVER_API_AUTH_STRING": password,
            "PREFECT_API_AUTH_STRING": password,
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:///:memory:",
            "PREFECT_LOCAL_STORAGE_PATH": folder,  # no result is kept, but a flow that fails writes its error there
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
        }
        with _environment(ours), ThreadPoolExecutor(1) as aside:
            server = SubprocessASGIServer(port=_free_port())
            try:
                started = aside.submit(_start, server)
                result = meanwhile()
                started.result()
                with _environment({"PREFECT_API_URL": server.api_url}), _not_outliving_us(server.server_process):
                    yield result
            finally:
                EventsWorker.drain_all(timeout=10)
                _stop(server)


def _must_answer() -> None:
    from httpx import HTTPError
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            client.raise_for_api_version_mismatch()
    except (RuntimeError, HTTPError) as error:
        problem = str(error).splitlines()[0].rstrip(".")
        hint = "Start that server, or unset PREFECT_API_URL (`prefect config unset PREFECT_API_URL`) to run with a temporary one"
        raise ConfigError(f"Prefect: {problem}", hint=hint) from error


def _start(server: SubprocessASGIServer) -> None:
    from prefect.settings import PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS as STARTUP

    try:
        with _deaf_to_signals():
            server.start()
    except RuntimeError as error:
        problem = f"Prefect's temporary server did not answer within {STARTUP.value()} seconds"
        hint = f"Is the machine very busy? Run again later, set {STARTUP.name}, or name a server that runs in PREFECT_API_URL"
        raise ConfigError(problem, hint=hint) from error


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Prefect's settings for all threads. Its `temporary_settings` do not reach the thread that forwards workers' events, which then starts
    a second server.
    """
    from prefect.context import refresh_global_settings_context

    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    refresh_global_settings_context()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        refresh_global_settings_context()


def _stop(server: SubprocessASGIServer) -> None:
    """Its process hears nothing else, and its records are in memory."""
    if server.server_process is not None:
        server.server_process.kill()
    server.stop()


@contextmanager
def _deaf_to_signals() -> Iterator[None]:
    """Processes started inside never see Ctrl-C, nor a SIGTERM to the whole group: the server must outlive the work that reports to it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _not_outliving_us(process: subprocess.Popen[Any] | None) -> Iterator[None]:
    """If this process is killed inside, so is `process`: a shell in a group of its own waits for the end of a pipe that only we hold."""
    if process is None:
        yield
        return
    command = ["/bin/sh", "-c", f"read -r line; kill -9 {process.pid}"]
    guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        guard.kill()
        guard.communicate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
