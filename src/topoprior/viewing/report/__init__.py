"""Self-contained HTML pages about a run: of refinements, of an evaluation. Needs the extra ``report``."""

from topoprior.viewing.report.case import Case
from topoprior.viewing.report.evaluation import Evaluation, write_evaluation
from topoprior.viewing.report.html import environment
from topoprior.viewing.report.refinement import write_report

__all__ = ["Case", "Evaluation", "environment", "write_evaluation", "write_report"]
