"""One self-contained HTML page about a run of refinements. Needs the extra ``report``."""

from topoprior.viewing.report.case import Case
from topoprior.viewing.report.page import environment, write_report

__all__ = ["Case", "environment", "write_report"]
