"""Data-poisoning attacks for experiments: one file each, found by name in one registry (`get`, `names`).

`poison` makes poisoned copies of data, `synthesis` the poisoned set that the defence itself trains on. Attacks that
work something out first (`needs_encoder`) are kept in a folder by `prepared`. Those whose attacker
trains the model too (`trains`) say what he makes small.
"""

from __future__ import annotations

from srd_core.attacks.base import Attack, Box, Triggered
from srd_core.attacks.registry import get, names, register

__all__ = ["Attack", "Box", "Triggered", "get", "names", "register"]
