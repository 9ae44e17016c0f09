"""User names and passwords that stand in addresses (`http://USER:PASSWORD@HOST`): in no message and in no log line."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_USER = re.compile(r"(?P<kept>//)\S*@|[^\s'\"/:=(]+:(?!//)\S*@")
"""To the last @ of a word, since a password may hold any sign; also where the scheme was forgotten (`USER:PASSWORD@HOST`)."""


def without_user(text: str) -> str:
    """The text with no user and no password in any address; of a path that holds an @, what stands before it goes too."""
    return _USER.sub(r"\g<kept>", text)


@contextmanager
def logged_without_user() -> Iterator[None]:
    """What anybody logs inside, `without_user`. Filters would not do: a logger's do not see what loggers below it log."""
    made = logging.getLogRecordFactory()

    def make(*given: Any, **named: Any) -> logging.LogRecord:
        record = made(*given, **named)
        with suppress(TypeError, ValueError, KeyError):  # arguments that do not fit are for the handler to tell
            record.msg, record.args = without_user(record.getMessage()), ()
        return record

    logging.setLogRecordFactory(make)
    try:
        yield
    finally:
        logging.setLogRecordFactory(made)
