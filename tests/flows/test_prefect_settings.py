"""Prefect's settings that cannot be used are named, and never their values."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.settings import prefect_server
from srd_core.errors import ConfigError


@pytest.mark.parametrize("text", [None, "no certificate"])
@pytest.mark.parametrize("url", ["https://127.0.0.1:1/api", None])
def test_certificates_of_prefect_that_cannot_be_read(tmp_path: Path, text: str | None, url: str | None) -> None:
    """Regression: an internal error that named no file."""
    from prefect.settings import PREFECT_API_SSL_CERT_FILE, PREFECT_API_URL, temporary_settings

    if text is not None:
        (tmp_path / "ca.pem").write_text(text)
    file = str(tmp_path / "ca.pem")
    with (
        temporary_settings({PREFECT_API_URL: url, PREFECT_API_SSL_CERT_FILE: file}),
        pytest.raises(ConfigError, match=f"Prefect: the certificates cannot be read: {file}: .*PREFECT_API_SSL_CERT_FILE"),
    ):
        prefect_server(lambda: None).__enter__()


def test_certificates_without_which_prefect_cannot_be_imported(tmp_path: Path) -> None:
    """Regression: a traceback before the error, even where no server is configured."""
    code, lines = started(SSL_CERT_FILE=str(tmp_path / "ca.pem"), PREFECT_HOME=str(tmp_path))
    assert (code, len(lines)) == (2, 1)
    assert f"{tmp_path / 'ca.pem'}: No such file or directory. Check PREFECT_API_SSL_CERT_FILE and SSL_CERT_FILE" in lines[0]


def started(**variables: str) -> tuple[int, list[str]]:
    """Exit code and stderr of a run with these variables, in a process of its own: Prefect reads them when it is imported."""
    call = "from flows.settings import configured_server as c; from click import Group; from flows.cli.group import Commands; "
    code = "import click; g = Commands('g'); g.get_command = lambda *_: click.Command('x', callback=c); g(['x'])"
    ours = {name: text for name, text in os.environ.items() if not name.startswith("PREFECT_")}
    done = subprocess.run([sys.executable, "-c", call + code], capture_output=True, text=True, check=False, env=ours | variables)
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("PREFECT_CLIENT_MAX_RETRIES", "s3cret", "valid integer"), ("PREFECT_API_URL", "http://[::1", "Invalid IPv6 URL")],
)
def test_a_bad_variable_of_prefect_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    """Regression: an internal error, and pydantic's lines before it."""
    code, lines = started(**{name: text, "PREFECT_HOME": str(tmp_path)})
    assert (code, len(lines)) == (2, 1)
    assert f"error: Prefect's setting {name}: " in lines[0] and said in lines[0] and text not in lines[0]


def test_profiles_of_prefect_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "profiles.toml").write_text("[x")
    code, lines = started(PREFECT_HOME=str(tmp_path))
    assert code == 2 and "error: Prefect's profiles cannot be read: " in lines[-1]


def test_an_address_that_is_none() -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with (
        temporary_settings({PREFECT_API_URL: "http://x:abc/api"}),
        pytest.raises(ConfigError, match="Prefect's setting PREFECT_API_URL is no URL"),
    ):
        prefect_server(lambda: None).__enter__()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PREFECT_API_URL", "http://user:hunter2#x@127.0.0.1:1/api", "Prefect's setting PREFECT_API_URL is no URL"),
        ("PREFECT_API_URL", "http://[hunter2/api", "Prefect's setting PREFECT_API_URL: "),
        ("PREFECT_API_URL", "user:hunter2@127.0.0.1:1/api", "Prefect's setting PREFECT_API_URL is no URL"),
        ("PREFECT_API_URL", "ftp://user:hunter2@127.0.0.1:1/api", "Prefect's setting PREFECT_API_URL is no URL"),
        ("PREFECT_API_URL", "http://user:12/hunter2@127.0.0.1:1/api", "Prefect's setting PREFECT_API_URL is no URL"),
        ("PREFECT_API_URL", "http://user:hunter2 x@127.0.0.1:1/api", "Prefect's setting PREFECT_API_URL is no URL"),
        ("PREFECT_API_URL", "http:///hunter2", "Prefect's setting PREFECT_API_URL is no URL"),
        ("PREFECT_LOGGING_LEVEL", "hunter2", "Prefect's setting PREFECT_LOGGING_LEVEL: "),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", "Authorization: hunter2", "Prefect's settings cannot be read: error parsing value for field"),
    ],
)
def test_a_bad_setting_is_named_and_never_its_value(name: str, value: str, said: str) -> None:
    """Regression: of an address with a password that holds a #, the password was told; of others another variable."""
    code, lines = started(**{name: value})
    assert code == 2 and "hunter2" not in "".join(lines)
    assert said in lines[-1]
