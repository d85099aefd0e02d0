"""What people look at: tables and pictures of results. Numbers come in, files go out."""

from lammpsfit.report.plots import Point, plot_convergence, plot_pair_curves, plot_rdf
from lammpsfit.report.tables import Row, cost_json, cost_table, costs_json, print_costs

__all__ = [
    "Point",
    "Row",
    "cost_json",
    "cost_table",
    "costs_json",
    "plot_convergence",
    "plot_pair_curves",
    "plot_rdf",
    "print_costs",
]
