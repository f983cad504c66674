"""The parts of a lab that follow from its number and the course's address: the set-up cell and the badge."""

import re

_SET_UP = """\
# Set-up: finds the course's files or, on Colab, fetches them. Run this cell first.
import os
import subprocess
import sys
from pathlib import Path

places = [Path.cwd(), *Path.cwd().parents, Path.cwd() / "course"]
if not any((place / "utils/lab.py").is_file() for place in places):
    address = os.environ.get("COURSE_REPOSITORY", "{address}")
    subprocess.run(["git", "clone", "-q", "--depth", "1", "--branch", "{revision}", address, "course"], check=True)
course = str(next(place for place in places if (place / "utils/lab.py").is_file()))
if course not in sys.path:
    sys.path.insert(0, course)

from utils import lab

lab.start("{number}")"""

_COLAB = "https://colab.research.google.com/github"
COLAB_LINK = re.compile(_COLAB + r"/[^\s)\"'>]*")


def set_up_cell(course, number):
    """Source of the set-up cell of lab `number`, the same in all labs but for the number."""
    return _SET_UP.format(address=course.address, revision=course.revision, number=number)


def colab_link(course, name):
    """Address that opens ``labs/NAME.ipynb`` in Colab."""
    return f"{_COLAB}/{course.slug}/blob/{course.revision}/labs/{name}.ipynb"


def badge(course, name):
    """The badge, in markdown, that opens ``labs/NAME.ipynb`` in Colab."""
    picture = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open in Colab]({picture})]({colab_link(course, name)})"
