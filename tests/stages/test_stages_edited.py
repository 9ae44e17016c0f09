"""Code that is edited while a run uses it: keys are those of what was imported, and nothing is recorded that may be of both."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import srd_core
from srd_core.errors import ConflictError
from srd_core.stages.stage import Outcome, Run, Stage

_MADE_UP = """
import srd_core
from pathlib import Path
from srd_core.seeds import derive
from srd_core.stages.stage import Outcome, Stage

def edit(name):
    path = Path(srd_core.__file__).parent / name
    path.write_text(path.read_text() + "\\n")

def work(run, inputs, details, folder):
    edit(details["edits"])
    return Outcome(facts={"drawn": derive(0, "made up")})

STAGE = Stage("made-up", work)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package that may be edited, with a stage `made-up` that edits a file while it works."""
    copy = tmp_path / "srd_core"
    shutil.copytree(Path(srd_core.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "stages" / "made_up.py").write_text(_MADE_UP)
    return copy


def _said(package: Path, *lines: str) -> list[str]:
    """What a process says that uses that copy."""
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=package.parent, env={"PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_keys_and_origin_are_of_the_code_that_was_imported(package: Path) -> None:
    """Regression: digests were taken when first needed, so what old code made after an edit was known as the new code's."""
    imports = "from srd_core.stages import code, origin; from srd_core.stages.made_up import edit"
    tell = "print(code.code_digest('srd_core.stages.score'), origin.code()['code'])"
    before = _said(package, imports, tell)
    assert _said(package, imports, "edit('scoring/asr.py')", tell) == before
    assert not set(_said(package, imports, tell)[0].split()) & set(before[0].split()), "a process that starts later has the new code"


def test_what_editors_and_file_managers_leave_is_no_code(package: Path) -> None:
    """Regression: a swap file beside the report's modules was code, and the report failed when it had gone."""
    tell = "from srd_core.stages import code; print(code.code_digest('srd_core.stages.report'))"
    before = _said(package, tell)
    for name in (".page.py.swp", "page.py~", ".DS_Store"):
        (package / "report" / name).write_bytes(b"x")
    assert _said(package, tell) == before


@pytest.mark.parametrize(("edited", "recorded"), [("seeds.py", False), ("stages/made_up.py", False), ("report/page.py", True)])
def test_what_was_made_while_its_code_was_edited_is_not_recorded(package: Path, edited: str, recorded: bool) -> None:
    """Regression: whether a module that is imported late was the old or the new one, nobody knew. Other edits do not matter."""
    said = _said(
        package,
        "from srd_core.config import Config; from srd_core.errors import ConflictError; from srd_core.stages.stage import Run",
        "from srd_core.stages.made_up import STAGE",
        "run, details = Run('source', 'sink', 'trusted', Config()), {'edits': " + repr(edited) + "}",
        "try: STAGE.execute(run, {}, details)",
        "except ConflictError as error: print(error)",
        "print(STAGE.find(run, STAGE.key(run, {}, details)) is not None)",
    )
    assert said[-1] == str(recorded)
    assert recorded or (f"srd_core/{edited}, which stage made-up needs" in said[0] and "Start again" in said[0])


def test_a_template_is_a_part_of_the_code_that_loads_it(package: Path) -> None:
    said = _said(
        package,
        "from srd_core.errors import ConflictError; from srd_core.stages.code import check_unedited",
        "from srd_core.stages.made_up import edit",
        "edit('report/templates/report.css'); check_unedited('srd_core.stages.score', 'it')",
        "try: check_unedited('srd_core.stages.report', 'it')",
        "except ConflictError as error: print(error)",
    )
    assert len(said) == 1 and "srd_core/report/templates/report.css, which it needs" in said[0]


def test_what_was_made_of_a_file_that_changed_meanwhile_is_not_recorded(run: Run, tmp_path: Path) -> None:
    """Regression: weights that were put in the place of others during a stage were known by the digest of those."""
    file = tmp_path / "weights"
    file.write_text("old")

    def work(*_: object) -> Outcome:
        file.write_text("new")
        return Outcome()

    stage = Stage("named", work, named=lambda run: {"weights": file.read_text()})
    with pytest.raises(ConflictError, match="while stage named was made of it"):
        stage.execute(run, {}, {})
    assert stage.find(run, stage.key(run, {}, {})) is None
    assert stage.execute(run, {}, {}) == stage.find(run, stage.key(run, {}, {}))


def test_data_of_an_experiment_whose_code_is_edited_meanwhile_are_not_kept(package: Path) -> None:
    """Regression: poisoned copies bore the mark of whatever lay on the disk, whichever code had made them."""
    said = _said(
        package,
        "from pathlib import Path; from srd_core.errors import ConflictError; from srd_core.experiments import scenes",
        "from srd_core.stages.made_up import edit",
        "what, real = scenes.SceneExperiment(side=32, trusted=4, suspect=4, tests=2, per_shard=4), scenes.write_shards",
        "def write(*given, **rest): edit('attacks/badnet.py'); return real(*given, **rest)",
        "scenes.write_shards = write",
        "for _ in range(2):",
        "    try: print(what.make(Path('made')))",
        "    except ConflictError as error: print(error, Path('made/suspect.poisoned.json').exists())",
    )
    assert len(said) == 2
    assert all("srd_core/attacks/badnet.py, which the data of an experiment needs" in line and line.endswith("False") for line in said)
