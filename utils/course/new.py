"""The skeleton of a lab: a source, checks and wrong answers that build and pass right away."""

import re
from pathlib import Path
from string import Template

from utils.course.errors import CourseError
from utils.course.source import find_sources
from utils.course.template import badge, set_up_cell
from utils.files import write_text

_SKELETON = Path(__file__).with_name("skeleton")


def new_lab(course, number, topic, say=print):
    """Write the three hand-written files of a lab; refuses where one of them, or the number, is taken.

    Parameters
    ----------
    course : Course
    number : str
        Such as ``"7"`` or ``"07"``.
    topic : str
        Such as ``"batch_norm"``: lower-case words joined by underscores.
    say : callable
        Prints a line for each file, and what to do next.
    """
    if not re.fullmatch(r"\d{1,2}", number):
        raise CourseError(f"a lab's number has one or two digits, got {number!r}")
    if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", topic):
        raise CourseError(f"a topic is lower-case words joined by underscores, such as batch_norm, got {topic!r}")
    number = f"{int(number):02d}"
    name = f"{number}_{topic}"
    for lab in find_sources(course.root):
        if lab.number == number:
            raise CourseError(f"there is a lab {number} already: solutions/{lab.path.name}")
    words = {
        "number": number,
        "id": f"{int(number)}.1",
        "title": topic.replace("_", " ").capitalize(),
        "badge": badge(course, name),
        "setup": set_up_cell(course, number),
    }
    files = {
        course.solutions / f"{name}.py": "source.txt",
        course.root / "utils" / "checks" / f"lab{number}.py": "checks.txt",
        course.root / "tests" / "wrong_answers" / f"lab{number}.py": "wrong_answers.txt",
    }
    for path in files:
        if path.exists():
            raise CourseError(f"{path.relative_to(course.root).as_posix()} is there already")
    for path, template in files.items():
        text = Template((_SKELETON / template).read_text(encoding="utf-8")).substitute(words)
        write_text(path, text)
        say(f"{path.relative_to(course.root).as_posix()}: written")
    say(f"next: python -m utils.course build {number}; python -m utils.course measure {number}")
