"""One submission through kernel, nbval and judge: points, follow-through, and who pays for what goes wrong."""

import json

import pytest

from utils.course.grading.compose import Answer
from utils.course.grading.grader import Grader, Setup
from utils.course.grading.isolation import sandbox_problem
from utils.datasets import cache_folder
from utils.files import ROOT

pytestmark = pytest.mark.alone
LEVEL = "limits" if sandbox_problem() else "bwrap"
needs_sandbox = pytest.mark.skipif(bool(sandbox_problem()), reason=f"no sandbox here: {sandbox_problem()}")
BUDGET = 2.0  # seconds of a cell; the solution's take a hundredth of it


@pytest.fixture(scope="module")
def grader():
    setup = Setup("00", ROOT, 4711, LEVEL, skip_training=True, memory=1.5e9, submission_seconds=120.0)
    with Grader(setup) as made:
        made.setup.cell_seconds.update({step.id: BUDGET for step in made.plan.steps if step.exercise})
        yield made


def graded(grader, **changed):
    """The result of the solution with some answers changed: ``e3="source"``; a text before and behind by a pair."""
    sources = dict(grader.plan.solutions)
    for key, source in changed.items():
        exercise = f"0.{key[1:]}"
        sources[exercise] = source.replace("SOLUTION", sources[exercise]) if source is not None else None
    answers = {e: Answer(e, s, "marker" if s is not None else "missing") for e, s in sources.items()}
    return grader.grade_answers(answers)


def states(result):
    return {e["id"][2:]: e["state"] for e in result["exercises"]}


def points(result):
    return {e["id"][2:]: e["points"] for e in result["exercises"]}


ALL = {str(n): "correct" for n in range(1, 6)}


def test_the_solution_earns_everything_and_the_result_is_plain_json(grader):
    result = json.loads(json.dumps(graded(grader)))
    assert states(result) == ALL
    assert result["points"] == result["max"] == sum(e["max"] for e in result["exercises"]) > 0
    assert result["status"] == "graded" and result["runs"] == 1
    assert all(cell["state"] == "ok" for cell in result["cells"])


def test_a_notebook_as_handed_out_earns_nothing(grader):
    result = grader.grade(next((ROOT / "labs").glob("00_*.ipynb")).read_bytes())
    assert result["points"] == 0
    assert set(states(result).values()) == {"not attempted"}


def test_what_is_not_a_notebook_is_unreadable_in_words(grader):
    result = grader.grade(b"<html>please log in</html>")
    assert result["status"] == "unreadable" and result["reason"] and result["points"] == 0


def test_a_wrong_answer_gets_the_points_of_the_sub_tests_that_it_passes(grader):
    source = "# Exercise 0.1\nimport numpy as np\ndef to_grey(picture):\n    return np.zeros(picture.shape[:2])\n"
    result = graded(grader, e1=source)
    first = result["exercises"][0]
    assert first["state"] == "not yet" and 0 < first["points"] < first["max"]
    assert states(result) | {"1": "correct"} == ALL
    failed = [test for test in first["subtests"] if not test["passed"]]
    assert failed and all(test["message"] and test["points"] == 0 for test in failed)


def test_the_reference_takes_over_from_an_exercise_that_is_wrong(grader):
    leaning = "# Exercise 0.5\ncut_stamp = None\ndef cut_stamp(picture, x, y, size):\n    return to_grey(picture)\n"
    result = graded(grader, e1="# Exercise 0.1\ndef to_grey(picture):\n    return 'wrong'\n", e5=leaning)
    assert states(result)["1"] == "not yet"
    assert "to_grey" not in "".join(test["message"] for test in result["exercises"][4]["subtests"])


def test_an_answer_that_is_missing_is_said_to_be(grader):
    result = graded(grader, e2=None)
    assert states(result) == ALL | {"2": "missing"}
    assert result["exercises"][1]["reason"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ValueError('no')", "ended with an error: ValueError: no"),
        ("def stretch(:", "SyntaxError"),
        ("def sketch(grey, softening):\n    return grey", "'stretch' is not defined"),
        ("while True: pass", "ran for more than 2 seconds"),
        ("def stretch(grey, softening):\n    while True: pass", "check of the answer ran for more than 2 seconds"),
        ("import os; os._exit(3)", "ended itself with status 3"),
        ("import os\ndef stretch(grey, softening):\n    os._exit(0)", "ended itself"),
        ("import ctypes\ndef stretch(grey, softening):\n    ctypes.string_at(0)", "signal 11"),
        ("import os, signal\ndef stretch(*_, **__):\n    os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
        ("import numpy as np\ndef stretch(grey, softening):\n    return [np.ones(10**9)]", "MemoryError"),
        ("input('number? ')", "StdinNotImplementedError"),
        ("quit()\ndef stretch(grey, softening):\n    return grey", ""),
    ],
)
def test_whoever_stops_the_program_pays_alone(grader, source, reason):
    result = graded(grader, e2=f"# Exercise 0.2\n{source}\n")
    assert states(result) | {"2": "correct"} == ALL
    second = result["exercises"][1]
    told = second["reason"] + "".join(test["message"] for test in second["subtests"])
    assert second["state"] != "correct" and reason in told, told


@needs_sandbox
@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ndef stretch(*_, **__):\n    while True: pass",
        "import os, signal\ndef stretch(*_, **__):\n    os.kill(os.getppid(), signal.SIGKILL)",
        "import os, signal\ndef stretch(*_, **__):\n    os.kill(-1, signal.SIGKILL)",
        "import threading, os, time\nthreading.Thread(target=lambda: (time.sleep(0.3), os._exit(1))).start()\nSOLUTION",
        "import time\nget_ipython().events.register('pre_run_cell', lambda *_: time.sleep(2.2))\nSOLUTION",
    ],
    ids=["ignores-interrupts", "kills-parent", "kills-all", "delayed", "slows-all-others"],
)
def test_an_attack_on_the_grader_costs_only_its_own_exercise(grader, source):
    result = graded(grader, e2=f"# Exercise 0.2\n{source}\n")
    assert result["status"] == "graded"
    assert states(result) | {"2": "correct"} == ALL
    assert states(graded(grader)) == ALL


@pytest.mark.parametrize(
    "source",
    [
        "for i in range(12_000): print(i, flush=True)\nSOLUTION",
        "print('z' * 30_000_000)\nSOLUTION",
        "import sys\nfor i in range(12_000): sys.stderr.write('x\\n')\nSOLUTION",
        "from IPython.display import display\nfor i in range(500): display('x' * 1000)\nSOLUTION",
    ],
    ids=["prints", "a-large-print", "errors", "displays"],
)
def test_a_flood_of_outputs_costs_nothing_and_is_cut(grader, source, monkeypatch):
    monkeypatch.setitem(grader.setup.cell_seconds, "exercise-0-2", 60.0)
    result = graded(grader, e2=source)
    assert states(result) == ALL
    cell = next(cell for cell in result["cells"] if cell["exercise"] == "0.2")
    assert len(json.dumps(cell)) < 10_000


def test_who_keeps_the_others_from_handing_over_pays_alone(grader):
    source = "SOLUTION\nimport os\nos.environ['COURSE_GRADING'] = '/nowhere'\n"
    result = graded(grader, e2=source)
    assert states(result) | {"2": "correct"} == ALL


def test_prints_while_checked_are_told(grader):
    source = "# Exercise 0.2\ndef stretch(grey, softening):\n    print('hello from within')\n    return grey\n"
    assert "hello from within" in graded(grader, e2=source)["exercises"][1]["printed"]


def test_what_is_handed_over_must_be_what_the_check_makes(grader):
    forged = (
        "import os, pathlib\nfolder = pathlib.Path(os.environ['COURSE_GRADING'])\n"
        "def stretch(grey, softening):\n"
        "    (folder / 'observed').unlink(missing_ok=True)\n    os.mkfifo(folder / 'observed')\n    return grey\n"
    )
    result = graded(grader, e2=f"# Exercise 0.2\n{forged}")
    assert states(result) == ALL | {"2": "stopped"}


def test_a_link_in_the_place_of_the_cases_is_not_followed(grader, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    source = (
        "SOLUTION\nimport os, pathlib\nfolder = pathlib.Path(os.environ['COURSE_GRADING'])\n"
        "for name in ('cases', 'observed'):\n"
        f"    (folder / name).unlink(missing_ok=True)\n    os.symlink({str(precious)!r}, folder / name)\n"
    )
    assert states(graded(grader, e2=source)) == ALL
    assert precious.read_text() == "mine"


def test_half_a_surrogate_pair_in_an_answer_harms_nobody(grader):
    result = graded(grader, e2="SOLUTION\nodd = '\ud800'\n")
    assert states(result) == ALL


def test_results_do_not_depend_on_forking(grader):
    with Grader(Setup("00", ROOT, 4711, LEVEL, skip_training=True, fork=False)) as normal:
        result = graded(normal)
    assert result["kernel"] == "normal" and states(result) == ALL


def test_budgets_are_for_the_whole_submission_too(grader, monkeypatch):
    tight = Setup("00", ROOT, 1, LEVEL, skip_training=True, submission_seconds=0.0)
    monkeypatch.setattr(grader, "setup", tight)
    result = graded(grader)
    assert result["points"] == 0 and "time for the whole submission" in result["reason"] + json.dumps(
        result["exercises"]
    )


@pytest.mark.slow
def test_the_whole_lab_has_its_figures_and_reads_the_data_that_are_there(grader):
    figures = {}
    for fork in (True, False):
        with Grader(Setup("00", ROOT, 4711, LEVEL, fork=fork, cache=cache_folder())) as whole:
            result = graded(whole, e2=None)
        outputs = [output for cell in result["cells"] for output in cell["outputs"]]
        figures[fork] = sum("image/png" in output.get("data", {}) for output in outputs)
        assert states(result) == ALL | {"2": "missing"}
        assert all(cell["state"] in ("ok", "skipped") for cell in result["cells"])
        assert "cannot be written" not in json.dumps(outputs)
    assert figures[True] == figures[False] >= 3
