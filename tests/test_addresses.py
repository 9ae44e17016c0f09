"""Passwords in addresses: in nothing that is said, whoever says it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from botocore.exceptions import EndpointConnectionError

from flows.cli.group import report_unexpected, report_unexpected_whole
from flows.settings import prefect_server
from srd_core.addresses import logged_without_user, without_user
from srd_core.errors import ConfigError, SrdError, StorageError
from srd_core.hub import loading
from srd_core.storage.s3_errors import translated

ADDRESS = "http://user:hunter2@127.0.0.1:1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Client error '401' for url '{ADDRESS}/api/'", "Client error '401' for url 'http://127.0.0.1:1/api/'"),
        ("at https://me:a/b'c@d@host/x, then http://host/y", "at https://host/x, then http://host/y"),
        ("Invalid endpoint: user:hunter2@host", "Invalid endpoint: host"),
        ("connect to 'user:hunter2@host'", "connect to 'host'"),
        ("http://me@host", "http://host"),
        ("s3://bucket/key: no answer from http://127.0.0.1:9/x", "s3://bucket/key: no answer from http://127.0.0.1:9/x"),
        ("write to me@example.org: now", "write to me@example.org: now"),
    ],
)
def test_users_are_taken_out_and_nothing_else(text: str, expected: str) -> None:
    assert without_user(text) == expected


@pytest.fixture
def denying() -> Iterator[int]:
    """Port of a server that answers 401 to everything."""

    class Denying(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Denying) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_prefect_server_that_denies_is_named_without_the_password(denying: int) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with (
        temporary_settings({PREFECT_API_URL: f"http://user:hunter2@127.0.0.1:{denying}/api"}),
        pytest.raises(ConfigError, match=rf"401.*http://127\.0\.0\.1:{denying}/api") as raised,
    ):
        prefect_server(lambda: None).__enter__()
    assert "hunter2" not in str(raised.value)


def test_a_mirror_of_the_hub_is_named_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    """In what is raised and in what is logged on the way."""
    with (
        pytest.raises(SrdError, match=r"model 'x' could not be loaded: no answer from http://127\.0\.0\.1:1") as raised,
        loading("model 'x'", ""),
    ):
        logging.getLogger("huggingface_hub.utils").warning("HEAD %s, try %d", ADDRESS, 1)
        raise OSError(f"no answer from {ADDRESS}")
    assert "hunter2" not in str(raised.value)
    assert caplog.messages == ["HEAD http://127.0.0.1:1, try 1"]


def test_a_log_line_with_arguments_that_do_not_fit_stops_nothing() -> None:
    made = logging.getLogRecordFactory()
    with logged_without_user():
        assert logging.getLogRecordFactory()("n", logging.INFO, "f", 1, "%d", ("x",), None).args == ("x",)
    assert logging.getLogRecordFactory() is made


@pytest.mark.parametrize(
    "error", [EndpointConnectionError(endpoint_url=f"{ADDRESS}/nix"), ValueError("Invalid endpoint: user:hunter2@host")]
)
def test_a_storage_is_named_without_the_password(error: Exception) -> None:
    with pytest.raises(StorageError, match=r"s3://nix/x: .*(http://127\.0\.0\.1:1/nix|endpoint: host)") as raised, translated("s3://nix/x"):
        raise error
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("tell", [report_unexpected, report_unexpected_whole])
def test_not_even_a_bug_tells_a_password(tell: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    error = RuntimeError(f"no answer from {ADDRESS}")
    with pytest.raises(SystemExit):
        tell(RuntimeError, error, None)
    said = capsys.readouterr().err
    assert "no answer from http://127.0.0.1:1" in said and "hunter2" not in said
