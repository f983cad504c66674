"""``python -m utils.course COMMAND``: build, measure, time, readme, new, release, compose, grade, badge."""

import argparse
import sys
from pathlib import Path

from utils.course import build as building
from utils.course.badge import move
from utils.course.errors import CourseError
from utils.course.grading import command as grading
from utils.course.grading.compose import compose_file
from utils.course.layout import load_course
from utils.course.measure import load_claims, measure
from utils.course.new import new_lab
from utils.course.picture import write_picture
from utils.course.readme import update_readme
from utils.course.release import release
from utils.course.source import select_labs
from utils.course.timing import time_labs
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

    command = commands.add_parser("measure", help="run labs with several seeds, write data/expected.json")
    command.add_argument("numbers", nargs="*", metavar="NN", help="labs")
    command.add_argument("--all", action="store_true", help="every lab that claims something")
    command.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], metavar="SEED")
    command.set_defaults(run=_measure)

    command = commands.add_parser("time", help="run the solutions, print seconds and memory")
    command.add_argument("numbers", nargs="*", metavar="NN", help="labs (default: all)")
    command.set_defaults(run=lambda course, options: time_labs(course, options.numbers))

    command = commands.add_parser("readme", help="write the tables and the picture of README.md")
    command.add_argument("--check", action="store_true", help="write nothing, fail if a table is out of date")
    command.set_defaults(run=_readme)

    command = commands.add_parser("new", help="write the skeleton of a lab")
    command.add_argument("number", metavar="NN")
    command.add_argument("topic", help="lower-case words joined by underscores, such as batch_norm")
    command.set_defaults(run=lambda course, options: new_lab(course, options.number, options.topic))

    command = commands.add_parser("release", help="write the students' copy of the course, as a folder or a zip")
    command.add_argument("target", type=Path, metavar="DIR", help="a folder that is new or empty")
    command.add_argument("--labs", nargs="+", default=None, metavar="NN", help="labs (default: all)")
    command.add_argument("--with-solutions", action="store_true", help="hand out the executed solutions too")
    command.add_argument("--without-judges", action="store_true", help="checks run the answer, and do not judge it")
    command.add_argument("--zip", action="store_true", help="write DIR.zip in place of a folder")
    command.add_argument("--nbgrader", action="store_true", help="write the labs for nbgrader instead, for instructors")
    command.add_argument("--address", metavar="URL", help="where the copy will live (default: where the course lives)")
    command.add_argument("--revision", help="its branch or tag (default: the course's)")
    command.set_defaults(run=_release)

    command = commands.add_parser("compose", help="put a student's answers into the solution's notebook, for nbval")
    command.add_argument("submission", type=Path, metavar="SUBMISSION.ipynb")
    command.add_argument("--lab", required=True, metavar="NN")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="inside a copy of the course")
    command.set_defaults(
        run=lambda course, options: compose_file(course, options.lab, options.submission, options.output)
    )

    command = commands.add_parser("grade", help="grade what came back: gradebook, feedback pages, report")
    grading.add_arguments(command)
    command.set_defaults(run=grading.grade)

    command = commands.add_parser("badge", help="move badges and set-up cells to another address, after a fork")
    command.add_argument("url", metavar="URL", help="https://github.com/OWNER/REPO")
    command.add_argument("--revision", help="branch or tag to hand out (default: the present one)")
    command.set_defaults(run=lambda course, options: move(course, options.url, options.revision))
    return parser


def _build(course, options):
    if not options.check:
        return building.build(course, options.numbers, options.student_only)
    differences = building.check(course, options.numbers)
    print("\n\n".join(differences) if differences else "the notebooks are what the sources give")
    return 1 if differences else 0


def _measure(course, options):
    if options.all == bool(options.numbers):
        raise CourseError("name the labs to measure, or say --all")
    labs = select_labs(options.numbers, course.root)
    if options.all:
        labs = [lab for lab in labs if load_claims(course, lab)]
    held = [measure(course, lab.number, options.seeds) for lab in labs]
    return 0 if all(held) else 1


def _release(course, options):
    release(
        course,
        options.target,
        labs=options.labs,
        solutions=options.with_solutions,
        judges=not options.without_judges,
        address=options.address,
        revision=options.revision,
        zipped=options.zip,
        nbgrader=options.nbgrader,
    )


def _readme(course, options):
    if not options.check:
        write_picture(course)
    if update_readme(course, options.check) or not options.check:
        return 0
    raise CourseError("the tables of README.md are out of date; mend them with: python -m utils.course readme")


if __name__ == "__main__":
    sys.exit(main())
