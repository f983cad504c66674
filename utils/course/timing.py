"""What each solution costs: CPU seconds, wall seconds, memory."""

from utils.course.build import checked_cells
from utils.course.kernel import run_lab
from utils.course.notebook import solution_notebook
from utils.course.source import select_labs
from utils.course.table import table

_HEADER = ["lab", "CPU seconds", "wall seconds", "peak memory (GB)"]


def time_labs(course, numbers=(), say=print):
    """Run the solutions and print what each one costs, as a table; nothing is written.

    Parameters
    ----------
    course : Course
    numbers : sequence of str
        Which labs; all where it is empty.
    say : callable
        Prints the table.
    """
    costs = {}
    for lab in select_labs(numbers, course.root):
        cells = checked_cells(course, lab)
        run = run_lab(course, lab, cells, solution_notebook(lab, cells))
        costs[lab.name] = run.cpu_seconds, run.wall_seconds, run.peak_bytes / 1e9
    if len(costs) > 1:
        cpu, wall, memory = zip(*costs.values(), strict=True)
        costs["all"] = sum(cpu), sum(wall), max(memory)
    rows = [[name, f"{cpu:.1f}", f"{wall:.1f}", f"{memory:.2f}"] for name, (cpu, wall, memory) in costs.items()]
    say(table(_HEADER, rows, right=_HEADER[1:]))
