"""The course at another address, and the set-up cell that fetches it."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.course_example import make_course, write_source
from utils.course import build as building
from utils.course.__main__ import main
from utils.course.badge import move
from utils.course.errors import CourseError
from utils.course.layout import load_course, valid_address
from utils.course.template import badge, set_up_cell

README = """\
# Tiny course

| lab | |
|---|---|
| doubling | BADGE |

    git clone https://github.com/someone/tiny-course

Ask at https://github.com/someone/tiny-course/issues. Another: https://github.com/someone/tiny-course-2,
and https://colab.research.google.com/github/else/where/blob/main/x.ipynb.
"""


@pytest.fixture(scope="module")
def built_once(tmp_path_factory):
    course = make_course(tmp_path_factory.mktemp("badge"))
    write_source(
        course, lambda t: t.replace("# Write a function", "# Ask at https://github.com/someone/tiny-course. Write")
    )
    (course.root / "README.md").write_text(README.replace("BADGE", badge(course, "03_doubling")), encoding="utf-8")
    building.build(course, say=str)
    return course


@pytest.fixture
def course(built_once, tmp_path):
    shutil.copytree(built_once.root, tmp_path / "course")
    return load_course(tmp_path / "course")


def files(course):
    return {
        path.relative_to(course.root).as_posix(): path.read_bytes()
        for path in course.root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_address_moves_everywhere_and_back(course):
    before = files(course)
    said = []
    move(course, "https://github.com/you/fork/", say=said.append)
    assert sorted(said) == [
        "README.md: written",
        "labs/03_doubling.ipynb: written",
        "pyproject.toml: written",
        "solutions/03_doubling.ipynb: written",
        "solutions/03_doubling.py: written",
    ]
    moved = load_course(course.root)
    assert (moved.address, moved.revision) == ("https://github.com/you/fork", "main")
    assert building.check(moved) == []
    readme = files(moved)["README.md"].decode()
    assert "/github/you/fork/blob/main/labs/03_doubling.ipynb" in readme
    assert "git clone https://github.com/you/fork\n" in readme
    assert "https://github.com/you/fork/issues" in readme
    assert "https://github.com/someone/tiny-course-2" in readme
    assert "/github/else/where/blob/main/x.ipynb" in readme
    for name in ("solutions/03_doubling.py", "labs/03_doubling.ipynb", "solutions/03_doubling.ipynb"):
        assert b"someone/tiny-course" not in files(moved)[name]
        assert b"you/fork" in files(moved)[name]
    assert b"Exercise 3.1: correct" in files(moved)["solutions/03_doubling.ipynb"]
    move(moved, "https://github.com/someone/tiny-course", say=str)
    assert files(course) == before


def test_a_second_move_to_the_same_address_writes_nothing(course):
    said = []
    move(course, course.address, say=said.append)
    assert said == []


def test_the_revision_moves_with_badges_and_set_up_cells(course, capsys):
    arguments = ["--root", str(course.root), "badge", course.address, "--revision", "release/v2.0"]
    assert main(arguments) == 0
    moved = load_course(course.root)
    assert moved.revision == "release/v2.0"
    assert building.check(moved) == []
    assert b"blob/release/v2.0/labs/03_doubling.ipynb" in files(moved)["README.md"]
    assert b'"--branch", "release/v2.0"' in files(moved)["solutions/03_doubling.py"]
    move(moved, course.address, "main", say=str)
    assert building.check(load_course(course.root)) == []


def test_a_solution_that_was_out_of_date_is_left_alone(course):
    path = course.solutions / "03_doubling.py"
    path.write_text(path.read_text(encoding="utf-8").replace("Twice x", "Two times x"), encoding="utf-8")
    before, said = files(course), []
    move(course, "https://github.com/you/fork", say=said.append)
    assert said[-1] == (
        "solutions/03_doubling.ipynb was out of date and is left alone: python -m utils.course build 03"
    )
    assert files(course)["solutions/03_doubling.ipynb"] == before["solutions/03_doubling.ipynb"]


def test_a_set_up_cell_that_was_edited_is_put_right(course):
    path = course.solutions / "03_doubling.py"
    path.write_text(path.read_text(encoding="utf-8").replace('"-q", ', ""), encoding="utf-8")
    move(course, "https://github.com/you/fork", say=str)
    assert set_up_cell(load_course(course.root), "03") in path.read_text(encoding="utf-8")


def test_nothing_is_written_where_a_source_is_bad(course):
    path = course.solutions / "03_doubling.py"
    path.write_text(path.read_text(encoding="utf-8").replace("### END SOLUTION", ""), encoding="utf-8")
    before = files(course)
    with pytest.raises(CourseError, match="without `### END SOLUTION` below it"):
        move(course, "https://github.com/you/fork", say=str)
    assert files(course) == before


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/you/fork".replace("https", "http"),
        "https://gitlab.com/you/fork",
        "https://github.com/you",
        "https://github.com/you/fork/tree/main",
        "https://github.com/you/fork.git",
        "git@github.com:you/fork",
        "https://github.com/you/fork'); import os",
        "",
    ],
)
def test_an_address_is_owner_and_repository_at_github(address, course, capsys):
    before = files(course)
    assert main(["--root", str(course.root), "badge", address]) == 1
    said = capsys.readouterr().err
    assert "a course's address is https://github.com/OWNER/REPO" in said
    assert repr(address) in said
    assert files(course) == before


def test_a_revision_is_a_plain_name(course):
    for revision in ("a b", "--upload-pack=x", "x..y", 'x"', "x/"):
        with pytest.raises(CourseError, match="the name of a branch or tag"):
            move(course, course.address, revision)
    assert valid_address("https://github.com/you/fork") == "https://github.com/you/fork"


def test_settings_without_the_lines_are_named(course):
    course.settings.write_text(course.settings.read_text(encoding="utf-8").replace("revision =", "revisions ="))
    with pytest.raises(CourseError, match=r'wanted one line `revision = "…"` in \[tool.course\], found 0'):
        move(course, "https://github.com/you/fork", say=str)


# The set-up cell

RUN_TWICE = """
cell = open({path!r}).read()
for _ in range(2):
    exec(cell, {{}})
import sys, utils
print(sum(path == {expected!r} for path in sys.path), utils.__file__)
"""


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(built_once):
    """The course as a git repository on its branch main."""
    git(built_once.root, "init", "-q", "-b", "main")
    git(built_once.root, "add", "-A")
    git(built_once.root, "commit", "-q", "-m", "all")
    return built_once


def run_set_up(course, folder, expected, tmp_path, address="/nowhere"):
    """Run the set-up cell twice in one Python that starts in `folder`; returns what came out."""
    cell = tmp_path / "cell.py"
    cell.write_text(set_up_cell(course, "03"), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-c", RUN_TWICE.format(path=str(cell), expected=str(expected))],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"COURSE_REPOSITORY": str(address)},
        capture_output=True,
        text=True,
    )


def test_in_an_empty_folder_the_set_up_cell_fetches_the_course(repository, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    done = run_set_up(repository, empty, empty / "course", tmp_path, repository.root.as_uri())
    lines = done.stdout.splitlines()
    assert lines == [*["lab 03, seed 0"] * 2, f"1 {empty / 'course' / 'utils' / '__init__.py'}"], done.stderr
    assert done.stderr == ""
    depth = ["git", "-C", str(empty / "course"), "rev-parse", "--is-shallow-repository"]
    assert subprocess.run(depth, capture_output=True, text=True).stdout == "true\n"
    again = run_set_up(repository, empty, empty / "course", tmp_path)
    assert again.stdout == done.stdout, again.stderr


@pytest.mark.parametrize("folder", [".", "labs", "solutions"])
def test_inside_the_course_the_set_up_cell_finds_it(repository, folder, tmp_path):
    done = run_set_up(repository, repository.root / folder, repository.root, tmp_path)
    assert done.stdout.splitlines()[2] == f"1 {repository.root / 'utils' / '__init__.py'}", done.stderr
    assert not (repository.root / folder / "course").exists()


def test_where_the_course_cannot_be_fetched_git_says_so(repository, tmp_path):
    done = run_set_up(repository, tmp_path, tmp_path, tmp_path, tmp_path / "missing")
    assert done.returncode == 1
    assert "missing" in done.stderr
    assert "CalledProcessError" in done.stderr
