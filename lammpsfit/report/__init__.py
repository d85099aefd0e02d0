"""What people look at: tables and pictures of results. Numbers come in, files go out."""

from lammpsfit.report.convergence import Point, plot_convergence
from lammpsfit.report.pair_plot import plot_pair_curves
from lammpsfit.report.rdf_plot import plot_rdf
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
