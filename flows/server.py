"""Prefect's temporary server: a process that hears none of our signals and does not outlive us, however we end.

Imports Prefect: see `flows.settings.quiet`.
"""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS as STARTUP

from srd_core.errors import ConfigError


class Guard:
    """If this process is killed inside, so is the one that is watched: a shell in a group of its own waits for the end of a pipe that
    only we hold. It is there before the other one, which so is never without.
    """

    def __enter__(self) -> Self:
        """Start it; there is nothing to watch yet."""
        command = 'while read -r line; do number=$line; done; [ -z "$number" ] || kill -9 "$number"'
        self._shell = subprocess.Popen(["/bin/sh", "-c", command], stdin=subprocess.PIPE, start_new_session=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Whatever is watched is left alone."""
        self._shell.kill()
        self._shell.communicate()

    def watch(self, process: subprocess.Popen[Any]) -> None:
        """Watch this one, and no other any more."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{process.pid}\n".encode())
        self._shell.stdin.flush()


class TemporaryServer(SubprocessASGIServer):
    """Prefect's, watched by `guard` as soon as its process is there."""

    def __init__(self, port: int, guard: Guard) -> None:
        super().__init__(port)
        self._guard = guard

    def _run_uvicorn_command(self) -> subprocess.Popen[Any]:
        process = super()._run_uvicorn_command()
        self._guard.watch(process)
        return process

    def begin(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            ConfigError: it does not.
        """
        try:
            with _deaf_to_signals():
                self.start()
        except RuntimeError as error:
            problem = f"Prefect's temporary server did not answer within {STARTUP.value()} seconds"
            hint = f"Is the machine very busy? Run again later, set {STARTUP.name}, or name a server that runs in PREFECT_API_URL"
            raise ConfigError(problem, hint=hint) from error

    def end(self) -> None:
        """Its process hears nothing else, and its records are in memory."""
        if self.server_process is not None:
            self.server_process.kill()
        self.stop()


@contextmanager
def _deaf_to_signals() -> Iterator[None]:
    """Processes started inside never see Ctrl-C, nor a SIGTERM to the whole group: the server must outlive the work that reports to it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
