"""The picture at the top of the README: figures that the executed solutions hold, in rows.

A cell whose tags include ``showcase`` offers its first figure.
"""

import base64
import io
import json

from PIL import Image

from utils.course.errors import CourseError
from utils.course.source import find_sources
from utils.files import replacing

WIDTH, GAP = 1800, 12  # pixels
IN_A_ROW = 3  # figures, at most
SHOWCASE = "showcase"


def write_picture(course):
    """Write ``data/overview.jpg`` from the figures of all cells tagged ``showcase``."""
    figures = [figure for lab in find_sources(course.root) for figure in showcase_figures(course, lab)]
    if not figures:
        raise CourseError(f'no executed solution has a figure in a cell with tags=["{SHOWCASE}"]')
    rows = [_row(figures[first : first + IN_A_ROW]) for first in range(0, len(figures), IN_A_ROW)]
    whole = Image.new("RGB", (WIDTH, sum(row.height for row in rows) + GAP * (len(rows) - 1)), "white")
    top = 0
    for row in rows:
        whole.paste(row, (0, top))
        top += row.height + GAP
    with replacing(course.root / "data" / "overview.jpg") as temporary:
        whole.save(temporary, "JPEG", quality=88, optimize=True)


def _row(figures):
    """Figures side by side, of one height, which follows from the width of the row."""
    height = (WIDTH - GAP * (len(figures) - 1)) / sum(figure.width / figure.height for figure in figures)
    row, left = Image.new("RGB", (WIDTH, round(height)), "white"), 0
    for figure in figures:
        scaled = figure.resize((round(figure.width * height / figure.height), round(height)), Image.Resampling.LANCZOS)
        row.paste(scaled, (left, 0))
        left += scaled.width + GAP
    return row


def showcase_figures(course, lab):
    """First figure of each showcase cell of a lab's executed solution: list of PIL images."""
    path = course.solutions / f"{lab.name}.ipynb"
    if not path.is_file():
        return []
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [cell["outputs"] for cell in cells if SHOWCASE in cell["metadata"].get("tags", ())]
    return [figure for shown in outputs for figure in _figures(shown)[:1]]


def _figures(outputs):
    """The pictures among a cell's outputs."""
    encoded = [data for out in outputs for kind, data in out.get("data", {}).items() if kind.startswith("image/")]
    return [Image.open(io.BytesIO(base64.b64decode("".join(data)))).convert("RGB") for data in encoded]
