"""Calls that wait for the results of others without holding a thread: of a set of many shards, thousands of tasks wait for a few."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, ParamSpec, TypeVar

from prefect.futures import PrefectFuture

P = ParamSpec("P")
Made = TypeVar("Made")


class Patient(concurrent.futures.ThreadPoolExecutor):
    """Starts a call when the Prefect futures among its arguments, in mappings and lists too, are done, however they ended."""

    def submit(self, fn: Callable[P, Made], /, *args: P.args, **kwargs: P.kwargs) -> concurrent.futures.Future[Made]:
        """See `Executor.submit`. Cancelled where the executor is shut down before the call could start."""
        made: concurrent.futures.Future[Made] = concurrent.futures.Future()
        asked = {*_futures(args), *_futures(kwargs)}
        left, lock = len(asked) + 1, threading.Lock()

        def one_less(_: object = None) -> None:
            nonlocal left
            with lock:
                left -= 1
                last = left == 0
            if last:
                self._start(made, partial(fn, *args, **kwargs))

        for future in asked:
            future.add_done_callback(one_less)
        one_less()
        return made

    def _start(self, made: concurrent.futures.Future[Made], call: Callable[[], Made]) -> None:
        try:
            super().submit(_perform, made, call)
        except RuntimeError:  # shut down
            made.cancel()
            made.set_running_or_notify_cancel()


def _perform(made: concurrent.futures.Future[Made], call: Callable[[], Made]) -> None:
    if made.set_running_or_notify_cancel():
        try:
            made.set_result(call())
        except BaseException as error:  # as executors do: it belongs to whoever asks for the result
            made.set_exception(error)


def _futures(item: object) -> Iterator[PrefectFuture[Any]]:
    if isinstance(item, PrefectFuture):
        yield item
    elif isinstance(item, Mapping):
        for part in item.values():
            yield from _futures(part)
    elif isinstance(item, list | tuple):
        for part in item:
            yield from _futures(part)
