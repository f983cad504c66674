"""The students' copy of the course: what is in it, what is not, and that one can work with it."""

import ast
import json
import re
import subprocess
import sys
import zipfile

import pytest

from tests.course_example import make_course, write_source
from utils.checks import exercises
from utils.course.__main__ import main
from utils.course.build import output_text
from utils.course.errors import CourseError
from utils.course.kernel import run_lab
from utils.course.layout import load_course
from utils.course.release import make_copy, release
from utils.course.rules import ANSWER, find_leaks, solution_secrets
from utils.course.source import find_sources, read_cells
from utils.files import ROOT

LABS = find_sources()
VARIANTS = {"judged": {}, "not judged": {"judges": False}}


def quiet(text):
    """Say nothing."""


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request):
    return request.param


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """The folders of both releases, by variant."""
    folders = {name: tmp_path_factory.mktemp("release") / "copy" for name in VARIANTS}
    for name, options in VARIANTS.items():
        release(load_course(), folders[name], say=quiet, **options)
    return folders


def contents(folder):
    """Path -> bytes of a folder's files."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(folder, code, tmp_path):
    """What a Python in the folder prints; its last line where it fails."""
    environment = {"PATH": "", "COURSE_PROGRESS": str(tmp_path / "progress.json"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    return done.stdout + (done.stderr.splitlines()[-1] if done.returncode else "")


# What is in it


def test_it_holds_what_students_need_and_nothing_else(copies, variant):
    files = contents(copies[variant])
    kept = ["README.md", "LICENSE", "CITATION.cff", ".gitignore", "requirements.txt", "data/expected.json"]
    kept += ["data/README.md", "utils/lab.py", "utils/sky/surveys.py", "utils/checks/notebook.py"]
    kept += [f"labs/{lab.name}.ipynb" for lab in LABS] + [f"utils/checks/lab{lab.number}.py" for lab in LABS]
    assert set(kept) <= files.keys()
    assert {name.partition("/")[0] for name in files if "/" in name} == {"labs", "utils", "data"}
    for name in files:
        assert not re.match(r"utils/course|data/cache|.*__pycache__|pyproject", name), name


def test_its_notebooks_are_those_of_the_course(copies, variant):
    for lab in LABS:
        name = f"labs/{lab.name}.ipynb"
        assert contents(copies[variant])[name] == (ROOT / name).read_bytes()


def test_its_readme_is_for_students(copies, variant):
    text = (copies[variant] / "README.md").read_text(encoding="utf-8")
    assert text.startswith((ROOT / "README.md").read_text(encoding="utf-8").partition("\n")[0])
    for lab in LABS:
        assert f"(labs/{lab.name}.ipynb)" in text
    assert not re.search(r"instructor|contributor|pytest|utils\.course|\bmake \w+\n|nbval|<!--", text, re.IGNORECASE)
    for link in re.findall(r"\]\((?!https:)([^)]+)\)", text):
        assert (copies[variant] / link).is_file(), link
    assert ("neither judges" in text) == (variant == "not judged")


def texts(folder):
    """Path -> text of a folder's files; of a notebook the sources of its cells."""
    for name, content in contents(folder).items():
        if name.endswith(".ipynb"):
            yield name, "\n".join("".join(cell["source"]) for cell in json.loads(content)["cells"])
        elif not name.endswith((".jpg", ".npz")):
            yield name, content.decode()


def without_hints(source):
    """A check module without its hints, the last of which is almost the solution."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            node.body = [m for m in node.body if not (isinstance(m, ast.Assign) and m.targets[0].id == "hints")]
    return ast.unparse(tree)


def test_no_statement_of_a_solution_is_in_it(copies, variant):
    secrets = [secret for lab in LABS for secret in solution_secrets(lab.path, read_cells(lab.path))]
    assert len(secrets) > 50
    shown_by_labs = {
        leak
        for lab in LABS
        for cell in read_cells(lab.path)
        if "may-repeat-solution" in cell.tags
        for leak in find_leaks(secrets, cell.text)
    }
    for name, text in texts(copies[variant]):
        if name.startswith("utils/checks/lab"):
            if variant == "judged":
                continue  # oracles and references are made with libraries, and handed out on purpose
            text = without_hints(text)
        leaks = set(find_leaks(secrets, text))
        assert leaks <= (shown_by_labs if name.startswith("labs/") else set()), name


def test_a_helper_that_shows_a_solution_is_told(tmp_path):
    course = make_course(tmp_path / "course")
    (course.root / "utils" / "helper.py").write_text("def f(x):\n    half_of_the_result  = math.fsum([x])\n")
    said = []
    release(course, tmp_path / "copy", say=said.append)
    assert said[2:] == ["utils/helper.py shows what exercise 3.1 asks for: `half_of_the_result = math.fsum([x])`"]
    said.clear()
    (course.root / "utils" / "helper.py").unlink()
    release(course, tmp_path / "other", say=said.append)
    assert len(said) == 2


def test_chosen_labs_alone(tmp_path):
    release(load_course(), tmp_path / "copy", labs=["3"], say=quiet)
    files = contents(tmp_path / "copy")
    assert [name for name in files if name.startswith("labs/")] == ["labs/03_first_cnn.ipynb"]
    assert [name for name in files if re.match(r"utils/checks/lab\d", name)] == ["utils/checks/lab03.py"]
    assert list(json.loads(files["data/expected.json"])) == ["03"]
    assert "00_start_here" not in files["README.md"].decode()
    with pytest.raises(CourseError, match="there is no lab 77"):
        release(load_course(), tmp_path / "other", labs=["77"], say=quiet)
    assert not (tmp_path / "other").exists()


def test_solutions_go_along_when_asked_for(tmp_path):
    release(load_course(), tmp_path / "copy", solutions=True, say=quiet)
    for lab in LABS:
        name = f"solutions/{lab.name}.ipynb"
        assert contents(tmp_path / "copy")[name] == (ROOT / name).read_bytes()
    assert not list((tmp_path / "copy" / "solutions").glob("*.py"))
    out = run(tmp_path / "copy", "from utils.checks import solution; solution('0.1')", tmp_path)
    assert "def to_grey(picture):" in out
    assert "NotImplementedError" not in out


def test_a_solution_that_is_out_of_date_is_not_handed_out(tmp_path):
    course = make_course(tmp_path / "course")
    with pytest.raises(CourseError, match=r"03_doubling\.ipynb is missing"):
        release(course, tmp_path / "copy", solutions=True, say=quiet)
    assert not (tmp_path / "copy").exists()


def test_the_copy_of_a_grader_has_no_pages(tmp_path):
    make_copy(load_course(), tmp_path / "copy", judges=False)
    files = contents(tmp_path / "copy")
    assert not [name for name in files if name.endswith((".md", ".cff"))]
    assert "class Normalise" in files["utils/checks/lab03.py"].decode()
    assert "@subtest" not in files["utils/checks/lab03.py"].decode()


# Hidden sub-tests

HIDING = """\
from utils.checks import Exercise, expect, subtest


class Doubling(Exercise):
    id = "3.1"
    title = "doubling"
    hints = ("a", "b", "c")

    def inputs(self, rng):
        return {"one": {"x": 1}}

    def reference(self):
        return lambda x: x + x

    @subtest("one")
    def one(self, cases, observed):
        expect.equal(observed["one"], 2, "twice 1")

    @subtest("the trap", hidden=True)
    def trap(self, cases, observed):
        expect.equal(observed["one"], 2, "twice 1")
"""


@pytest.mark.parametrize("judges", [True, False])
@pytest.mark.parametrize("solutions", [True, False])
def test_hidden_sub_tests_never_leave(tmp_path, judges, solutions, monkeypatch):
    course = make_course(tmp_path / "course")
    monkeypatch.setattr("utils.course.release._executed", lambda *_: {})
    (course.root / "utils" / "checks" / "lab03.py").write_text(HIDING)
    release(course, tmp_path / "copy", judges=judges, solutions=solutions, say=quiet)
    for content in contents(tmp_path / "copy").values():
        assert b"trap" not in content and b"hidden" not in content
    assert (b"twice 1" in contents(tmp_path / "copy")["utils/checks/lab03.py"]) == judges


# Where it is written, and where it will live


def test_nothing_is_overwritten(tmp_path, capsys):
    course = make_course(tmp_path / "course")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    (tmp_path / "taken.zip").write_text("mine")
    arguments = ["--root", str(course.root), "release"]
    for target in ("taken", "taken.zip", "course/copy", "course", "course/labs"):
        assert main([*arguments, str(tmp_path / target), *(["--zip"] if target == "taken.zip" else [])]) == 1
        assert re.search("there already|inside the course", capsys.readouterr().err), target
    assert contents(tmp_path / "taken") == {"notes.txt": b"mine"}
    assert (tmp_path / "taken.zip").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    (tmp_path / "clone" / ".git").mkdir(parents=True)
    for target in ("empty", "clone", "new"):
        assert main([*arguments, str(tmp_path / target)]) == 0
        assert (tmp_path / target / "labs" / "03_doubling.ipynb").is_file()


def test_a_source_that_is_not_sound_is_not_handed_out(tmp_path):
    course = make_course(tmp_path / "course")
    write_source(course, lambda text: text.replace("# Write a function", "# half_of_the_result = math.fsum([x])\n# "))
    with pytest.raises(CourseError, match=r"the solution of exercise 3\.1 shows"):
        release(course, tmp_path / "copy", say=quiet)
    assert not (tmp_path / "copy").exists()


def test_a_copy_is_not_made_from_a_copy(tmp_path, capsys):
    course = make_course(tmp_path / "course")
    release(course, tmp_path / "copy", say=quiet)
    assert main(["--root", str(tmp_path / "copy"), "release", str(tmp_path / "second")]) == 1
    assert "is not a course" in capsys.readouterr().err
    (tmp_path / "copy" / "pyproject.toml").write_text(course.settings.read_text())
    assert main(["--root", str(tmp_path / "copy"), "release", str(tmp_path / "second"), "--labs", "3"]) == 1
    assert "a copy is made from the whole course" in capsys.readouterr().err
    assert not (tmp_path / "second").exists()


def test_a_zip_has_the_same_content_and_is_the_same_each_time(tmp_path, copies, capsys):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        assert main(["release", str(tmp_path / name / "galaxies"), "--zip"]) == 0
    assert f"galaxies.zip: {len(LABS)} labs" in capsys.readouterr().out
    first, second = (tmp_path / name / "galaxies.zip" for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    assert contents(tmp_path / "galaxies") == contents(copies["judged"])


def test_badges_and_set_up_cells_lead_to_where_it_will_live(tmp_path):
    target = ["release", str(tmp_path / "copy"), "--with-solutions"]
    assert main([*target, "--address", "https://github.com/a-school/galaxies", "--revision", "2027"]) == 0
    home = load_course()
    for name, text in texts(tmp_path / "copy"):
        if name.startswith(("labs/", "solutions/")):
            assert "/github/a-school/galaxies/blob/2027/labs/" in text
            assert '"--branch", "2027"' in text
            assert '"https://github.com/a-school/galaxies")' in text
        if name != "CITATION.cff":  # the course stays what is cited
            assert home.slug not in text, name
    executed = contents(tmp_path / "copy")["solutions/00_start_here.ipynb"].decode()
    assert "Exercise 0.1 · from colours to grey: correct" in executed
    with pytest.raises(CourseError, match="a course's address is"):
        release(home, tmp_path / "other", address="somewhere", say=quiet)


# Working with it

STUDENT = """
import sys
import numpy as np
from utils.checks import check, hint, progress, reference, solution

def stub(picture):
    raise NotImplementedError("Exercise 0.1")

def broken(picture):
    print("colours:", picture.shape[-1])
    if picture.shape[0] == 1:
        return picture.mean(axis=-1) / 255
    if picture.shape[0] == 3:
        return None
    return picture.nonsense

check("0.1", stub)
check("0.1", broken)
check("0.1", lambda picture: picture.sum(axis=-1) / 255)
check("0.1", 3)
hint("0.1")
solution("0.1")
progress("00")
check("0.1", reference("0.1"))
"""
OPEN = """
from types import SimpleNamespace
from utils import lab, stopped

shell = SimpleNamespace(_showtraceback=lambda *_: None)
print(*stopped.MissingNames().show(shell, NotImplementedError, NotImplementedError("Exercise 0.1"), None))
lab.overview()
"""


def test_one_can_work_with_judges(copies, tmp_path):
    out = run(copies["judged"], STUDENT, tmp_path)
    assert "not attempted, 0 of 4 points\nReplace the line" in out
    assert "✔ 1/1 the example of the docstring" in out
    assert "This is the sum of the colours" in out
    assert "Hint 1 of 3 for exercise 0.1" in out
    assert "no solution of exercise 0.1" in out
    assert "The reference stands in for your function" in out
    assert "✘ 0.1 from colours to grey: not yet, 1 of 4" in out
    out = run(copies["judged"], OPEN, tmp_path)
    assert 'Exercise 0.1 is still to be written. To go on without it: give its function reference("0.1").' in out
    assert "00 · Start here (75 minutes of work): 0 of 5 exercises correct\n" in out


def test_without_judges_a_check_says_how_far_the_answer_runs(copies, tmp_path):
    out = run(copies["not judged"], STUDENT, tmp_path).splitlines()
    title = "Exercise 0.1 · from colours to grey"
    assert out[:14] == [
        f"{title}: not attempted",
        "Replace the line `raise NotImplementedError(…)` by your code, run that cell, then this one.",
        f"{title}: not yet, ran on 1 of 4 cases",
        "  ✘ bright",
        "      AttributeError: 'numpy.ndarray' object has no attribute 'nonsense'",
        "  ✘ dark and bright",
        "      for the same reason",
        "  ✘ white",
        "      the function returned None but printed something: return it instead",
        "In the case 'example' your function printed:",
        "      colours: 3",
        'Stuck? hint("0.1") helps, one step at a time.',
        f"{title}: ran on all 4 cases",
        "Whether it is right, whoever grades will say: this copy of the course has no judges.",
    ]
    assert out[14].startswith(f"{title}: not yet. Hand over the function itself")
    rest = "\n".join(out[16:])
    assert "Hint 1 of 3" in rest
    assert "no solution of exercise 0.1" in rest
    assert "Lab 00: 1 of 5 exercises ran on all their cases; whoever grades gives the points\n  ○ 0.1 from" in rest
    assert out[-1] == "RuntimeError: this copy of the course has no reference of exercise 0.1: go on with your own"
    out = run(copies["not judged"], OPEN, tmp_path)
    assert 'Exercise 0.1 is still to be written. hint("0.1") helps, one step at a time.\n' in out
    assert "00 · Start here (75 minutes of work): 1 of 5 exercises ran on all their cases\n" in out


def test_every_exercise_can_be_tried_without_judges(copies, tmp_path):
    """The cases of each exercise are made, and handed to as many functions as it asks for."""
    wanted = {e.id: e.reference() for lab in LABS for e in exercises(lab.number).values()}
    numbers = {i: len(answer) if isinstance(answer, tuple) else 1 for i, answer in wanted.items()}
    code = f"""
from utils.checks import check
for i, number in {numbers}.items():
    def stub(*a, **k):
        raise NotImplementedError("Exercise " + i)
    check(i, *number * [stub])
check("3.3", lambda **_: 1)
check("3.3", max, max, max)
check("3.3", lambda **_: 1, lambda **_: 2)
"""
    out = run(copies["not judged"], code, tmp_path).splitlines()
    assert sum(line.endswith(": not attempted") for line in out) == len(numbers), out
    assert "called with each function of the exercise" in out[-4]
    assert "called with each function of the exercise" in out[-3]
    assert out[-2] == "Exercise 3.3 · count the parameters: ran on all 7 cases"


def test_every_lab_finds_in_it_what_it_imports(copies, tmp_path):
    cells = [cell.text for lab in LABS for cell in read_cells(lab.path) if "imports" in cell.tags]
    assert len(cells) == len(LABS)
    assert run(copies["not judged"], "\n".join([*cells, "print('all there')"]), tmp_path).endswith("all there\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "lab"),  # with judges the course's own notebooks run in test_notebooks.py
    [("judged", LABS[0]), *(("not judged", lab) for lab in LABS if lab.number in ("00", "03"))],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_notebook_of_it_runs(copies, variant, lab, monkeypatch):
    """To its end, as it is handed out; nothing but open exercises stops a cell."""
    monkeypatch.setenv("COURSE_CACHE", str(ROOT / "data" / "cache"))
    folder = copies[variant] / "labs"
    notebook = json.loads((folder / f"{lab.name}.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in read_cells(lab.path) if ANSWER not in cell.tags]
    ran = run_lab(load_course(), lab, cells, notebook, folder=folder, allow_errors=True).notebook["cells"]
    for cell, after in zip(cells, ran, strict=True):
        outputs = after.get("outputs", [])
        errors = [f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]
        assert all(error.startswith("NotImplementedError: ") for error in errors), f"{cell.label}: {errors}"
        if cell.check:
            assert "not attempted" in "\n".join(map(output_text, outputs)), cell.label
