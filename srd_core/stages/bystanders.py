"""What may lie at a sink and is neither handed back nor an alteration of what is: `claim` lets it be, and so does `srd verify`."""

from __future__ import annotations

STAGES = "stages"
"""The folder where a run keeps what it has computed, unless told another: checked by digest whenever it is used again."""

_HARMLESS = frozenset((".gitkeep", ".keep", ".gitignore", ".DS_Store", "Thumbs.db", "desktop.ini"))
"""What keeps a folder in a repository, or a file manager leaves there. Other hidden files are not: a reader of shards may take them."""


def is_harmless(name: str) -> bool:
    """Whether a file of that name says nothing, in whichever folder of the sink. Of a link or a special file no name says that."""
    return name.rpartition("/")[2] in _HARMLESS


def is_on_the_way(name: str) -> bool:
    """Whether it lies in the folder of what was computed on the way, or is that folder, by a link."""
    return name.partition("/")[0] == STAGES
