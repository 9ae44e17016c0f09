"""Names of models on the hub, which libraries take for a folder of that name where there is one.

The working folder may be one that a stranger filled, so only a whole path means a folder.
"""

from __future__ import annotations

import os

from srd_core.errors import ConfigError

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
