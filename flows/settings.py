"""How Prefect behaves when nobody has set it up: no telemetry, no chatter, a temporary server of this process's own.

Whoever has a server (PREFECT_API_URL, or a profile that names one) keeps it, and all settings made in the environment win.
Call `quiet` before Prefect is imported.
"""

from __future__ import annotations

import io
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr
from tomllib import TOMLDecodeError
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_settings import SettingsError

from srd_core.addresses import without_user
from srd_core.errors import ConfigError

T = TypeVar("T")

_URL = "PREFECT_API_URL"
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
    """URL, without credentials, of the Prefect server that is configured; None: a temporary one is to be started.

    Raises:
        ConfigError: one of Prefect's settings is none, or the certificates cannot be read.
    """
    _check_certificates(os.environ.get("SSL_CERT_FILE"))  # without them Prefect cannot even be imported
    said = io.StringIO()
    try:
        with redirect_stderr(said):  # Prefect tells of bad settings there too
            from prefect.settings import PREFECT_API_SSL_CERT_FILE, PREFECT_API_TLS_INSECURE_SKIP_VERIFY, PREFECT_API_URL

            url = PREFECT_API_URL.value() or ""
            certificates = None if PREFECT_API_TLS_INSECURE_SKIP_VERIFY.value() else PREFECT_API_SSL_CERT_FILE.value()
        sys.stderr.write(without_user(said.getvalue()))
    except ValueError as error:  # pydantic's and those about TOML are some
        raise _bad_setting(error) from error
    _check_certificates(certificates)  # asked for whatever the server is
    return _checked(url) if url else None


def _checked(url: str) -> str:
    """The same without credentials. An @ behind the host ends a password that holds a sign which must be written otherwise."""
    try:
        parts = urlsplit(url)
        usable = len(url.split()) == 1 and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise _no_url() from error
    if not usable or "@" in f"{parts.path}{parts.query}{parts.fragment}":
        raise _no_url()
    return without_user(url)


def _check_certificates(file: str | None) -> None:
    if not file:
        return
    from ssl import create_default_context

    try:
        create_default_context(cafile=file)
    except OSError as error:  # one of SSL's where it holds none
        problem = f"Prefect: the certificates cannot be read: {file}: {error.strerror or error}"
        raise ConfigError(problem, hint="Check PREFECT_API_SSL_CERT_FILE and SSL_CERT_FILE") from error


def _no_url() -> ConfigError:
    return ConfigError(f"Prefect's setting {_URL} is no URL", hint="Write http://HOST:PORT/api; in a password, %23 for # and the like")


def _bad_setting(error: ValueError) -> ConfigError:
    """Names the variable. No value is shown: some are secrets."""
    if isinstance(error, (TOMLDecodeError, UnicodeDecodeError)):
        hint = "Mend profiles.toml in PREFECT_HOME (~/.prefect)"
        return ConfigError(f"Prefect's profiles cannot be read: {error}", hint=hint)
    first = error.errors()[0] if isinstance(error, ValidationError) else None
    hint = "Set it otherwise, or unset it; it may also come from a profile (`prefect config view`)"
    if first is None:
        told = str(error) if isinstance(error, SettingsError) else type(error).__name__
        return ConfigError(f"Prefect's settings cannot be read: {told}", hint=hint)
    key = ".".join(map(str, first["loc"]))
    names = _variables(key, first["input"]) if key else []
    return ConfigError(f"Prefect's setting {' or '.join(names) or key or _URL}: {_message(first['msg'])}", hint=hint)


def _message(told: str) -> str:
    return without_user(told.removeprefix("Value error, "))


def _variables(key: str, value: object) -> list[str]:
    """Those that may have set this key, whose value Prefect may have written otherwise."""
    ours = (name for name, text in os.environ.items() if name.startswith("PREFECT_") and text.casefold() == str(value).casefold())
    return sorted(name for name in ours if name.lower().endswith(key.lower()))


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

    from flows.server import Guard, TemporaryServer, free_port

    with tempfile.TemporaryDirectory(prefix="srd-prefect-") as folder:
        password = f"srd:{secrets.token_urlsafe()}"  # any page in a browser can send requests to this machine
        ours = {
            "PREFECT_SERVER_API_AUTH_STRING": password,
            "PREFECT_API_AUTH_STRING": password,
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:///:memory:",
            "PREFECT_LOCAL_STORAGE_PATH": folder,  # no result is kept, but a flow that fails writes its error there
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
        }
        with _environment(ours), Guard() as guard, ThreadPoolExecutor(1) as aside:
            server = TemporaryServer(free_port(), guard)
            try:
                started = aside.submit(server.begin)
                result = meanwhile()
                started.result()
                with _environment({"PREFECT_API_URL": server.api_url}):
                    yield result
            finally:
                EventsWorker.drain_all(timeout=10)
                server.end()


def _must_answer() -> None:
    from httpx import HTTPError, InvalidURL
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            client.raise_for_api_version_mismatch()
    except InvalidURL as error:
        raise _no_url() from error
    except (RuntimeError, HTTPError) as error:
        problem = without_user((str(error) or type(error).__name__).splitlines()[0].rstrip("."))
        hint = "Start that server, or unset PREFECT_API_URL (`prefect config unset PREFECT_API_URL`) to run with a temporary one"
        raise ConfigError(f"Prefect: {problem}", hint=hint) from error


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
