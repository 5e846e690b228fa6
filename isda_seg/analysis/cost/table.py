"""The names by which ``isda_seg.analysis.tables.results`` still calls the report."""
from isda_seg.analysis.cost.report import section, two_lines

__all__ = ['section', 'two_lines']
