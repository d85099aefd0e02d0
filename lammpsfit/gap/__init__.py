"""GAP potentials: Gaussian processes on descriptors that are optimised (the place of JAX)."""
