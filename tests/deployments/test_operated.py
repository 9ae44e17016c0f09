"""The flow as it is operated: a server, a work pool, a worker, `prefect deploy`, `prefect deployment run`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName

from srd_core.data.inventory import take_inventory
from srd_core.scenes.dataset import write_shards
from srd_core.stages.verification import check
from tests.kills import until
from tests.servers import free_ports

ROOT = Path(__file__).parents[2]
PREFECT = shutil.which("prefect", path=str(Path(sys.executable).parent)) or "prefect"


def test_every_deployment_names_a_flow_that_exists() -> None:
    for deployment in yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())["deployments"]:
        module, _, name = deployment["entrypoint"].rpartition(".")
        assert f"\ndef {name}(" in (ROOT / f"{module.replace('.', '/')}.py").read_text()


def test_the_automation_waits_for_the_event_that_is_sent() -> None:
    from flows.watch import EVENT

    automation = yaml.safe_load((ROOT / "deployments" / "automations.yaml").read_text())["automations"][0]
    assert automation["trigger"]["expect"] == [EVENT]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Prefect server of the test's own, with a work pool and all deployments; what a client needs to find it."""
    (port,), place = free_ports(1), tmp_path_factory.mktemp("prefect")
    settings = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "PATH": f"{Path(PREFECT).parent}:{os.environ['PATH']}",
        "PREFECT_HOME": str(place),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "OMP_NUM_THREADS": "1",
    }
    with started(["server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"], settings, place):
        wait_for(f"http://127.0.0.1:{port}/api/health")
        prefect(settings, "work-pool", "create", "srd", "--type", "process")
        deploy(settings, "--all")
        yield settings


@contextmanager
def started(arguments: list[str], settings: dict[str, str], folder: Path) -> Iterator[None]:
    """Prefect with these arguments in a folder that holds none of SRD, until the end of the block."""
    with (folder / f"{arguments[0]}.log").open("wb") as log:
        process = subprocess.Popen([PREFECT, *arguments], env=settings, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:  # Prefect's worker does not always end when it is asked to
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def deploy(settings: dict[str, str], *which: str) -> None:
    prefect(settings, "deploy", "--prefect-file", "deployments/prefect.yaml", *which)


def prefect(settings: dict[str, str], *arguments: str) -> str:
    command = [PREFECT, "--no-prompt", *arguments]
    result = subprocess.run(command, env=settings, cwd=ROOT, capture_output=True, text=True, timeout=400, stdin=subprocess.DEVNULL)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def parameters_of_runs(client: SyncPrefectClient, deployment: str) -> list[dict[str, object]]:
    """Of the runs that wait for a worker."""
    of = DeploymentFilter(name=DeploymentFilterName(any_=[deployment]))
    return [run.parameters for run in client.read_flow_runs(deployment_filter=of) if run.state and run.state.is_scheduled()]


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"nothing answers at {url}")


@pytest.mark.slow
def test_deploy_and_run(environment: dict[str, str], tmp_path: Path) -> None:
    write_shards(tmp_path / "suspect", 20, seed=2, side=32, per_shard=10)
    write_shards(tmp_path / "trusted", 40, seed=1, side=32)
    given = {"source": tmp_path / "suspect", "sink": tmp_path / "sink", "trusted": tmp_path / "trusted", "profile": "test"}
    given["overrides"] = '["workers=1"]'
    parameters = [part for name, value in given.items() for part in ("-p", f"{name}={value}")]
    with started(["worker", "start", "--pool", "srd"], environment, tmp_path):
        said = prefect(environment, "deployment", "run", "srd/cleanse", *parameters, "--watch")
    assert "Completed" in said.splitlines()[-1]
    assert check(str(tmp_path / "sink")) == []


@pytest.mark.slow
def test_the_watch_is_off_at_first_and_deploying_again_leaves_it_as_it_is(environment: dict[str, str]) -> None:
    with SyncPrefectClient(api=environment["PREFECT_API_URL"]) as client:

        def schedules() -> list[tuple[str, bool]]:
            return [(str(schedule.id), schedule.active) for schedule in client.read_deployment_by_name("srd-watch/inbox").schedules]

        assert schedules() == []
        prefect(environment, "deployment", "schedule", "create", "srd-watch/inbox", "--interval", "60")
        ((made, active),) = schedules()
        assert active and until(lambda: bool(parameters_of_runs(client, "inbox")), 60)
        deploy(environment, "--name", "inbox")
        assert schedules() == [(made, True)]
        prefect(environment, "deployment", "schedule", "pause", "srd-watch/inbox", made)
        deploy(environment, "--name", "inbox")
        assert schedules() == [(made, False)]


@pytest.mark.slow
def test_of_every_set_that_arrives_a_run_is_asked_for(environment: dict[str, str], tmp_path: Path) -> None:
    """No worker looks, so that the runs stay as they were asked for. A name is no template."""
    sources = [tmp_path / "in" / name for name in ("first", "set one {{ x }}")]
    for seed, source in enumerate(sources):
        write_shards(source, 2, seed=seed, side=32)
        (source / "READY").touch()
    automations = yaml.safe_load((ROOT / "deployments" / "automations.yaml").read_text())
    (action,) = automations["automations"][0]["actions"]
    fixed = {name: value for name, value in action["parameters"].items() if isinstance(value, str)}
    wanted = [
        {**fixed, "source": str(source), "sink": f"{tmp_path}/out/{source.name}-{take_inventory(str(source)).digest[:12]}"}
        for source in sources
    ]
    with SyncPrefectClient(api=environment["PREFECT_API_URL"]) as client:
        action["deployment_id"] = str(client.read_deployment_by_name("srd/cleanse").id)
        (tmp_path / "automations.yaml").write_text(yaml.safe_dump(automations))
        prefect(environment, "automation", "create", "--from-file", str(tmp_path / "automations.yaml"))
        look = "import sys; from flows.watch import watch; watch(*sys.argv[1:])"
        places = [str(tmp_path / name) for name in ("in", "state", "out")]
        subprocess.run([sys.executable, "-c", look, *places], env=environment, cwd=ROOT, check=True, timeout=400)
        until(lambda: len(parameters_of_runs(client, "cleanse")) == len(wanted), 60)
        assert sorted(parameters_of_runs(client, "cleanse"), key=str) == sorted(wanted, key=str)
