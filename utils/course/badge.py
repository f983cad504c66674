"""Move the course to another address: settings, badges, set-up cells, and what is derived from them."""

import dataclasses
import re

from utils.course.build import check_size, checked_cells, compare, stored_notebook
from utils.course.errors import CourseError
from utils.course.layout import valid_address, valid_revision
from utils.course.notebook import dumps, solution_notebook, student_notebook
from utils.course.readme import update_readme
from utils.course.source import find_sources, read_cells
from utils.course.template import COLAB_LINK, colab_link, set_up_cell
from utils.files import write_text

README_TABLES = "<!-- labs:"
PAGES = ("README.md", "CONTRIBUTING.md", "CITATION.cff")


def move(course, address, revision=None, say=print):
    """Rewrite the address everywhere it stands. All files are made before the first is written.

    Parameters
    ----------
    course : Course
        As it is now.
    address : str
        ``https://github.com/OWNER/REPO``
    revision : str or None
        Branch or tag to hand out; None keeps the present one.
    say : callable
        Prints a line for each file that changes, and for each executed solution that must be built again.
    """
    new = dataclasses.replace(
        course, address=valid_address(address), revision=valid_revision(revision or course.revision)
    )
    files = {course.settings: _settings(course.settings.read_text(encoding="utf-8"), new)}
    for name in PAGES:
        if (course.root / name).is_file():
            files[course.root / name] = moved_links((course.root / name).read_text(encoding="utf-8"), course, new)
    outdated = []
    for lab in find_sources(course.root):
        old_cells = read_cells(lab.path)
        files[lab.path] = moved_source(lab, old_cells, course, new)
        cells = checked_cells(new, lab, files[lab.path])
        files[new.labs / f"{lab.name}.ipynb"] = dumps(student_notebook(lab, cells))
        path = new.solutions / f"{lab.name}.ipynb"
        _, stored, problem = stored_notebook(path, lab, "build")
        derived = solution_notebook(lab, old_cells)
        if problem or compare(stored, derived, path.name, lab, "build"):
            outdated.append(lab)
        else:
            files[path] = dumps(with_outputs_of(solution_notebook(lab, cells), stored))
    for path, text in files.items():
        if path.suffix == ".ipynb":
            check_size(path, text)
    for path, text in files.items():
        if not path.is_file() or path.read_bytes() != text.encode():
            write_text(path, text)
            say(f"{path.relative_to(course.root).as_posix()}: written")
    if README_TABLES in files.get(course.root / "README.md", ""):
        update_readme(new)  # the width of its columns follows from the address
    for lab in outdated:
        say(f"solutions/{lab.name}.ipynb was out of date and is left alone: python -m utils.course build {lab.number}")


def _settings(text, new):
    """pyproject.toml with the new address and revision, all else as it was."""
    for section, key, value in (
        ("project.urls", "Repository", new.address),
        ("tool.course", "revision", new.revision),
    ):
        pattern = rf'(^\[{re.escape(section)}\]\s*$(?:\n(?!\[).*$)*?\n{key}\s*=\s*)"[^"\n]*"'
        text, count = re.subn(pattern, lambda found, value=value: f'{found[1]}"{value}"', text, flags=re.MULTILINE)
        if count != 1:
            raise CourseError(f'pyproject.toml: wanted one line `{key} = "…"` in [{section}], found {count}')
    return text


def moved_links(text, old, new):
    """`text` with links to Colab, and the course's address, moved."""

    def to_colab(found):
        folder, _, name = found[0].rpartition("/")
        return colab_link(new, name.removesuffix(".ipynb")) if folder.endswith("/labs") else found[0]

    text = COLAB_LINK.sub(to_colab, text)
    return re.sub(rf"{re.escape(old.address)}(?![\w-]|\.\w)", new.address, text)


def moved_source(lab, cells, old, new):
    """A lab's source with its set-up cell and links moved."""
    lines = lab.path.read_text(encoding="utf-8").splitlines()
    for cell in cells:
        if "setup" in cell.tags:
            start = cell.line - 1
            lines[start : start + len(cell.text.splitlines())] = set_up_cell(new, lab.number).splitlines()
            break
    return moved_links("\n".join(lines) + "\n", old, new)


def with_outputs_of(notebook, stored):
    """The `notebook` with the outputs of the `stored` one, cell by cell."""
    for cell, ran in zip(notebook["cells"], stored["cells"], strict=True):
        cell |= {key: ran[key] for key in ("outputs", "execution_count") if key in ran}
    return notebook
