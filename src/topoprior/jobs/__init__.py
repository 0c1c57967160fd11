"""One function over many files: side by side, resumable, one bad file not fatal."""

from topoprior.jobs.backends import Backend
from topoprior.jobs.each import Outcome, for_each
from topoprior.jobs.task import Failure, one_line

__all__ = ["Backend", "Failure", "Outcome", "for_each", "one_line"]
