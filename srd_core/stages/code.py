"""The part of a stage's key that stands for its code: a digest of every `srd_core` module that it can reach by imports.

An edit to the report does not repeat a training; an edit to the training loop does. Imports inside functions count too. So does every
module, and all of a package, that a text names in full: registries find their files by that name, and child processes run by it. Of a
package from which templates are loaded, all other files count as well. Profiles do not: what stages read of them is in their keys.
"""

from __future__ import annotations

import ast
import hashlib
import re
from functools import cache
from pathlib import Path

import srd_core

_PACKAGE = "srd_core"
_ROOT = Path(srd_core.__file__).parent
_LOADER = "PackageLoader"
_PACKAGE_NAME = re.compile(rf"{_PACKAGE}(\.\w+)+")


@cache
def code_digest(module: str) -> str:
    """Hex digest of the sources of `module` and of all `srd_core` modules that it imports, directly or not, and of templates they load."""
    total, names = hashlib.sha256(), sorted(reachable(module))
    for name in names:
        total.update(name.encode() + b"\0" + _source(name))
    for folder in sorted({folder for name in names for folder in _template_folders(name)}):
        total.update(tree_digest(folder).encode())
    return total.hexdigest()


def tree_digest(folder: Path) -> str:
    """Hex digest of all files below `folder`, weights and templates too, but compiled ones: what made a whole run."""
    total = hashlib.sha256()
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    for name in sorted(name for name in names if "__pycache__" not in name.parts):
        total.update(name.as_posix().encode() + b"\0" + hashlib.sha256((folder / name).read_bytes()).digest())
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
    return tuple(name for name in found if name.split(".")[0] == _PACKAGE and _path(name) is not None)


@cache
def _template_folders(module: str) -> tuple[Path, ...]:
    """The folders of the packages that `module` gives to a `PackageLoader`."""
    found = []
    for node in ast.walk(ast.parse(_source(module))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == _LOADER:
            found += [path.parent for name in node.args if isinstance(name, ast.Constant) and (path := _path(str(name.value)))]
    return tuple(found)


def _members(name: str) -> list[str]:
    """The module of that name; of a package, those in it too."""
    path = _path(name)
    below = sorted(path.parent.glob("*.py")) if path and path.name == "__init__.py" else []
    return [name, *(f"{name}.{entry.stem}" for entry in below if entry.stem != "__init__")]


def _source(module: str) -> bytes:
    path = _path(module)
    return path.read_bytes() if path else b""


@cache
def _path(module: str) -> Path | None:
    """Where a module of this package lies. It is not asked for by `find_spec`, which imports whatever is above it."""
    place = _ROOT.joinpath(*module.split(".")[1:])
    found = (place / "__init__.py", place.with_suffix(".py"))
    return next((path for path in found if path.is_file()), None)
