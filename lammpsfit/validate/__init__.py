"""Longer runs of given potentials: everything they are judged by, beside what is known."""
