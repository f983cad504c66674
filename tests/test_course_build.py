"""From a source to its notebooks: ids, bytes, outputs, and what ``build --check`` finds."""

import datetime
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from tests.course_example import BODY, header, make_course, write_source
from utils.course import build as building
from utils.course.__main__ import main
from utils.course.clean import Cleaner, settle
from utils.course.errors import CourseError
from utils.course.layout import load_course
from utils.course.notebook import dumps, solution_notebook, student_notebook
from utils.course.source import find_sources, read_cells

NOISY = """
# %%
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

for step in range(3):
    sys.stderr.write(f"\\r{step + 1} of 3")
    sys.stderr.flush()
print(Path.cwd(), Path.home() / "x", math.__name__, tempfile.gettempdir())
try:
    import json

    json.loads("{")
except ValueError:
    traceback.print_exc()
warnings.warn("careful", stacklevel=1)

# %%
import datetime
import os

print(datetime.datetime.now(), object())
os.write(2, b"2026-01-01 00:00:00.123456: I tensorflow/core/x.cc:1] noise\\n")
"""


def derive(course, change=lambda text: text):
    """(student's, solution) notebook of a changed source, without running it."""
    path = write_source(course, change)
    lab, cells = find_sources(course.root)[0], read_cells(path)
    return student_notebook(lab, cells), solution_notebook(lab, cells)


def ids(notebook):
    return [cell["id"] for cell in notebook["cells"]]


def source(notebook, identity):
    return "".join(next(cell["source"] for cell in notebook["cells"] if cell["id"] == identity))


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


@pytest.fixture(scope="module")
def built_once(tmp_path_factory):
    course = make_course(tmp_path_factory.mktemp("built"))
    write_source(course, body=BODY + NOISY)
    said = []
    building.build(course, say=said.append)
    return course, said


@pytest.fixture
def built(built_once, tmp_path):
    """A copy of a course whose notebooks have been built."""
    shutil.copytree(built_once[0].root, tmp_path / "course")
    return load_course(tmp_path / "course")


# What is derived without a kernel


def test_the_students_notebook_holds_no_solution_no_answer_no_output(course):
    student, solution = derive(course)
    assert source(student, "exercise-3-1") == (
        "# Exercise 3.1\ndef double(x):\n"
        '    """Twice x, e.g. 42 for 21."""\n    raise NotImplementedError("Exercise 3.1")'
    )
    assert "half_of_the_result" in source(solution, "exercise-3-1")
    assert "Answer" not in dumps(student)
    assert "Answer" in dumps(solution)
    assert all(cell["outputs"] == [] for cell in student["cells"] if cell["cell_type"] == "code")
    assert all(cell["execution_count"] is None for cell in student["cells"] if cell["cell_type"] == "code")


def test_all_but_exercises_and_answers_is_the_same_in_both(course):
    student, solution = derive(course)
    kept = [c for c in solution["cells"] if "answer" not in c["metadata"].get("tags", ())]
    assert [a["id"] for a, b in zip(student["cells"], kept, strict=True) if a != b] == ["exercise-3-1"]


def test_notebooks_are_what_jupyter_writes(course):
    for notebook in derive(course):
        read = nbformat.reads(dumps(notebook), as_version=4)
        nbformat.validate(read)
        assert nbformat.writes(read) + "\n" == dumps(notebook)


def test_metadata_is_the_least_that_is_needed(course):
    student, _ = derive(course)
    assert student["metadata"]["kernelspec"]["name"] == "python3"
    assert "version" not in student["metadata"]["language_info"]
    assert {key for cell in student["cells"] for key in cell["metadata"]} == {"exercise", "tags"}


def test_ids_name_exercises_and_checks_and_are_unique(course):
    student, solution = derive(course)
    assert {"setup", "imports", "exercise-3-1", "check-3-1"} < set(ids(student)) < set(ids(solution))
    assert len(set(ids(solution))) == len(ids(solution))
    twin = next(identity for identity in ids(student) if identity.endswith("-2"))
    assert source(student, twin) == source(student, twin.removesuffix("-2")) == "print(double(1))"


def test_a_new_cell_changes_no_other_id(course):
    before = derive(course)
    after = derive(course, lambda t: t.replace("# %% exercise", "# %% [markdown]\n# A word.\n\n# %% exercise"))
    for old, new in zip(before, after, strict=True):
        assert [identity for identity in ids(new) if identity in ids(old)] == ids(old)
        assert len(ids(new)) == len(ids(old)) + 1


def test_an_exercise_that_is_edited_keeps_its_id(course):
    before, _ = derive(course)
    after, _ = derive(course, lambda t: t.replace("Twice x", "Two times x"))
    assert ids(before) == ids(after)


def test_a_second_build_changes_no_byte(course):
    building.build(course, student_only=True, say=str)
    path = course.labs / "03_doubling.ipynb"
    before, when = path.read_bytes(), path.stat().st_mtime_ns
    said = []
    building.build(course, student_only=True, say=said.append)
    assert said == ["labs/03_doubling.ipynb: unchanged"]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, when)
    assert before.endswith(b"}\n")
    assert "✔".encode() not in before
    assert not (course.solutions / "03_doubling.ipynb").exists()


def test_magics_lose_their_comment_sign(course):
    _, solution = derive(course, lambda t: t + "\n# %%\n# %timeit double(1)\n# !ls\n")
    assert "".join(solution["cells"][-1]["source"]) == "%timeit double(1)\n!ls"


# What a kernel leaves


def outputs(course):
    notebook = json.loads((course.solutions / "03_doubling.ipynb").read_text(encoding="utf-8"))
    return "\n".join(building.output_text(o) for cell in notebook["cells"] for o in cell.get("outputs", ()))


def test_a_build_says_what_it_wrote(built_once):
    said = built_once[1]
    assert said[0] == "labs/03_doubling.ipynb: written"
    assert re.fullmatch(r"solutions/03_doubling.ipynb: written \(\d+ s of CPU, \d\.\d GB\)", said[1])


def test_outputs_hold_no_machine_no_moment_no_progress(built_once):
    course = built_once[0]
    text = (course.solutions / "03_doubling.ipynb").read_text(encoding="utf-8")
    for path in (course.root, Path.home(), tempfile.gettempdir(), sys.prefix, sys.base_prefix):
        assert f"{path}/" not in text
    assert datetime.date.today().isoformat() not in text
    said = outputs(course)
    assert "solutions ~/x math …\n" in said
    assert re.search(r"^3 of 3$", said, re.MULTILINE)
    assert "1 of 3" not in said
    assert re.search(r'File "…/[^"]*json/decoder.py", line', said)
    assert "<cell>" in said
    assert "<object object at 0x…>" in said
    assert "tensorflow" not in said
    assert "careful" in said


def test_executed_notebooks_are_valid_and_hold_no_timing(built_once):
    text = (built_once[0].solutions / "03_doubling.ipynb").read_text(encoding="utf-8")
    nbformat.validate(nbformat.reads(text, as_version=4))
    assert "iopub" not in text
    assert "execution" not in text.replace("execution_count", "")


def test_a_build_leaves_no_trace_beside_the_notebooks(built_once):
    root = built_once[0].root
    names = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert names == {
        "pyproject.toml",
        "utils/__init__.py",
        "utils/lab.py",
        "utils/results.py",
        "utils/checks/__init__.py",
        "utils/checks/lab03.py",
        "solutions/03_doubling.py",
        "solutions/03_doubling.ipynb",
        "labs/03_doubling.ipynb",
    }


def failing(course, change):
    """What is said of a build that fails; nothing must have been written."""
    path = write_source(course, change)
    with pytest.raises(CourseError) as caught:
        building.build(course, say=str)
    assert not list(course.root.rglob("*.ipynb*"))
    return path, str(caught.value)


def test_a_failing_cell_stops_the_build_with_its_line(course):
    path, said = failing(course, lambda t: t.replace("print(double(1))", "x = 0\n\nprint(1 / x)", 1))
    line = path.read_text(encoding="utf-8").splitlines().index("print(1 / x)") + 1
    assert said.startswith(f"solutions/03_doubling.py:{line} (cell 8): the cell fails with ZeroDivisionError")
    assert "print(1 / x)" in said.partition("\n")[2]
    assert "\x1b" not in said


def test_a_solution_that_fails_its_own_check_stops_the_build(course):
    _, said = failing(course, lambda t: t.replace("math.fsum([x])", "math.fsum([x, 1])"))
    assert "(cell 6, check 3.1): the solution does not pass its own check:\nExercise 3.1: not yet" in said


def test_a_check_that_warns_stops_the_build(course):
    _, said = failing(
        course, lambda t: t.replace("    half_of", '    __import__("warnings").warn("oh")\n    half_of', 1)
    )
    assert "(cell 6, check 3.1): a check prints text and nothing else" in said
    assert "UserWarning: oh" in said


def test_an_output_that_shows_a_solution_stops_the_build(course):
    _, said = failing(
        course,
        lambda t: t.replace("print(double(1))", "import inspect\n\nprint(inspect.getsource(double))", 1),
    )
    assert "(cell 8): the output shows the solution of exercise 3.1" in said


def test_a_kernel_that_ends_stops_the_build(course):
    _, said = failing(course, lambda t: t.replace("print(double(1))", "import os\n\nos._exit(3)", 1))
    assert "(cell 8): the cell ended the kernel" in said


def test_a_large_notebook_names_its_largest_output(course):
    _, said = failing(course, lambda t: t.replace("print(double(1))", 'print("x" * 1_600_000)', 1))
    assert re.search(r"solutions/03_doubling.ipynb is 1.60 MB, at most 1.5 MB .*: cell 8 \(\w+\): 1.60 MB", said)


def test_the_command_ends_with_one_and_the_message(course, capsys):
    write_source(course, lambda t: t.replace("### END SOLUTION", ""))
    assert main(["--root", str(course.root), "build"]) == 1
    assert "without `### END SOLUTION` below it" in capsys.readouterr().err


# build --check


def change_notebook(path, change):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    change({cell["id"]: cell for cell in notebook["cells"]}, notebook)
    path.write_text(dumps(notebook), encoding="utf-8")


def test_check_is_content_with_a_fresh_build(built, capsys):
    assert main(["--root", str(built.root), "build", "--check"]) == 0
    assert capsys.readouterr().out == "the notebooks are what the sources give\n"


def test_check_shows_a_changed_source_as_a_diff(built, capsys):
    path = built.solutions / "03_doubling.py"
    path.write_text(path.read_text(encoding="utf-8").replace("Twice x", "Two times x"), encoding="utf-8")
    before = (built.labs / "03_doubling.ipynb").read_bytes()
    assert main(["--root", str(built.root), "build", "--check", "3"]) == 1
    said = capsys.readouterr().out
    assert "--- labs/03_doubling.ipynb cell exercise-3-1\n+++ solutions/03_doubling.py cell exercise-3-1\n" in said
    assert '-    """Twice x, e.g. 42 for 21."""\n+    """Two times x, e.g. 42 for 21."""\n' in said
    assert "mend it with: python -m utils.course build --student-only 03" in said
    assert "--- solutions/03_doubling.ipynb cell exercise-3-1" in said
    assert "mend it with: python -m utils.course build 03" in said
    assert (built.labs / "03_doubling.ipynb").read_bytes() == before


CHANGES = {
    "execution count": ("labs", lambda c, n: c["check-3-1"].update(execution_count=1), '"execution_count": 1'),
    "metadata": ("labs", lambda c, n: n["metadata"].update(colab={}), "labs/03_doubling.ipynb metadata"),
    "new cell": (
        "labs",
        lambda c, n: n["cells"].append(c["setup"] | {"id": "mine"}),
        "+++ solutions/03_doubling.py (no such cell)",
    ),
    "lost cell": (
        "solutions",
        lambda c, n: n["cells"].remove(c["imports"]),
        "solutions/03_doubling.ipynb cell imports",
    ),
    "order": ("solutions", lambda c, n: n["cells"].reverse(), "order of the cells"),
    "twin": ("solutions", lambda c, n: n["cells"].append(c["setup"]), "two cells have the same id"),
    "tag": ("solutions", lambda c, n: c["check-3-1"]["metadata"].clear(), "solutions/03_doubling.ipynb cell check-3-1"),
    "check not run": (
        "solutions",
        lambda c, n: c["check-3-1"].update(execution_count=None),
        "cell check-3-1: the check has not been run",
    ),
    "check without output": (
        "solutions",
        lambda c, n: c["check-3-1"].update(outputs=[]),
        "cell check-3-1: the check has not been run, it has no stored output",
    ),
    "check with a warning": (
        "solutions",
        lambda c, n: c["check-3-1"]["outputs"].append({"output_type": "stream", "name": "stderr", "text": ["w"]}),
        "cell check-3-1: the check prints more than text",
    ),
    "error": (
        "solutions",
        lambda c, n: c["imports"].update(
            outputs=[{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]
        ),
        "cell imports: an error is stored",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_check_finds_a_notebook_that_was_changed(built, name):
    folder, change, message = CHANGES[name]
    change_notebook(built.root / folder / "03_doubling.ipynb", change)
    (difference,) = building.check(built)
    assert message in difference
    assert "mend it with: python -m utils.course build" in difference


def test_check_finds_a_notebook_that_is_laid_out_differently(built):
    path = built.labs / "03_doubling.ipynb"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
    (difference,) = building.check(built)
    assert difference.startswith("labs/03_doubling.ipynb: the same cells, laid out differently")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": [1]}', '{"cells": [{"source": ""}]}'])
def test_check_finds_a_file_that_is_no_notebook(built, text):
    (built.labs / "03_doubling.ipynb").write_text(text, encoding="utf-8")
    (difference,) = building.check(built)
    assert difference.startswith("labs/03_doubling.ipynb is no notebook (")


def test_check_finds_missing_and_left_over_notebooks(built):
    (built.labs / "03_doubling.ipynb").rename(built.labs / "02_old.ipynb")
    missing, left_over = building.check(built)
    assert missing.startswith("labs/03_doubling.ipynb is missing")
    assert left_over == "labs/02_old.ipynb has no source solutions/02_old.py: delete it"


def test_check_reports_a_bad_source_and_goes_on(built):
    path = built.solutions / "03_doubling.py"
    path.write_text(path.read_text(encoding="utf-8").replace("### END SOLUTION", ""), encoding="utf-8")
    (difference,) = building.check(built)
    assert "without `### END SOLUTION` below it" in difference


# Cleaning


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def test_chunks_of_a_stream_are_merged_before_they_are_settled():
    chunks = [stream("\r 10%"), stream("\r100%\n"), stream("w", "stderr"), stream("x")]
    assert [o["text"] for o in Cleaner(Path("/nowhere")).outputs(chunks)] == ["100%\n", "w", "x"]


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("long text\rshort", "shorttext"),
        ("1%\r2%\r3%", "3%"),
        ("1%\r2%\n3%\r4%\n", "2%\n4%\n"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        ("abc\b\bx", "axc"),
        ("\x1b[1m1/2\x1b[0m\r\x1b[1m2/2\x1b[0m\n", "2/2\n"),
        ("outer 1\n\rinner 1\x1b[A\router 2\n\rinner 2\n", "outer 2\ninner 2\n"),
        ("gone\r\x1b[Kkept\n", "kept\n"),
        ("bar\r   \r", ""),
        ("plain\n\n", "plain\n\n"),
    ],
)
def test_text_settles_as_on_a_terminal(printed, shown):
    assert settle(printed) == shown


def test_start_up_noise_goes_from_the_error_stream_alone():
    noise = "2026-01-01 00:00:00.000001: W external/xla/x.cc:7] slow\nE0000 00:00:1731.1 12 cuda_dnn.cc:8310] twice\n"
    kept = Cleaner(Path("/nowhere")).outputs([stream(noise + "a warning\n", "stderr"), stream(noise)])
    assert kept[0]["text"] == "a warning\n"
    assert "slow" in kept[1]["text"]
    assert Cleaner(Path("/nowhere")).outputs([stream(noise, "stderr")]) == []


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("/course/utils/lab.py:3", "utils/lab.py:3"),
        ("in /course", "in ."),
        ("file:///course/x", "file://x"),
        ("/courses/x", "/courses/x"),
        ("/own/course/x", "/own/course/x"),
        ("/scratch/run/y", "…/y"),
        (f"{Path.home()}/z", "~/z"),
        (f"{sys.prefix}/lib/x", "…/lib/x"),
        (f"{tempfile.gettempdir()}/ipykernel_12/345.py:1: UserWarning", "<cell>:1: UserWarning"),
        (os.path.dirname(os.__file__) + "/os.py", "…/" + Path(os.__file__).parent.name + "/os.py"),
        (os.path.dirname(os.path.dirname(nbformat.__file__)) + "/nbformat/x.py", "…/site-packages/nbformat/x.py"),
    ],
)
def test_paths_are_shortened(text, short):
    assert Cleaner(Path("/course"), Path("/scratch/run")).text(text) == short


def test_time_stamps_of_the_run_go_and_other_dates_stay():
    cleaner = Cleaner(Path("/nowhere"), now=datetime.datetime(2026, 3, 2, 12, 0, tzinfo=datetime.UTC))
    assert cleaner.text("at 2026-03-02 12:00:01.5, 2026-03-01T23:59Z") == "at …, …"
    assert cleaner.text("observed 1995-12-18 03:00") == "observed 1995-12-18 03:00"


def test_pictures_stay_and_widgets_go():
    picture = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "aGk/tmp/x", "text/plain": "<F>"}}
    view = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "bar"}
    widget = {"output_type": "display_data", "metadata": {}, "data": view}
    assert Cleaner(Path("/nowhere")).outputs([picture, widget]) == [picture]


def test_settings_are_needed(tmp_path):
    with pytest.raises(CourseError, match=r"is not a course: it has no pyproject.toml"):
        load_course(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project.urls]\n")
    with pytest.raises(CourseError, match=r"pyproject.toml lacks 'Repository'"):
        load_course(tmp_path)


def test_the_header_is_the_same_for_every_lab(course):
    first, second = header(course, "03_doubling"), header(course, "11_other")
    assert second.replace("11_other", "03_doubling").replace('"11"', '"03"').replace("# 11 ·", "# 03 ·") == first
