"""The tools that derive the notebooks of each lab from one source, measure and time them, hand them out and grade.

``python -m utils.course --help`` lists the commands. Nothing that a student's notebook imports depends on this package.

========== ===========================================================
source     reads a lab's source; what its exercises pass to the checks
marks      finds and cuts what stands between the solution marks
names      which names a piece of code binds and reads
rules      what a source has to be like
template   the set-up cell and the Colab badge
layout     where the files are, and the address of the repository
notebook   derives the notebooks from a source
kernel     runs a notebook: outputs, results, seconds, memory
clean      takes machine, moment and progress out of outputs
table      a table for the terminal and the README
build      writes or compares the derived files
measure    runs a lab with several seeds: ``data/expected.json``
timing     seconds and memory of each solution
badge      moves the course to another address
new        the skeleton of a lab
slicing    parts of a check module: without its judge, one reference
release    the students' copy of the course
nbgrader   the labs as nbgrader wants them
grading    grades what came back: a package of its own
========== ===========================================================
"""
