"""Finding a student's answers, and putting them into the instructor's notebook."""

import copy
import json
import os
import subprocess
import sys

import pytest

from tests.corpus.notebooks import answer_cell, handout, to_bytes
from utils.course import grading
from utils.course.__main__ import main
from utils.course.errors import CourseError
from utils.course.grading.compose import compose, composed_notebook, defined_names, stubs
from utils.course.grading.reading import StudentCell, read_notebook
from utils.course.notebook import join, split
from utils.files import ROOT

LAB = handout("03")
HOW = ("marker", "metadata", "id", "names")


def answers(notebook, lab=LAB):
    """Exercise -> answer, for a notebook or a list of student cells."""
    cells = notebook if isinstance(notebook, list) else read_notebook(to_bytes(notebook))
    found = compose(lab.truth, cells)
    assert [answer.exercise for answer in found] == lab.exercises
    return {answer.exercise: answer for answer in found}


def code(source, **more):
    return StudentCell("code", source, **more)


def without_marker(source):
    return source.partition("\n")[2]


def test_stubs_are_those_of_the_hand_out():
    assert LAB.stubs == {
        cell["metadata"]["exercise"]: join(cell["source"])
        for cell in LAB.blank["cells"]
        if "exercise" in cell["metadata"]
    }
    truth = copy.deepcopy(LAB.truth)
    answer_cell(truth, "3.4")["source"] = "def output_size(): pass"
    with pytest.raises(CourseError, match=r"3\.4 has no solution marks"):
        stubs(truth)


def test_a_solved_and_a_blank_notebook():
    for answer in answers(LAB.solved()).values():
        assert (answer.source, answer.how, answer.note, answer.untouched) == (
            LAB.solutions[answer.exercise],
            "marker",
            "",
            False,
        )
    for answer in answers(LAB.blank).values():
        assert (answer.source, answer.how, answer.untouched) == (LAB.stubs[answer.exercise], "marker", True)


@pytest.mark.parametrize("kept", range(4))
def test_each_kind_of_evidence_is_enough(kept):
    notebook = LAB.solved()
    for cell in notebook["cells"]:
        exercise = cell["metadata"].get("exercise")
        if kept > 0 and exercise:
            cell["source"] = split(without_marker(join(cell["source"])))
        if kept != 1:
            cell["metadata"].pop("exercise", None)
        if kept == 2:  # as Colab keeps it
            cell["metadata"]["id"] = cell["id"]
        del cell["id"]
    for answer in answers(notebook).values():
        assert answer.how == HOW[kept]
        assert answer.source.endswith(without_marker(LAB.solutions[answer.exercise]))
        assert bool(answer.note) == (HOW[kept] == "names")


def test_the_surer_evidence_wins():
    cell = code(LAB.solutions["3.4"], exercise="3.5", id="exercise-3-1")
    found = answers([cell])
    assert found["3.4"].how == "marker" and found["3.5"].how == found["3.1"].how == "missing"


@pytest.mark.parametrize(
    "first_line",
    ["# Exercise 3.4", "#exercise 3.4:", "## EXERCISE  3.4 - solved", "# Exercise 3.4.", "import math\n# Exercise 3.4"],
)
def test_the_first_line_may_be_written_in_other_ways(first_line):
    source = f"{first_line}\ndef output_size(size): return 1"
    assert answers([code(source)])["3.4"].source == source


def test_another_exercise_with_a_longer_number_is_another():
    for number in ("3.41", "3.4.1", "13.4"):
        assert answers([code(f"# Exercise {number}\ndef f(): pass")])["3.4"].how == "missing"


def test_missing_cells_are_said():
    notebook = LAB.solved()
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["metadata"].get("exercise") != "3.4"]
    answer = answers(notebook)["3.4"]
    assert (answer.source, answer.how) == (None, "missing") and "no cell holds it" in answer.note
    answer = answers([code(" ", exercise="3.4")])["3.4"]
    assert (answer.source, answer.how) == (None, "missing") and "empty" in answer.note


def test_the_last_edited_copy_wins():
    first, second = LAB.solutions["3.4"], LAB.solutions["3.4"] + "  # better"
    stub = LAB.stubs["3.4"]
    for cells, wanted, noted in (
        ([stub, first], first, False),
        ([first, stub], first, False),
        ([first, first, stub], first, False),
        ([first, second], second, True),
        ([second, first + "\n", stub.replace(" ", "  ")], first, True),
    ):
        answer = answers([code(source) for source in cells])["3.4"]
        assert answer.source == wanted and ("copies" in answer.note) == noted


def test_trials_under_the_same_heading_are_no_answers():
    trial = "# Exercise 3.4\nprint(output_size(3, 2))"
    assert answers([code(LAB.solutions["3.4"]), code(trial)])["3.4"].source == LAB.solutions["3.4"]
    assert answers([code(LAB.stubs["3.4"]), code(trial)])["3.4"].untouched


def test_white_space_alone_does_not_touch_a_stub():
    source = LAB.stubs["3.4"].replace("    ", "\t") + "\n\n\n"
    assert answers([code(source)])["3.4"].untouched


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_answers_turned_into_text_are_taken_and_said(kind):
    fenced = "```python\n" + LAB.solutions["3.4"] + "\n```"
    prose = "# Exercise 3.5\nI found this one hard."
    found = answers(
        [StudentCell(kind, LAB.solutions["3.1"]), StudentCell(kind, fenced, exercise="3.4"), StudentCell(kind, prose)]
    )
    assert found["3.1"].source == LAB.solutions["3.1"] and "turned into text" in found["3.1"].note
    assert found["3.4"].source == LAB.solutions["3.4"]
    assert found["3.5"].how == "missing"
    both = answers([code("# Exercise 3.4\ndef output_size(): return 1"), StudentCell(kind, LAB.solutions["3.4"])])
    assert both["3.4"].source.endswith("return 1"), "code comes before what was set aside as text"


def test_functions_in_several_cells_are_put_together_in_order():
    softmax, cross_entropy = LAB.solutions["3.2"].split("\n\n\n")
    for cells in (
        [code(without_marker(softmax)), code("x = 1"), code(cross_entropy)],
        [code(softmax), code(cross_entropy)],
        [code(softmax, exercise="3.2"), code(cross_entropy, exercise="3.2")],
    ):
        answer = answers(cells)["3.2"]
        assert defined_names(answer.source) == {"softmax", "cross_entropy"}
        assert answer.source.index("def softmax") < answer.source.index("def cross_entropy")
        assert "2 cells" in answer.note and "x = 1" not in answer.source


def test_half_of_the_functions_goes_with_the_stub_or_not_at_all():
    softmax = without_marker(LAB.solutions["3.2"].split("\n\n\n")[0])
    answer = answers([code(LAB.stubs["3.2"]), code(softmax)])["3.2"]
    assert answer.source == LAB.stubs["3.2"] + "\n\n\n" + softmax
    assert answers([code(softmax)])["3.2"].how == "missing"


def test_an_answer_written_elsewhere_than_in_the_open_cell():
    answer = answers([code(LAB.stubs["3.4"]), code(without_marker(LAB.solutions["3.4"]))])["3.4"]
    assert answer.source == without_marker(LAB.solutions["3.4"]) and answer.how == "names"


def test_names_are_not_taken_from_imports_assignments_or_our_own_cells():
    plain = [cell for cell in LAB.truth["cells"] if cell["cell_type"] == "code" and "exercise" not in cell["metadata"]]
    assert any("\ndef " in join(cell["source"]) for cell in plain)
    cells = [join(cell["source"]) for cell in plain]
    cells += ["from library import dropout", "dropout = reference('3.5')", "dropout = library.dropout"]
    assert answers([code(source) for source in cells])["3.5"].how == "missing"
    assert answers([code("dropout = lambda x, rate, training, seed: x")])["3.5"].how == "names"


def test_merged_cells_are_cut_at_their_first_lines():
    merged = "\n\n".join(["import math", LAB.solutions["3.3"], 'check("3.3", 1)', LAB.solutions["3.4"]])
    found = answers([code(merged)])
    assert found["3.3"].source.startswith("import math\n\n# Exercise 3.3") and "3.4" not in found["3.3"].source
    assert found["3.4"].source == LAB.solutions["3.4"]


def test_nothing_but_answers_is_used_and_helpers_elsewhere_are_named():
    function = "def output_size(size, kernel_size):\n    return own_helper(size) + np.sum(own_constant)"
    answer = "# Exercise 3.4\nimport math\n" + function
    cells = [code("own_constant = 3"), code("def own_helper(x):\n    return x"), code(answer), code("unrelated = 1")]
    found = answers(cells)["3.4"]
    assert found.source == answer
    assert found.note == "uses `own_constant`, `own_helper`, defined outside the answer's cell and not taken"
    shared = [code("# Exercise 3.3\ndef own_helper(x): return x\ndef dense_parameters(): pass"), code(answer)]
    assert answers(shared)["3.4"].note == "", "what another answer defines is there"


@pytest.mark.parametrize("line", ["%%time", "%matplotlib inline", "!pip install x", "files = !ls", "?print"])
def test_magics_are_kept_and_do_not_hide_names(line):
    source = line + "\n" + without_marker(LAB.solutions["3.4"])
    assert answers([code(source)])["3.4"].source == source


@pytest.mark.parametrize(
    "source",
    [
        "def output_size(:\n",
        "def output_size(): return 'a\0b'",
        "-" * 90_000 + "1",
        "(" * 9000,
        "a" + ".a" * 40_000,
        "\\",
        "x = 1\n" * 30_000,
        " " * 99_000 + "%",
    ],
)
def test_code_that_cannot_be_parsed_is_taken_as_it_is(source):
    source = "# Exercise 3.4\n" + source
    assert answers([code(source), code(source), code(source.partition("\n")[2])])["3.4"].source == source.rstrip("\n")


def test_the_composed_notebook():
    student = answers(LAB.solved({"3.4": "# Exercise 3.4\nmine = 1", "3.5": None}))
    del student["3.1"]
    composed = composed_notebook(LAB.truth, list(student.values()), LAB.stubs)
    assert [cell["id"] for cell in composed["cells"]] == [cell["id"] for cell in LAB.truth["cells"]]
    for cell, true in zip(composed["cells"], LAB.truth["cells"], strict=True):
        exercise = true["metadata"].get("exercise")
        if exercise is None:
            assert cell == true
        else:
            wanted = LAB.solutions | {
                "3.1": LAB.stubs["3.1"],
                "3.4": "# Exercise 3.4\nmine = 1",
                "3.5": LAB.stubs["3.5"],
            }
            assert join(cell["source"]) == wanted[exercise]
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    assert answer_cell(LAB.truth, "3.4")["outputs"] is not composed["cells"], "the truth is left alone"


def test_the_command(tmp_path, capsys):
    (tmp_path / "mine.ipynb").write_bytes(to_bytes(LAB.solved({"3.4": None})))
    target = tmp_path / "composed.ipynb"
    assert main(["compose", str(tmp_path / "mine.ipynb"), "--lab", "3", "-o", str(target)]) == 0
    composed = json.loads(target.read_text(encoding="utf-8"))
    assert join(answer_cell(composed, "3.3")["source"]) == LAB.solutions["3.3"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3.1  found by marker" and lines[3] == "3.4  not attempted"
    (tmp_path / "mine.ipynb").write_bytes(b"<html>")
    assert main(["compose", str(tmp_path / "mine.ipynb"), "--lab", "3", "-o", str(target)]) == 1
    assert "web page" in capsys.readouterr().err
    assert main(["compose", str(tmp_path / "none.ipynb"), "--lab", "3", "-o", str(target)]) == 1


@pytest.mark.slow
def test_plain_nbval_passes_right_answers_and_fails_wrong_ones(tmp_path):
    lab = handout("00")
    wrong = {lab.exercises[1]: lab.filled(lab.exercises[1], "return 0")}
    failed = {}
    (tmp_path / "utils").symlink_to(ROOT / "utils")  # the set-up cell looks for the course around the notebook
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    environment |= {"COURSE_PROGRESS": str(tmp_path / "progress.json"), "MPLBACKEND": "agg"}
    options = "-m pytest -p no:cacheprovider --nbval-lax --nbval-current-env -q -rf --color=no".split()
    for name, changes in (("right", {}), ("wrong", wrong)):
        (tmp_path / "mine.ipynb").write_bytes(to_bytes(lab.solved(changes)))
        target = tmp_path / f"{name}.ipynb"
        assert main(["compose", str(tmp_path / "mine.ipynb"), "--lab", "00", "-o", str(target)]) == 0
        run = subprocess.run(
            [sys.executable, *options, str(target)], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        failed[name] = [line for line in run.stdout.splitlines() if line.startswith("FAILED")]
        assert " passed" in run.stdout, run.stdout + run.stderr
    assert failed["right"] == []
    assert failed["wrong"]


def test_every_module_of_grading_stands_in_its_map():
    modules = {path.stem for path in (ROOT / "utils/course/grading").glob("*.py")} - {"__init__"}
    lines = (grading.__doc__ or "").splitlines()
    listed = {line.split()[0] for line in lines if "  " in line or line.startswith("submissions ")}
    assert modules <= listed, "a line for each module"
