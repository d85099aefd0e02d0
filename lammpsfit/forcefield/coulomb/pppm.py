"""Particle-particle particle-mesh: the Ewald sum on a mesh.

Hockney and Eastwood, Computer Simulation Using Particles (1988), doi:10.1201/9780367806934.
"""

from dataclasses import dataclass

from lammpsfit.forcefield.coulomb.ewald import Ewald


@dataclass(frozen=True)
class ParticleMesh(Ewald):
    """The Ewald sum with the reciprocal part on a mesh, faster for more than some hundred atoms."""

    style = "pppm"


SUM = ParticleMesh
