"""The report of a run: one HTML file with everything in it."""

from scenelift.adapt.report.page import write_report

__all__ = ["write_report"]
