"""Everything that only reproduces the paper: series of experiments, cost, figures, semantic directions."""
