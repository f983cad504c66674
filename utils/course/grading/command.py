"""``python -m utils.course grade``: from a folder of submissions to a gradebook."""

import argparse
import json
import re
import signal
import statistics
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from utils.course.errors import CourseError
from utils.course.grading.wording import count
from utils.course.source import select_labs

MEMORY_OF_A_WORKER = 3e9  # bytes that grading one submission takes at most, as a rule
DESCRIBE = f"{__name__}:describe"
_ABOUT = """\
Grade what came back of a lab. One command gives a gradebook, a feedback page for each student, and a report.

SUBMISSIONS is a folder or a zip archive: one folder for each student, files named by student, a download from Moodle
or Canvas, a tree from GitHub Classroom. Notebooks are recognised by their content, whatever they are called.

Before the first student, the grader grades the course's own solution, which has to get all points, and the untouched
lab, which has to get none; otherwise it stops, and names the check at fault."""
_MORE = """\
examples:
  grade submissions.zip --lab 03 -o grades --roster roster.csv
  grade submissions --lab 03 -o grades --due 2026-11-20T23:59 --late "10%/day"
  grade submissions --lab 03 -o grades --only ada          one student; tried again where it had failed

Run it again whenever you like: what is graded already is not graded again, and after a crash it goes on where it was.
Marks by hand go into GRADES/overrides.csv (student, exercise, points, comment), later due dates of single students into
GRADES/extensions.csv (student, due); the next run takes them in.

a large class:
  --shard 3/8 grades the third of eight parts, counted from 1: start eight of these, on as many machines as you like,
  into one GRADES folder that all of them see; then run the command with --merge. As a job array of SLURM, with
  --array=1-8: --shard $SLURM_ARRAY_TASK_ID/8. As an indexed job of Kubernetes: --shard $((JOB_COMPLETION_INDEX+1))/8.
  --dask tcp://HOST:8786 sends the submissions to a Dask cluster instead. Start its workers in the course's folder:
  python -m distributed.cli.dask_worker tcp://HOST:8786 --nworkers 4 --nthreads 1

GRADES/secret.json holds the seed from which the cases of the checks are drawn. Keep it, and the folder, to yourself."""


def add_arguments(command):
    """Say what the command takes; `command` is an argparse.ArgumentParser."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.description, command.epilog = _ABOUT, _MORE
    add = command.add_argument
    add("submissions", type=Path, metavar="SUBMISSIONS", help="folder or zip archive with what came back")
    add("--lab", required=True, metavar="NN", help="which lab it is, such as 03")
    add("-o", "--output", type=Path, required=True, metavar="GRADES", help="folder for the grades; made where missing")
    add("--roster", type=Path, metavar="CSV", help="the class list, as Moodle or Canvas exports it: who sent nothing?")
    add("--only", nargs="+", default=[], metavar="STUDENT", help="grade these alone, again where it failed")
    add("--due", metavar="TIME", help="when it was due, such as 2026-11-20T23:59 or 2026-11-20T23:59+01:00")
    add("--late", metavar="RULE", help="what being late costs, such as '10%%/day' or '20%% of the maximum'")
    add("--skip-training", action="store_true", help="run only the cells that the checks need; no models are trained")
    add("-j", "--jobs", type=int, metavar="N", help="submissions at once (default: as cores and memory allow)")
    add(
        "--isolation",
        default="auto",
        choices=("auto", "bwrap", "limits", "none"),
        help="what keeps students' code in: a sandbox (bwrap), limits of memory and disk, or nothing "
        "(default: the sandbox where it works, else limits)",
    )
    add(
        "--cell-seconds",
        type=float,
        default=30.0,
        metavar="S",
        help="what a cell may take at least (default: 30); ten times what the solution takes, where that is more",
    )
    add("--seed", type=int, metavar="N", help="set the secret seed; another seed grades everybody again")
    add("--dask", metavar="ADDRESS", help="grade on a Dask cluster, such as tcp://host:8786")
    add("--shard", metavar="I/N", help="grade the I-th of N parts of the class, I from 1 on; writes no gradebook")
    add("--merge", action="store_true", help="grade nobody: write the gradebook from the results that are there")
    add("--partial", action="store_true", help="with --merge: results may be missing")


def grade(course, options, grader=None, say=print):
    """Run the command.

    Parameters
    ----------
    course : Course
    options : argparse.Namespace
        What :func:`add_arguments` describes.
    grader : str or None
        Where the Grader's class is, if it is not the course's.
    say : callable
        Prints a line.

    Returns
    -------
    int
        Exit status: 0, 1 where a merge is not complete, 130 after Ctrl-C.
    """
    from utils.course.grading.folder import locked

    shard = read_shard(options.shard)
    if options.merge and (shard or options.dask or options.only):
        raise CourseError("--merge grades nobody: it does not go with --shard, --dask or --only")
    if options.partial and not options.merge:
        raise CourseError("--partial goes with --merge")
    if options.jobs is not None and options.jobs < 1:
        raise CourseError(f"-j is the number of submissions at once, 1 or more, got {options.jobs}")
    if not options.cell_seconds > 0:
        raise CourseError(f"--cell-seconds is a number of seconds above 0, got {options.cell_seconds}")
    if options.output.exists() and not options.output.is_dir():
        raise CourseError(f"{options.output} is a file: -o names a folder")
    lock = f"shard-{shard[0]}-of-{shard[1]}" if shard else "grade"
    run = _Command(course, options, grader, shard, say)
    with locked(options.output, lock, say=say), _terminable():
        try:
            if not options.merge:
                run.grade()
            return run.finish()
        except KeyboardInterrupt:
            say("\n" + run.stopped())
            return 130


def read_shard(text):
    """``"2/8"`` as (2, 8); None for None.

    Examples
    --------
    >>> read_shard("2/8")
    (2, 8)
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise CourseError(f"--shard is I/N with I from 1 to N, such as 1/8 for the first of eight parts, got {text!r}")
    return int(found[1]), int(found[2])


class _Command:
    """One run of the command, in its steps."""

    def __init__(self, course, options, grader, shard, say):
        from utils.course.grading.folder import secret_seed
        from utils.course.grading.lateness import parse_due, parse_rule
        from utils.course.grading.results import Results
        from utils.course.grading.roster import read_roster
        from utils.course.grading.submissions import find_submissions
        from utils.course.grading.version import course_version, lab_notebook, packages
        from utils.course.grading.workers import Job

        self.course, self.options, self.shard, self.say = course, options, shard, say
        self.grader, self.calibration = grader or Job.grader, None
        (self.lab,) = select_labs([options.lab], course.root)
        self.due, note = parse_due(options.due) if options.due else (None, "")
        self.rule = parse_rule(options.late)
        if note:
            say(f"due: {note}")
        truth = json.loads(lab_notebook(course.root, "solutions", self.lab.number).read_bytes())
        self.people = read_roster(options.roster) if options.roster else []
        self.submissions = find_submissions(options.submissions, self.lab, truth, self.people)
        seed = secret_seed(options.output, options.seed)
        wanted = ("skip_training", "isolation", "cell_seconds")
        mode = {name: getattr(options, name) for name in wanted}
        version = course_version(course.root, self.lab.number)
        self.results = Results(options.output, self.lab.number, seed, mode, version, packages(), say)
        self.isolation = None

    # Grading

    def grade(self):
        """Grade whoever has to be graded."""
        from utils.course.grading.batch import grade_class, ungraded
        from utils.course.grading.progress import Progress
        from utils.course.grading.version import fingerprint
        from utils.course.grading.workers import Job

        self.results.tidy()
        wanted = ungraded(self._mine(), self.results, self.options.only)
        self.say(self._overview(wanted))
        if not wanted:
            return
        self._check_files()
        jobs = 1 if self.options.dask else self._jobs(len(wanted))
        setup = self._setup(jobs)
        self._calibrate(setup, jobs)
        job = Job(
            self.calibration.apply(setup), self.grader, self.results.course, fingerprint(), self.calibration.digest
        )
        with self._executor(jobs) as executor, Progress(len(wanted)) as progress:
            grade_class(wanted, job, self.results, executor, progress, self.options.only)

    def _mine(self):
        """The submissions of this run: all, those that are named, or those of the shard, counted off in turn."""
        found = [submission for submission in self.submissions if not submission.problem]
        if self.options.only:
            unknown = set(self.options.only) - {submission.student for submission in self.submissions}
            if unknown:
                raise CourseError(f"--only: nobody is called {', '.join(sorted(unknown))}; ids are as in grades.csv")
            return [submission for submission in found if submission.student in self.options.only]
        return found[self.shard[0] - 1 :: self.shard[1]] if self.shard else found

    def _check_files(self):
        """A CourseError where marks by hand or due dates cannot be used: said now, not when everybody is graded."""
        from utils.course.grading.outputs import class_entries

        if self.due or any(path.exists() for path in self._files().values()):
            class_entries([], self.submissions, self.people, self._outputs())

    def _overview(self, wanted):
        here = f", this is part {self.shard[0]} of {self.shard[1]}" if self.shard else ""
        there = sum(not submission.problem for submission in self.submissions)
        return (
            f"lab {self.lab.number}: {count(len(self.submissions), 'student')}, "
            f"{count(there, 'notebook')} that can be read{here}; {len(wanted)} to grade"
        )

    def _jobs(self, wanted):
        from utils.course.grading.version import cores, memory

        fitting = max(1, min(cores(), int(memory() // MEMORY_OF_A_WORKER)))
        return min(self.options.jobs or fitting, wanted)

    def _setup(self, jobs):
        from utils.course.grading.grader import Setup
        from utils.course.grading.isolation import choose
        from utils.course.grading.version import cores
        from utils.datasets import cache_folder

        self.isolation = choose(self.options.isolation)
        self.say(f"isolation: {self.isolation.why}")
        return Setup(
            self.lab.number,
            self.course.root,
            self.results.seed,
            self.isolation.level,
            skip_training=self.options.skip_training,
            least_seconds=self.options.cell_seconds,
            cache=cache_folder(),
            threads=max(1, cores() // jobs),
        )

    def _calibrate(self, setup, jobs):
        """In a process of its own, unless all is done in this one."""
        from utils.course.grading.calibrate import calibrated
        from utils.course.grading.workers import InProcess, Workers

        alone = jobs == 1 and not self.options.dask
        with _opened(InProcess() if alone else Workers(1)) as executor:
            self.calibration = calibrated(
                setup, self.results, executor, self.grader, DESCRIBE, bool(self.shard), say=self.say
            )

    def _executor(self, jobs):
        from utils.course.grading.workers import Cluster, InProcess, Workers

        if self.options.dask:
            return Cluster(self.options.dask, self.say)
        return InProcess() if jobs == 1 else Workers(jobs)

    # Writing

    def finish(self):
        """Write what there is to write, and say where; the exit status."""
        from utils.course.grading.outputs import write_outputs
        from utils.course.grading.results import identify

        kept = {s.student: self.results.load(s) for s in self.submissions if not s.problem}
        open_ones = [student for student, found in kept.items() if found is None]
        if self.shard:
            self._say_shard(kept)
            return 0
        results = [identify(kept[s.student]["result"], s) for s in self.submissions if kept.get(s.student)]
        options, folder = self._outputs(), self.options.output
        options = replace(options, facts=tuple(self._facts()), warnings=tuple(self._warnings(results)))
        write_outputs(folder, results, self.submissions, self.people, options, say=self.say)
        if open_ones:
            self._say_open(open_ones)
        self.say(summary(folder, self.lab.number))
        return 1 if open_ones and self.options.merge and not self.options.partial else 0

    def _outputs(self):
        """What all that is written depends on, but for how it was graded."""
        from utils.course.grading.outputs import Options

        return Options(**self._described(), **self._files(), due=self.due, rule=self.rule)

    def _files(self):
        """Tables that a person writes, which may be there."""
        return {name: self.options.output / f"{name}.csv" for name in ("overrides", "extensions")}

    def _described(self):
        """What the outputs have to know of the lab: kept by the calibration, as finding it out takes a while."""
        from utils.course.grading.calibrate import kept_calibrations

        for _, calibration in kept_calibrations(self.results).values():
            self.calibration = self.calibration or calibration
            if calibration.described:
                return calibration.described
        return describe_lab(self.course.root, self.lab.number)

    def _facts(self):
        """How it was graded, for the report: list of (what, value)."""
        facts = [("version of the course", self.results.course)]
        facts.append(("packages", ", ".join(f"{name} {version}" for name, version in self.results.packages.items())))
        if self.options.skip_training:
            facts.append(("training", "skipped: only the cells that the checks need were run"))
        if self.isolation:
            facts.append(("isolation", self.isolation.why))
        if self.calibration:
            seconds = f"the solution gets all points, the untouched lab none; {self.calibration.solution_seconds:.1f} s"
            facts += [("calibration", seconds), ("kernels", self.calibration.note)]
            facts.append(("time for a submission", f"at most {self.calibration.submission_seconds:.0f} s"))
        return facts

    def _warnings(self, results):
        levels = {result["isolation"] for result in results if result["status"] == "graded"}
        if "none" in levels:
            yield "Students' code was run without any isolation: it could read and change whatever the grader can."
        elif "limits" in levels:
            yield "Students' code was run without a sandbox: it could read what the grader can read."

    def _say_shard(self, kept):
        mine = [kept[submission.student] for submission in self._mine() if submission.student in kept]
        done = sum(found is not None for found in mine)
        failed = sum(found is not None and found["result"]["status"] == "failed" for found in mine)
        self.say(f"part {self.shard[0]} of {self.shard[1]}: {done} done, {failed} of them failed")
        self.say("when all parts are done, run the same command with --merge in place of --shard")

    def _say_open(self, students):
        self.say(f"not graded yet: {_names(students)}")
        submissions = {submission.student: submission for submission in self.submissions}
        others = [found for student in students for found in self.results.others(submissions[student])]
        if not others:
            return
        from utils.course.grading.version import differences

        why = differences(others[-1]["packages"], self.results.packages) or "the course was changed since"
        self.say(f"(there are results of {count(len(others), 'other version')} for them: {why})")

    def stopped(self):
        """What to say after Ctrl-C."""
        mine = self._mine()
        done = sum(self.results.load(submission) is not None for submission in mine)
        return f"stopped: {done} of {len(mine)} are graded and kept; the same command goes on from there"


def describe(setup):
    """What the outputs have to know of a setup's lab, as plain data."""
    return describe_lab(setup.root, setup.lab)


def describe_lab(root, number):
    """See :func:`utils.course.grading.outputs.lab_options`; imports the lab's checks, and with them Keras."""
    from utils.checks import exercises
    from utils.course.grading.outputs import lab_options
    from utils.course.grading.plan import make_plan
    from utils.lab import hidden_stderr

    (lab,) = select_labs([number], root)
    with hidden_stderr():
        plan = make_plan(root, number)
        found = asdict(lab_options(number, lab.topic.replace("_", " "), plan.truth, plan.stubs, exercises(number)))
    wanted = ("lab", "title", "exercises", "imports", "solutions", "stubs", "forbidden")
    return {key: found[key] for key in wanted}


def summary(folder, number):
    """Five lines on what the gradebook in `folder` says."""
    from utils.course.grading.tables import read_table

    rows = read_table(folder / "grades.csv").rows
    states = [row.get("status") for row in rows]
    counts = [f"{states.count(state)} {state}" for state in ("graded", "missing", "unreadable", "failed")]
    totals = [float(row.get("total")) for row in rows if row.get("status") == "graded"]
    marks = "nobody is graded"
    if totals:
        most = next(row.get("maximum") for row in rows if row.get("maximum"))
        marks = f"mean {statistics.fmean(totals):.1f}, median {statistics.median(totals):.1f}, of {most}"
    flags = [int(row.get("to review") or 0) for row in rows]
    look = f"{count(sum(flags), 'place')} in the answers of {count(sum(map(bool, flags)), 'student')}"
    return "\n".join(
        [
            f"lab {number}: {count(len(rows), 'student')}: {', '.join(counts)}",
            f"points: {marks}",
            f"to look at: {look if any(flags) else 'nothing'}",
            f"gradebook: {folder / 'grades.csv'}, feedback: {folder / 'feedback'}",
            f"report: {folder / 'report.html'}",
        ]
    )


def _names(students, most=20):
    return ", ".join(students[:most]) + (f" and {len(students) - most} more" if len(students) > most else "")


@contextmanager
def _opened(executor):
    """An executor that is stopped at once, and not waited for, where its block ends by an error or by Ctrl-C."""
    try:
        yield executor
    except BaseException:
        executor.stop()
        raise
    executor.shutdown()


@contextmanager
def _terminable():
    """Let SIGTERM, which batch systems send before they kill, end the command as Ctrl-C does."""

    def stop(*_):
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
