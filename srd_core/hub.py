"""Models that libraries load from a folder or the hub: what their names mean, and what is said where one cannot be loaded.

Libraries take a name for a folder of that name where there is one. The working folder may be one that a stranger filled, so only a whole
path means a folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from srd_core.addresses import logged_without_user, without_user
from srd_core.errors import ConfigError, SrdError

ENCODERS = "sentence-transformers"
"""The hub's owner that sentence-transformers puts before a name without one."""


def check_name(name: str, *, owner: str = "", what: str = "") -> None:
    """Make sure that nothing which lies here would be taken for the model `name` of the hub.

    `owner` is what a library may put before the name, `what` says in a message where it is named.

    Raises:
        ConfigError: something would.
    """
    for place in (name, f"{owner}/{name}") if owner else (name,):
        if not os.path.isabs(place) and os.path.exists(place):
            raise ConfigError(
                f"{what}{': ' if what else ''}there is something called {place!a} here, which would be taken for that model",
                hint="Give its whole path to mean it, or start in another folder",
            )


@contextmanager
def loading(what: str, hint: str) -> Iterator[None]:
    """What libraries raise while they load `what`, as an error that names it; `hint` says what to give instead.

    A folder that is not what they expect makes them raise anything, down to plain `Exception` (tokenizers).

    Raises:
        ConfigError: it is not there, cannot be reached, or is not what it should be.
    """
    try:
        with logged_without_user():
            yield
    except (SrdError, MemoryError):
        raise
    except Exception as error:
        told = without_user(_told(error).splitlines()[0])
        raise ConfigError(f"{what} could not be loaded: {told[:200].rstrip('. :')}", hint=hint) from error


def _told(error: Exception) -> str:
    """What it says; with its kind where that is a key alone."""
    said, kind = str(error).strip(), type(error).__name__
    return f"{kind}: {said}" if isinstance(error, LookupError) else said or kind
