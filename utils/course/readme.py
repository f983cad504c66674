"""The README's tables: the labs from their headers, the results from ``data/expected.json``."""

import re

from utils.course.errors import CourseError
from utils.course.measure import load_claims, read_expected
from utils.course.source import find_sources, read_cells
from utils.course.table import table
from utils.course.template import badge
from utils.files import write_text
from utils.lab import read_header
from utils.results import number

_MARKED = r"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)"


def update_readme(course, check=False):
    """Write the tables into README.md, between their marks; True where nothing had to change.

    Parameters
    ----------
    course : Course
    check : bool
        Write nothing.
    """
    path = course.root / "README.md"
    before = path.read_text(encoding="utf-8")
    after = before
    for name, make in {"labs": labs_table, "results": results_table}.items():
        pattern = re.compile(_MARKED.format(name=name), re.DOTALL)
        if len(pattern.findall(after)) != 1:
            raise CourseError(f"README.md: wanted one pair of marks `<!-- {name}: … -->` and `<!-- end of {name} -->`")
        text = make(course)
        after = pattern.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", after)
    if after != before and not check:
        write_text(path, after)
    return after == before


def labs_table(course):
    """Lab, question, minutes of work, CPU minutes, badge."""
    expected, rows = read_expected(course.root / "data" / "expected.json"), []
    for lab in find_sources(course.root):
        cells = read_cells(lab.path)
        title, question, minutes = read_header(cells[0].text)
        seconds = [entry["seconds"] for entry in expected.get(lab.number, {}).values()]
        cpu = f"{max(seconds) / 60:.1f}" if seconds else "–"
        exercises = sum(bool(cell.exercise) for cell in cells)
        link = f"[{title}](labs/{lab.name}.ipynb)"
        rows.append([link, question, str(exercises), str(minutes), cpu, badge(course, lab.name)])
    header = ["Lab", "Question", "Exercises", "Minutes of work", "Minutes of CPU", "Open"]
    return table(header, rows, right=header[2:5])


def results_table(course):
    """Claim, target, mean and spread over the seeds, band, and whether the claim holds."""
    expected, rows = read_expected(course.root / "data" / "expected.json"), []
    for lab in find_sources(course.root):
        entries = expected.get(lab.number, {})
        for name in load_claims(course, lab):
            if name in entries:
                entry = entries[name]
                measured = (
                    f"{number(entry['mean'])} ± {number(entry['std'])}" if entry["std"] else number(entry["mean"])
                )
                band = " to ".join(number(value) for value in entry["band"]) if entry["std"] else "–"
                holds = "–" if entry["target"] is None else "✔" if entry["holds"] else "✘"
                rows.append([lab.number, entry["statement"], entry["target"] or "–", measured, band, holds])
    return table(["Lab", "Claim", "Target", "Measured", "Band for one seed", "Holds"], rows)
