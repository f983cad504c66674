"""Every notebook of the course, run: the students' as they are handed out, the solutions through nbval."""

import json
import os
import subprocess
import sys

import pytest

from utils.course.build import output_text
from utils.course.kernel import environment, run_lab
from utils.course.layout import load_course
from utils.course.rules import ANSWER
from utils.course.source import find_sources, read_cells
from utils.files import ROOT

LABS = pytest.mark.parametrize("lab", find_sources(), ids=lambda lab: lab.name)


@pytest.mark.slow
@pytest.mark.untouched
@LABS
def test_an_untouched_notebook_ends_with_nothing_but_open_exercises(lab):
    course = load_course()
    notebook = json.loads((course.labs / f"{lab.name}.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in read_cells(lab.path) if ANSWER not in cell.tags]
    run = run_lab(course, lab, cells, notebook, folder=course.labs, allow_errors=True)
    problems = []
    for cell, ran in zip(cells, run.notebook["cells"], strict=True):
        outputs = ran.get("outputs", [])
        errors = [f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]
        found = [error for error in errors if not error.startswith("NotImplementedError: ")]
        if cell.kind == "code" and not ran["execution_count"]:
            found.append("has not been run")
        if cell.check and (errors or "not attempted" not in "\n".join(map(output_text, outputs))):
            found.append("the check does not say 'not attempted'")
        problems += [f"{lab.path.name}:{cell.line} ({cell.label}): {problem}" for problem in found]
    assert not problems, "\n".join(problems)


@pytest.mark.slow
@pytest.mark.solutions
@LABS
def test_a_solution_gives_the_stored_verdicts(lab, tmp_path):
    notebook = lab.path.with_suffix(".ipynb")
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=900", "--color=no", "-q", "-o", "addopts="]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(notebook)],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")} | environment(tmp_path),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
