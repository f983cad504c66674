"""A class of submissions, each graded once, by whatever executor there is.

Whoever dies on the way costs nobody a grade: what a dead worker had under way is graded again, alone, when all others
are done, so that it is beyond doubt who did it. Only a submission that brings its worker down again and again fails.
"""

import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, wait

from utils.course.errors import CourseError
from utils.course.grading.results import MOST_ATTEMPTS, blank
from utils.course.grading.workers import grade_one

MOST_DEATHS = 2  # how often a submission is graded again after its worker died
MOST_ERRORS = 1  # how often after the grader itself stopped with an error
MOST_FAULTS = 5  # errors of the grader, without a single grade, after which the run ends
START_SECONDS = 180.0  # for a worker to start, on top of what its submission may take
REMOTE_SECONDS = 3600.0  # for a worker on another machine, which may have to wait and to calibrate


def ungraded(submissions, results, again=()):
    """The submissions that have to be graded: those with a notebook, and without a final result.

    Parameters
    ----------
    submissions : list of Submission
    results : Results
    again : collection of str
        Students whose submission is graded anew where it had failed.
    """
    wanted = []
    for submission in submissions:
        if submission.problem or submission.data is None:
            continue
        kept = results.load(submission)
        failed = kept is not None and kept["result"]["status"] == "failed"
        if kept is None or not kept["final"] or (failed and submission.student in again):
            wanted.append(submission)
    return wanted


def grade_class(submissions, job, results, executor, progress, again=()):
    """Grade submissions and keep each result; returns when every one of them has one.

    Parameters
    ----------
    submissions : list of Submission
        See :func:`ungraded`.
    job : Job
    results : Results
    executor : concurrent.futures.Executor
        One of :mod:`~utils.course.grading.workers`, or any other: it gets at most as many tasks at once as it has
        workers, where it says so in ``_max_workers``.
    progress : Progress
    again : collection of str
        Students whose submission is graded although the grader was killed over it before.

    Raises
    ------
    CourseError
        Where the instructor has to mend something first; what is graded so far is kept.
    """
    run = _Run(job, results, executor, progress)
    try:
        run.take(submissions, again)
        while run.waiting:
            run.send()
            run.receive()
    except BaseException:  # Ctrl-C and whatever else ends us: what is under way is not to blame
        for flight in run.flying.values():
            results.withdraw(flight.submission)
        _stop(executor)
        raise


class _Flight:
    """A submission that is being graded, and since when."""

    def __init__(self, submission):
        self.submission, self.started = submission, time.monotonic()


class _Run:
    """The state of a run: what waits, what is under way, and what has gone wrong with whom."""

    def __init__(self, job, results, executor, progress):
        self.job, self.results, self.executor, self.progress = job, results, executor, progress
        self.queue, self.suspects, self.flying = deque(), deque(), {}
        self.graded = self.faults = 0
        self.chances = {}  # student -> [deaths, errors] that are still forgiven
        seconds = getattr(job.setup, "submission_seconds", 900.0)
        local = hasattr(executor, "kill")
        self.limit = 1.5 * seconds + START_SECONDS if local else 3 * seconds + REMOTE_SECONDS

    @property
    def waiting(self):
        return self.queue or self.suspects or self.flying

    def take(self, submissions, again):
        """Line up what is to be graded; last, alone, what was under way when the grader was killed, or has failed."""
        for submission in submissions:
            attempts, kept = self.results.attempts(submission), self.results.load(submission)
            named = submission.student in again
            if named:
                self.results.forget(submission)
            elif attempts >= MOST_ATTEMPTS:
                reason = f"the grader was killed {attempts} times while it graded this notebook: it was not tried again"
                self._keep(submission, self._failed(submission, reason))
                continue
            failed_before = kept is not None and not named
            self.chances[submission.student] = [0, 0] if failed_before else [MOST_DEATHS, MOST_ERRORS]
            (self.suspects if failed_before or (attempts and not named) else self.queue).append(submission)

    def send(self):
        """Hand out as much as there is room for."""
        room = _room(self.executor)
        while self.queue and len(self.flying) < room:
            self._send(self.queue.popleft())
        if self.suspects and room and not self.queue and not self.flying:
            self._send(self.suspects.popleft())

    def _send(self, submission):
        flight = _Flight(submission)
        self.results.begin(submission)
        try:
            future = self.executor.submit(grade_one, self.job, submission.student, submission.data)
        except BaseException as error:
            self.results.withdraw(submission)
            if isinstance(error, BrokenExecutor):
                raise CourseError("the workers are gone; what is graded so far is kept: run it again") from None
            raise
        self.flying[future] = flight

    def receive(self):
        """Wait a moment for results, and deal with what came."""
        if not self.flying:
            time.sleep(0.5)
        done, pending = wait(self.flying, timeout=1, return_when=FIRST_COMPLETED) if self.flying else ((), ())
        for future in done:
            # Whatever happens from here on, this submission is no longer under way.
            submission = self.flying.pop(future).submission
            self.results.withdraw(submission)
            self._land(submission, future)
        for future in pending:
            flight = self.flying[future]
            if time.monotonic() - flight.started > self.limit:
                self._overdue(future, flight)
        self.progress.tick()

    def _land(self, submission, future):
        try:
            outcome = future.result()
        except (BrokenExecutor, CancelledError):
            self._died(submission)
        except ImportError as error:
            raise CourseError(
                f"a worker cannot import the course ({error}): start the workers in the course's folder, "
                "in its environment"
            ) from None
        except Exception as error:
            if type(error).__name__ != "KilledWorker":  # Dask's, which need not be installed
                raise
            self._died(submission, deaths=MOST_DEATHS)  # so many at least: Dask itself has tried again and again
        else:
            self._judge(submission, outcome)

    def _judge(self, submission, outcome):
        """Deal with what :func:`~utils.course.grading.workers.grade_one` returned."""
        if "result" in outcome:
            self.graded += 1
            self._keep(submission, outcome["result"])
        elif "mend" in outcome:
            raise CourseError(outcome["mend"])
        elif "refused" in outcome:
            if not hasattr(self.executor, "refuse"):
                raise CourseError(outcome["refused"])
            self.executor.refuse(outcome["worker"], outcome["refused"])
            self.queue.appendleft(submission)
        else:
            self.faults += 1
            if self.faults == MOST_FAULTS and not self.graded:
                raise CourseError(f"the grader stops at every submission, with this error:\n{outcome['traceback']}")
            chances = self.chances[submission.student]
            chances[1] -= 1
            if chances[1] >= 0:
                self.suspects.append(submission)
                return
            self.progress.say(f"{submission.student}: a fault of the grader\n{outcome['traceback']}")
            reason = f"the grader stopped with an error, which is not the student's fault: {outcome['error']}"
            self._keep(submission, self._failed(submission, reason), final=False)

    def _died(self, submission, deaths=1):
        why = "ended the process that graded it"
        chances = self.chances[submission.student]
        chances[0] -= deaths
        if chances[0] >= 0:
            self.progress.say(f"{submission.student}: {why}; it is graded again, alone")
            self.suspects.append(submission)
            return
        reason = f"the notebook {why}, each time it was tried; out of memory, perhaps"
        self._keep(submission, self._failed(submission, reason), final=False)

    def _overdue(self, future, flight):
        """End what takes far longer than any submission may, the Grader's own budget included."""
        if hasattr(self.executor, "kill"):
            self.executor.kill(future)  # which comes back as a death
            flight.started = time.monotonic()
            return
        del self.flying[future]
        future.cancel()
        self.results.withdraw(flight.submission)
        reason = f"no answer came from the worker within {self.limit / 60:.0f} minutes"
        self._keep(flight.submission, self._failed(flight.submission, reason), final=False)

    def _failed(self, submission, reason):
        return blank(submission, self.results.lab, "failed", reason)

    def _keep(self, submission, result, final=True):
        self.results.save(submission, result, final)
        self.results.forget(submission)
        self.progress.step()


def _room(executor):
    """How many tasks an executor works on at once."""
    return executor.room() if hasattr(executor, "room") else getattr(executor, "_max_workers", 1)


def _stop(executor):
    if hasattr(executor, "stop"):
        executor.stop()
    else:
        executor.shutdown(wait=False, cancel_futures=True)
