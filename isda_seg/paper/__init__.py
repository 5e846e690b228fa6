"""Reproduction of the paper: series of experiments, cost measurements, figures and semantic directions."""
