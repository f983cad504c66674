"""A tiny course in a temporary folder, for the tests of ``utils.course``: no TensorFlow, checks of three lines."""

import textwrap

from utils.course.layout import load_course
from utils.course.template import badge, set_up_cell

SETTINGS = """\
[project.urls]
# The one place for the address.
Repository = "https://github.com/someone/tiny-course"

[tool.course]
revision = "main"
"""

LAB = """\
import os
import random

seed = int(os.environ.get("COURSE_SEED", "0"))


def start(number):
    random.seed(seed)
    print(f"lab {number}, seed {seed}")
"""

CHECKS = '''\
import json
import os


def check(name, answer):
    """Correct where the answer doubles 21."""
    state = "not attempted"
    try:
        state = "correct" if answer(21) == 42 else "not yet"
    except NotImplementedError:
        pass
    print(f"Exercise {name}: {state}")
    with open(os.environ["COURSE_PROGRESS"], "w") as file:
        json.dump({name: {"state": state, "points": 1}}, file)
'''

RESULTS = """\
import json
import os


def record(lab, **values):
    with open(os.environ["COURSE_RESULTS"], "w") as file:
        json.dump({lab: values}, file)
"""

CLAIMS = """\
from utils.results import Claim

CLAIMS = {"half": Claim("half of the answer", "20 .. 25"), "seed_times_two": Claim("twice the seed")}
"""

BODY = '''\
# %% tags=["imports"]
import math

from utils import lab, results
from utils.checks import check

# %% [markdown]
# ## Doubling
#
# Write a function that doubles.

# %% exercise="3.1"
# Exercise 3.1
def double(x):
    """Twice x, e.g. 42 for 21."""
    ### BEGIN SOLUTION
    half_of_the_result = math.fsum([x])
    return half_of_the_result + half_of_the_result
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("3.1", double)

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>

# %%
print(double(1))

# %%
print(double(1))

# %%
results.record("03", half=double(21) / 2 + lab.seed / 10, seed_times_two=double(lab.seed))
'''


def header(course, name="03_doubling"):
    """The first two cells of a lab's source."""
    return (
        f"# %% [markdown]\n# # {name[:2]} · Doubling\n#\n# **Question:** What is twice 21?\n#\n"
        f"# **Time:** 5 minutes of work, 1 minute of CPU\n#\n# {badge(course, name)}\n\n"
        f'# %% tags=["setup"]\n{set_up_cell(course, name[:2])}\n\n'
    )


def make_course(root):
    """Write the course with its one lab, 03, into the folder `root`; returns the Course."""
    files = {
        "pyproject.toml": SETTINGS,
        "utils/__init__.py": "",
        "utils/lab.py": LAB,
        "utils/results.py": RESULTS,
        "utils/checks/__init__.py": CHECKS,
        "utils/checks/lab03.py": CLAIMS,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    course = load_course(root)
    for folder in (course.labs, course.solutions, root / "data"):
        folder.mkdir()
    write_source(course)
    return course


def write_source(course, change=lambda text: text, name="03_doubling", body=BODY):
    """Write a lab's source, changed; returns its path."""
    path = course.solutions / f"{name}.py"
    path.write_text(change(header(course, name) + textwrap.dedent(body)), encoding="utf-8")
    return path
