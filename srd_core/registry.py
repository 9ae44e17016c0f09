"""Things known by name, each in a file of its own in one package: a new one is a new file, and nothing else changes."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Generic, TypeVar

from srd_core.errors import ConfigError
from srd_core.suggestions import did_you_mean

T = TypeVar("T")


class Registry(Generic[T]):
    """Entries of one `package`, all of whose modules are imported before the first look-up. `noun` is for messages.

    Name the package in full where the registry is made: that is how a stage's cache key finds the files (`srd_core.stages.code`).
    """

    def __init__(self, package: str, noun: str) -> None:
        self._package, self._noun = package, noun
        self._entries: dict[str, T] = {}
        self._complete = False

    def add(self, name: str, entry: T) -> None:
        """Make `entry` known under `name`.

        Raises:
            ConfigError: another entry has that name.
        """
        if self._entries.get(name, entry) is not entry:
            raise ConfigError(f"there are two {self._noun}s called {name!r}", hint=f"Rename one: {entry} or {self._entries[name]}")
        self._entries[name] = entry

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: make something known under `name`.

        Raises:
            ConfigError: another entry has that name.
        """

        def keep(entry: T) -> T:
            self.add(name, entry)
            return entry

        return keep

    def get(self, name: str) -> T:
        """The entry of that name.

        Raises:
            ConfigError: unknown name.
        """
        if name not in self.names():
            hint = f"{did_you_mean(name, self.names())}Choose one of: {', '.join(self.names())}"
            raise ConfigError(f"unknown {self._noun} {name!r}", hint=hint)
        return self._entries[name]

    def names(self) -> tuple[str, ...]:
        """All of them, sorted."""
        if not self._complete:
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self._package}.{module.name}")
            self._complete = True
        return tuple(sorted(self._entries))
