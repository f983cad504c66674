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

# What a lab compares with the programs that astronomers use: lab -> what was measured -> column -> claim.
COMPARED = {
    "13": {
        "IoU of the masks of two galaxies that overlap": {
            "Network": "unet_iou",
            "SEP": "sep_iou",
            "photutils": "photutils_iou",
            "Watershed": "watershed_iou",
        },
        "Mean relative error of their fluxes": {
            "Network": "flux_error",
            "SEP": "sep_flux_error",
            "photutils": "photutils_flux_error",
        },
        "Real sky: completeness to magnitude 24": {"Network": "tile_completeness", "SEP": "sep_tile_completeness"},
        "Real sky: purity": {"Network": "tile_purity", "SEP": "sep_tile_purity"},
    },
    "16": {
        "Real sky: recall to magnitude 23.5": {"Network": "tile_recall_before", "SEP": "sep_recall"},
        "Real sky: precision": {"Network": "tile_precision_before", "SEP": "sep_precision"},
    },
}

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
    for name, make in {"labs": labs_table, "comparison": comparison_table, "results": results_table}.items():
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
                band = " to ".join(number(value) for value in entry["band"]) if entry["std"] else "–"
                holds = "–" if entry["target"] is None else "✔" if entry["holds"] else "✘"
                rows.append([lab.number, entry["statement"], entry["target"] or "–", _measured(entry), band, holds])
    return table(["Lab", "Claim", "Target", "Measured", "Band for one seed", "Holds"], rows)


def comparison_table(course):
    """What was measured on the same images for a network and for the programs that astronomers use."""
    expected, rows = read_expected(course.root / "data" / "expected.json"), []
    methods = ["Network", "SEP", "photutils", "Watershed"]
    for lab, compared in COMPARED.items():
        entries = expected.get(lab, {})
        for what, claims in compared.items():
            found = (entries.get(claims.get(method)) for method in methods)
            rows.append([lab, what, *("–" if entry is None else _measured(entry) for entry in found)])
    return table(["Lab", "On the same images", *methods], rows, right=methods)


def _measured(entry):
    """Mean and spread, where there is one, over the seeds."""
    return f"{number(entry['mean'])} ± {number(entry['std'])}" if entry["std"] else number(entry["mean"])
