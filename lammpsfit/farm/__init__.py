"""Many evaluations at once, and the journal that keeps them."""
