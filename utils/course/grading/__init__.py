"""Grading: a class of notebooks that came back, judged outside of the processes that run the students' code.

``python -m utils.course grade`` leads through it from top to bottom.

=========== ==========================================================
command     the command, from a folder of submissions to a gradebook
What came back
received    the files in a folder or an archive, as one flat list
roster      who is in the class, and whom a name means
owners      whose each file is
submissions each student's notebook
reading     a notebook's cells, read leniently and safely
syntax      a cell as Python reads it, its magics left out
compose     the student's answers in the instructor's notebook
One submission
plan        which cells are run, and what stands in for an exercise
grader      runs, judges, and finds out who stopped the program
judging     cases from a secret seed, verdicts, points
mailbox     the folder that a graded kernel and the grader share
session     one run of a notebook through nbval, in its own process
plugin      what nbval needs for that: a plugin of pytest
kernels     kernels in isolation, watched, and ended for good
isolation   what a machine offers to keep students' code in
zygote      a server that forks processes with modules imported
forks       the fork server, seen from who gives it orders
places      temporary folders for students' code, gone afterwards
family      a process and all that it has started
A class
calibrate   the solution gets everything, the untouched lab nothing
batch       each submission is graded once, whoever dies on the way
workers     this process, processes of this machine, a Dask cluster
results     results kept by content
version     what a grade depends on besides the submission
folder      the secret seed, and locks of a folder of grades
progress    how far a run is
What comes out
marks       a line of the gradebook
overrides   marks by hand
lateness    due dates, extensions, penalties
flags       what a person may want to look at
usage       what an answer uses
likeness    answers that are alike
gradebook   the tables, for Canvas and Moodle too
feedback    a student's page
report      the instructor's page
outputs     writes all of these
pages       templates, code and outputs that are safe to show
tables      CSV files
wording     numbers, moments and text of unknown origin
=========== ==========================================================
"""
