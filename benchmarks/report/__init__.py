"""The report of the benchmarks: all cards below some folders as tables beside the literature."""

from scenelift.benchmarks.report.write import write_reports

__all__ = ["write_reports"]
