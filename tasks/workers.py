"""Where tasks run: in processes of their own, one thread of arithmetic each, or in this process when there are to be none."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

from prefect.futures import PrefectFuture
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from srd_core.data.manifest import StageManifest
from srd_core.hardware import settle_threads, threads
from srd_core.stages.code import Tree, adopt, taken
from tasks.patience import Patient

Future = PrefectFuture[StageManifest]
Runner = TaskRunner[Any]


def settle(scratch: str, code: Tree) -> None:
    """Prepare a worker process: its threads, and a silent end on Ctrl-C or with its parent.

    Temporary files go to the folder `scratch`, since a process that ends so leaves them. Keys are those of the parent's `code`.
    """
    adopt(code)
    settle_threads()
    os.environ["TMPDIR"] = tempfile.tempdir = scratch
    threading.Thread(target=_end_with_parent, args=(scratch,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end_with_parent(scratch: str) -> None:
    """Wait for the end of the process that started this one, and end too: one that is killed cannot tell its workers, nor tidy up."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(1)


class Processes(ProcessPoolTaskRunner):
    """Prefect's runner, but a task that waits for its inputs keeps no other from starting: Prefect has one waiting thread a worker."""

    def __enter__(self) -> Self:
        """Start, with tasks that hold no thread while they wait."""
        super().__enter__()
        self._resolver_executor = Patient(max_workers=self._max_workers)
        return self


@contextmanager
def workers(count: int) -> Iterator[Runner]:
    """A started runner of `count` worker processes. When the work inside fails, unfinished tasks are stopped, not waited for.

    What they leave in their temporary folder is removed at the end, however they end. Without any, tasks run one by one in a thread
    of this process, which starts sooner and can be debugged, but cannot be stopped: the one that runs is waited for.

    Raises:
        ConfigError: as `threads`, which a worker could not tell.
    """
    threads()
    if count == 0:
        settle_threads()
        own: Runner = ThreadPoolTaskRunner(max_workers=1)
        with own:
            yield own
        return
    others = set(multiprocessing.active_children())
    with (
        tempfile.TemporaryDirectory(prefix="srd-workers-", ignore_cleanup_errors=True) as scratch,
        Processes(max_workers=count, initializer=partial(settle, scratch, taken())) as processes,
    ):
        finished = False
        try:
            yield processes
            finished = True
        finally:
            if not finished:
                for child in set(multiprocessing.active_children()) - others:
                    child.terminate()
