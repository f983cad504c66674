"""``python -m utils.course COMMAND``: build, measure, time, new, badge."""

import argparse
import sys
from pathlib import Path

from utils.course import build as building
from utils.course.errors import CourseError
from utils.course.layout import load_course
from utils.files import ROOT


def main(arguments=None):
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(load_course(options.root), options) or 0
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1


def _parser():
    parser = argparse.ArgumentParser(prog="python -m utils.course", description="Build, measure and time the labs.")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of the course (default: this one)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("build", help="write the notebooks that follow from the sources")
    command.add_argument("numbers", nargs="*", metavar="NN", help="labs (default: all)")
    command.add_argument("--student-only", action="store_true", help="run no solution, write labs/ alone")
    command.add_argument("--check", action="store_true", help="write nothing, show what differs, fail if anything does")
    command.set_defaults(run=_build)
    return parser


def _build(course, options):
    if not options.check:
        return building.build(course, options.numbers, options.student_only)
    differences = building.check(course, options.numbers)
    print("\n\n".join(differences) if differences else "the notebooks are what the sources give")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
