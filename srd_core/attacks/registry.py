"""Attacks by name. Every module of this package is imported before the first look-up, so a new attack is one new file with `@register`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TypeVar

from srd_core.attacks.base import Attack
from srd_core.errors import ConfigError

A = TypeVar("A", bound=Attack)

_ATTACKS: dict[str, type[Attack]] = {}


def register(kind: type[A]) -> type[A]:
    """Class decorator: make the attack known under its `name`. It must be constructible without arguments.

    Raises:
        ConfigError: another class has that name.
    """
    if _ATTACKS.get(kind.name, kind) is not kind:
        raise ConfigError(f"two attacks are called {kind.name!r}", hint=f"Rename {kind.__qualname__} or {_ATTACKS[kind.name].__qualname__}")
    _ATTACKS[kind.name] = kind
    return kind


def get(name: str) -> Attack:
    """Return the attack with its default settings.

    Raises:
        ConfigError: unknown name.
    """
    _discover()
    if name not in _ATTACKS:
        raise ConfigError(f"unknown attack {name!r}", hint=f"Choose one of: {', '.join(names())}")
    return _ATTACKS[name]()


def names() -> tuple[str, ...]:
    """Names of all attacks, sorted."""
    _discover()
    return tuple(sorted(_ATTACKS))


@cache
def _discover() -> None:
    package = importlib.import_module("srd_core.attacks")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
