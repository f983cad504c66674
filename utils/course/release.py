"""The students' copy of the course: a folder ready for git, or a zip.

:func:`lab_files` holds what it takes to run the labs, and is what the kernels of a grader see; :func:`release` adds the
pages that students read. All files are made before the first is written.
"""

import dataclasses
import io
import json
import re
import zipfile
from pathlib import Path

from utils.course.badge import moved_links, moved_source, with_outputs_of
from utils.course.build import checked_cells, compare, stored_notebook
from utils.course.errors import CourseError
from utils.course.layout import valid_address, valid_revision
from utils.course.measure import read_expected
from utils.course.nbgrader import nbgrader_files
from utils.course.notebook import dumps, solution_notebook, student_notebook
from utils.course.readme import labs_table
from utils.course.rules import find_leaks, solution_secrets
from utils.course.slicing import slice_checks, without_hidden
from utils.course.source import find_sources, read_cells, select_labs
from utils.files import replacing

_CHECKS = re.compile(r"utils/checks/lab\d\d\.py")
_COPIED = ("LICENSE", "CITATION.cff", ".gitignore", ".gitattributes", "data/README.md")


def make_copy(course, folder, labs=None, solutions=False, judges=True):
    """Write what it takes to run the labs into a folder, without the pages of a release.

    Parameters
    ----------
    course : Course
    folder : pathlib.Path
        New, or empty.
    labs : sequence of str or None
        Numbers; None is all labs.
    solutions, judges : bool
        See :func:`lab_files`.
    """
    _write(lab_files(course, labs, solutions, judges), _free_folder(course, folder))


def release(
    course,
    target,
    labs=None,
    solutions=False,
    judges=True,
    address=None,
    revision=None,
    zipped=False,
    nbgrader=False,
    say=print,
):
    """Write the students' copy, or the labs for nbgrader.

    Parameters
    ----------
    course : Course
    target : pathlib.Path
        A folder that is new, or empty but for ``.git``; of a zip the file, with or without ``.zip``.
    labs : sequence of str or None
        Numbers; None is all labs.
    solutions, judges : bool
        See :func:`lab_files`.
    address, revision : str or None
        Where the copy will live: badges and set-up cells lead there. None is where the course lives.
    zipped : bool
        Write a zip in place of a folder.
    nbgrader : bool
        Write the folder in which an instructor works with nbgrader, solutions included, in place of the students' copy.
    say : callable
        Prints what was made, and what of a solution shows in a helper.

    Raises
    ------
    CourseError
        Where the target is taken or inside the course, a lab is unknown or unsound, or a solution is out of date.
    """
    if nbgrader and not judges:
        raise CourseError("nbgrader takes the points from the judges: they cannot be left out")
    home = dataclasses.replace(
        course,
        address=valid_address(address or course.address),
        revision=valid_revision(revision or course.revision),
    )
    target = _free_zip(course, target) if zipped else _free_folder(course, target)
    files = lab_files(course, labs, solutions, judges, home)
    files |= _nbgrader(course, home, labs) if nbgrader else _pages(course, home, labs, solutions, judges)
    if zipped:
        with replacing(target) as temporary:
            temporary.write_bytes(_zip(files, target.stem))
    else:
        _write(files, target)
    number, size = len(select_labs(labs or (), course.root)), sum(map(len, files.values())) / 1e6
    say(
        f"{target.name}: {number} lab{'s' if number > 1 else ''}, {len(files)} files, {size:.1f} MB; "
        f"judges {'in' if judges else 'out'}, solutions {'in' if solutions or nbgrader else 'out'}"
    )
    say(f"badges and set-up cells lead to {home.address} ({home.revision})")
    if nbgrader:
        say("for instructors, not for students: nbgrader makes what students get, from source/")
    for note in [] if solutions or nbgrader else _shown_solutions(course, files):
        say(note)


def _pages(course, home, labs, solutions, judges):
    """What students read, and what comes with any copy."""
    pages = {name: (course.root / name).read_bytes() for name in _COPIED if (course.root / name).is_file()}
    if (course.root / "README.md").is_file():
        pages["README.md"] = _student_readme(course, home, labs, solutions, judges).encode()
    return pages


def _nbgrader(course, home, labs):
    files = {}
    for lab in select_labs(labs or (), course.root):
        cells = read_cells(lab.path)
        files |= nbgrader_files(course, lab, read_cells(lab.path, moved_source(lab, cells, course, home)))
    return files


def lab_files(course, labs=None, solutions=False, judges=True, home=None):
    """What it takes to run the labs: notebooks, helpers, checks, data, and the list of packages.

    Parameters
    ----------
    course : Course
    labs : sequence of str or None
        Numbers; None is all labs.
    solutions : bool
        Hand out the executed solutions too.
    judges : bool
        Hand out sub-tests and references; hidden sub-tests never leave. Without them a check runs the answer on its
        cases, and no more.
    home : Course or None
        The course with the address and revision of the copy; None where it has the course's own.

    Returns
    -------
    dict of str to bytes
        Path, with slashes, -> content.
    """
    if not find_sources(course.root):
        raise CourseError("there is no source in solutions/: a copy is made from the whole course, not from a copy")
    home, chosen, files = home or course, select_labs(labs or (), course.root), {}
    for lab in chosen:
        cells = read_cells(lab.path)
        moved = checked_cells(home, lab, None if home == course else moved_source(lab, cells, course, home))
        files[f"labs/{lab.name}.ipynb"] = dumps(student_notebook(lab, moved)).encode()
        if solutions:
            files[f"solutions/{lab.name}.ipynb"] = dumps(_executed(course, lab, cells, moved)).encode()
        path = course.root / "utils" / "checks" / f"lab{lab.number}.py"
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            files[f"utils/checks/{path.name}"] = (without_hidden(text) if judges else slice_checks(text)).encode()
    for path in sorted((course.root / "utils").rglob("*.py")):
        name = path.relative_to(course.root).as_posix()
        if not name.startswith("utils/course/") and not _CHECKS.fullmatch(name):
            files[name] = path.read_bytes()
    for path in sorted((course.root / "data").rglob("*")):
        name = path.relative_to(course.root).as_posix()
        if path.is_file() and not re.match(r"data/(cache/|(.*/)?\.)", name) and path.suffix != ".md":
            files[name] = path.read_bytes()
    expected = read_expected(course.root / "data" / "expected.json")
    if expected.keys() - {lab.number for lab in chosen}:
        known = {lab.number: expected[lab.number] for lab in chosen if lab.number in expected}
        files["data/expected.json"] = (json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    if (course.root / "requirements.txt").is_file():
        files["requirements.txt"] = (course.root / "requirements.txt").read_bytes()
    return files


def _executed(course, lab, cells, moved):
    """The stored solution, its cells' sources at the copy's address."""
    path = course.solutions / f"{lab.name}.ipynb"
    _, stored, problem = stored_notebook(path, lab, "build")
    for difference in [problem] if problem else compare(stored, solution_notebook(lab, cells), path.name, lab, "build"):
        raise CourseError(difference)
    return with_outputs_of(solution_notebook(lab, moved), stored)


def _shown_solutions(course, files):
    """A line for each helper or page that shows a statement of a solution; what a lab shows, its source has allowed."""
    secrets = [s for lab in select_labs((), course.root) for s in solution_secrets(lab.path, read_cells(lab.path))]
    for name, content in files.items():
        if name.endswith((".py", ".md", ".json", ".txt")) and not _CHECKS.fullmatch(name):
            for exercise, statement in find_leaks(secrets, content.decode("utf-8", "replace")):
                yield f"{name} shows what exercise {exercise} asks for: `{statement}`"


# Where it is written


def _free_folder(course, folder):
    """The folder's path; a CourseError where something is there already."""
    folder = _outside(course, folder)
    if folder.exists() and (not folder.is_dir() or any(path.name != ".git" for path in folder.iterdir())):
        raise CourseError(f"{folder} is there already and not empty: nothing in it is overwritten, name a new folder")
    return folder


def _free_zip(course, target):
    target = _outside(course, target)
    target = target.with_name(target.name.removesuffix(".zip") + ".zip")
    if target.exists():
        raise CourseError(f"{target} is there already: it is not overwritten, name a new file")
    return target


def _outside(course, target):
    target = Path(target).resolve()
    if target == course.root or course.root in target.parents:
        raise CourseError(f"{target} is inside the course: name a place outside of {course.root}")
    return target


def _write(files, folder):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _zip(files, folder):
    """The files below one folder, as a zip: the same bytes for the same files, at any time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{folder}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


# The page for students


def _student_readme(course, home, labs, solutions, judges):
    """The course's title, introduction, table of labs and licence, with what a student has to know in between."""
    text = (course.root / "README.md").read_text(encoding="utf-8")
    names = [lab.name for lab in select_labs(labs or (), course.root)]
    rows = labs_table(home).splitlines()
    parts = [
        re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0].strip(),
        _BEGIN.format(first=names[0]),
        "\n".join([*rows[:2], *(row for row in rows[2:] if any(f"(labs/{name}.ipynb)" in row for name in names))]),
        _JUDGED if judges else _NOT_JUDGED,
        _WITH_SOLUTIONS if solutions else _WITHOUT_SOLUTIONS,
        _COUNTED,
    ]
    licence = re.search(r"^## Licence.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    parts += [licence[0].strip()] if licence else []
    return moved_links("\n\n".join(parts) + "\n", course, home)


_BEGIN = """\
## Begin

With Python 3.11, 3.12 or 3.13, in the folder of this file:

```
python -m venv .venv
source .venv/bin/activate                 # on Windows: .venv\\Scripts\\activate
pip install -r requirements.txt
jupyter lab labs/{first}.ipynb
```

Or open a lab in Colab, by its badge: there is nothing to install. Everything runs on a laptop without a GPU; it takes
4 GB of memory and 4 GB of disk.

## The labs"""

_JUDGED = """\
## How a lab works

Run its cells from top to bottom, and write the functions that it asks for. `check("1.2", your_function)`, below each,
says *not attempted*, *not yet* or *correct*, and names the mistake where it knows it. `hint("1.2")` helps, one step at
a time. `reference("1.2")` puts a ready-made function in the place of yours, so that you can go on; it earns no points.\
"""

_NOT_JUDGED = """\
## How a lab works

Run its cells from top to bottom, and write the functions that it asks for. `check("1.2", your_function)`, below each,
runs yours on a number of cases and says where it fails; whether the results are right, whoever grades will say: this
copy has neither judges nor references. `hint("1.2")` helps, one step at a time.\
"""

_WITH_SOLUTIONS = '`solution("1.2")` shows the worked solution; the executed ones are in `solutions/`.'

_WITHOUT_SOLUTIONS = "This copy has no worked solutions."

_COUNTED = """\
`lab.progress()` counts what you have done. It is kept in `.progress.json`, on your machine alone. Simulated data are
made when they are first needed and kept in `data/cache`; delete it whenever you like.\
"""
