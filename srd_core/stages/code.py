"""The part of a stage's key that stands for its code: a digest of every `srd_core` module that it can reach by imports.

An edit to the report does not repeat a training; an edit to the training loop does. Imports inside functions count too. So does every
module, and all of a package, that a text names in full: registries find their files by that name, and child processes run by it. Of a
package from which templates are loaded, all other files count as well. Profiles do not: what stages read of them is in their keys.

Files count as they were when this process began to import the package, since that is what it runs: all are read once, here. A process that
works for another one goes by that one's (`adopt`). What has been edited since is known by `check_unedited` alone: modules that are imported
only when they are needed may be old or new.
"""

from __future__ import annotations

import ast
import hashlib
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

import srd_core
from srd_core.errors import ConflictError

_PACKAGE = "srd_core"
_ROOT = Path(srd_core.__file__).parent
_LOADER = "PackageLoader"
_PACKAGE_NAME = re.compile(rf"{_PACKAGE}(\.\w+)+")

Tree = dict[str, bytes]
"""What stands for each file of a folder, by its place there: the source of a module, which is looked through for imports, else a digest."""


def read_tree(folder: Path) -> Tree:
    """All files below `folder`, weights and templates too, but compiled ones, hidden ones and what editors leave beside a file."""
    tree: Tree = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        with suppress(FileNotFoundError):  # an editor's file, which came and went meanwhile
            if path.is_file() and not _is_passing(name):
                tree[name.as_posix()] = _state(path)
    return tree


def _is_passing(name: Path) -> bool:
    return name.name.endswith("~") or any(part == "__pycache__" or part.startswith(".") for part in name.parts)


def _state(path: Path) -> bytes:
    content = path.read_bytes()
    return content if path.suffix == ".py" else hashlib.sha256(content).digest()


_taken = read_tree(_ROOT)


def taken() -> Tree:
    """The package as it was when this process began to import it, or the one for which it works."""
    return _taken


def adopt(tree: Tree) -> None:
    """Go by what the process took for which this one works: it may have started hours ago, and one run is made by one code."""
    global _taken
    _taken = tree
    for known in (code_digest, reachable, _imports, _template_folders):
        known.cache_clear()


def check_unedited(module: str, what: str) -> None:
    """Look whether all files that `module` can reach are still what keys and marks go by, so that they hold for what is made.

    Raises:
        ConflictError: one is not; the message names it, and `what` needs it.
    """
    for name in _files(module):
        path = _ROOT / name
        if not path.is_file() or _state(path) != _taken[name]:
            raise ConflictError(
                f"srd_core/{name}, which {what} needs, has been edited since this run started: nobody could say which code made the result",
                hint="Nothing of it is recorded. Start again: what was finished before is kept",
            )


@cache
def code_digest(module: str) -> str:
    """Hex digest of the sources of `module` and of all `srd_core` modules that it imports, directly or not, and of templates they load."""
    return tree_digest({name: _taken[name] for name in _files(module)})


def tree_digest(tree: Tree) -> str:
    """Hex digest of names and contents."""
    total = hashlib.sha256()
    for name, state in sorted(tree.items()):
        total.update(name.encode() + b"\0" + hashlib.sha256(state).digest())
    return total.hexdigest()


@cache
def reachable(module: str) -> frozenset[str]:
    """Names of the `srd_core` modules in the transitive closure of `module`'s imports, itself included."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _imports(name)
    return frozenset(seen)


def _files(module: str) -> list[str]:
    """The places of all that the code of `module` is made of."""
    names = reachable(module)
    folders = tuple(folder for name in names for folder in _template_folders(name))
    sources = [place for name in names if (place := _place(name))]
    return sorted({*sources, *(name for name in _taken if name.startswith(folders))})


@cache
def _imports(module: str) -> tuple[str, ...]:
    found: list[str] = []
    for node in ast.walk(ast.parse(_source(module))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _PACKAGE_NAME.fullmatch(node.value):
            found += _members(node.value)
    return tuple(name for name in found if name.split(".")[0] == _PACKAGE and _place(name) is not None)


@cache
def _template_folders(module: str) -> tuple[str, ...]:
    """The folders of the packages that `module` gives to a `PackageLoader`."""
    found = []
    for node in ast.walk(ast.parse(_source(module))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == _LOADER:
            places = (_place(str(name.value)) for name in node.args if isinstance(name, ast.Constant))
            found += [place[: place.rfind("/") + 1] for place in places if place]
    return tuple(found)


def _members(name: str) -> list[str]:
    """The module of that name; of a package, those in it too."""
    folder, _, file = (_place(name) or "").rpartition("/")
    below = [Path(place) for place in _taken if file == "__init__.py" and place.rpartition("/")[0] == folder]
    return [name, *(f"{name}.{entry.stem}" for entry in below if entry.suffix == ".py" and entry.stem != "__init__")]


def _source(module: str) -> bytes:
    place = _place(module)
    return _taken[place] if place else b""


def _place(module: str) -> str | None:
    """Where a module of this package lies. It is not asked for by `find_spec`, which imports whatever is above it."""
    place = "/".join(module.split(".")[1:])
    found = (f"{place}/__init__.py".lstrip("/"), f"{place}.py")
    return next((name for name in found if name in _taken), None)
