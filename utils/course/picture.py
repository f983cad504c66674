"""The picture at the top of the README: figures that the executed solutions hold, side by side.

A cell whose tags include ``showcase`` offers its first figure.
"""

import base64
import io
import json

from PIL import Image

from utils.course.errors import CourseError
from utils.course.source import find_sources
from utils.files import replacing

HEIGHT = 360  # pixels
SHOWCASE = "showcase"


def write_picture(course):
    """Write ``data/overview.jpg`` from the figures of all cells tagged ``showcase``."""
    figures = [figure for lab in find_sources(course.root) for figure in showcase_figures(course, lab)]
    if not figures:
        raise CourseError(f'no executed solution has a figure in a cell with tags=["{SHOWCASE}"]')
    scaled = [f.resize((round(f.width * HEIGHT / f.height), HEIGHT), Image.Resampling.LANCZOS) for f in figures]
    whole = Image.new("RGB", (sum(f.width for f in scaled) + 12 * (len(scaled) - 1), HEIGHT), "white")
    left = 0
    for figure in scaled:
        whole.paste(figure, (left, 0))
        left += figure.width + 12
    with replacing(course.root / "data" / "overview.jpg") as temporary:
        whole.save(temporary, "JPEG", quality=88, optimize=True)


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
