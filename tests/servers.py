"""Real servers for tests: a SeaweedFS S3 server of one's own on free ports, started and stopped by a context manager."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ACCESS_KEY, SECRET_KEY = "test-access", "test-secret-key"
_ROLES = ["master", "volume", "filer", "s3"]


@dataclass(frozen=True)
class Seaweed:
    """A running server: where it is, who may enter, and how to get a bucket of one's own."""

    endpoint: str
    access_key: str
    secret_key: str
    make_bucket: Callable[[str], str]

    def environment(self) -> dict[str, str]:
        """What AWS tools need to find it and to look nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self) -> Any:
        """A plain boto3 client of this server."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
        )


def free_ports(count: int) -> list[int]:
    """Different TCP ports that nobody listens on right now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def seaweed(folder: Path, room: Sequence[str] = ("-master.volumeSizeLimitMB=64", "-volume.max=500")) -> Iterator[Seaweed]:
    """An S3 server over a fresh `folder`, ready to take requests; killed with its data left there. `room`: flags about its volumes."""
    data = folder / "seaweed"
    data.mkdir(parents=True)
    who = {
        "name": "test",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    config = folder / "seaweed-s3.json"
    config.write_text(json.dumps({"identities": [who]}))
    *pairs, iceberg, lance = free_ports(2 * len(_ROLES) + 2)
    flags = [f"-{role}.port={pairs[2 * i]}" for i, role in enumerate(_ROLES)]
    flags += [f"-{role}.port.grpc={pairs[2 * i + 1]}" for i, role in enumerate(_ROLES)]
    flags += [
        f"-s3.port.iceberg={iceberg}",
        f"-s3.port.lance={lance}",
        "-s3",
        f"-s3.config={config}",
        f"-dir={data}",
        "-master.telemetry=false",
    ]
    flags += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", *room, "-volume.preStopSeconds=0"]
    log = folder / "seaweed.log"
    program = Path(sys.executable).parent / "weed"
    with log.open("wb") as output:
        process = subprocess.Popen([program, "server", *flags], stdout=output, stderr=output, cwd=folder, start_new_session=True)
    try:
        server = Seaweed(
            f"http://127.0.0.1:{pairs[2 * _ROLES.index('s3')]}", ACCESS_KEY, SECRET_KEY, lambda name: _make_bucket(server, name)
        )
        _wait(server, process, log)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _make_bucket(server: Seaweed, name: str) -> str:
    server.client().create_bucket(Bucket=name)
    return name


def _wait(server: Seaweed, process: subprocess.Popen[bytes], log: Path, seconds: float = 60.0) -> None:
    """Until an object can be written: the listener is up long before a volume is."""
    client, stop = server.client(), time.monotonic() + seconds
    while True:
        try:
            if not any(bucket["Name"] == "warm-up" for bucket in client.list_buckets()["Buckets"]):
                client.create_bucket(Bucket="warm-up")
            client.put_object(Bucket="warm-up", Key="ready", Body=b"1")
            return
        except (BotoCoreError, ClientError) as error:
            if process.poll() is not None or time.monotonic() > stop:
                raise RuntimeError(f"the S3 server did not start: {log.read_text(errors='replace')[-2000:]}") from error
            time.sleep(0.2)
