"""Self-contained HTML pages of refinements, an evaluation, labels, an experiment. Needs the extra ``report``."""

from topoprior.viewing.report.audit import Bar, Histogram, LabelAudit, Mark, write_audit
from topoprior.viewing.report.case import Case
from topoprior.viewing.report.class_case import ClassCase
from topoprior.viewing.report.evaluation import Evaluation, write_evaluation
from topoprior.viewing.report.experiment import Figure, Section, Table, write_experiment_report
from topoprior.viewing.report.html import environment
from topoprior.viewing.report.refinement import write_report
from topoprior.viewing.report.volume import Volume

__all__ = [
    "Bar",
    "Case",
    "ClassCase",
    "Evaluation",
    "Figure",
    "Histogram",
    "LabelAudit",
    "Mark",
    "Section",
    "Table",
    "Volume",
    "environment",
    "write_audit",
    "write_evaluation",
    "write_experiment_report",
    "write_report",
]
