"""Comparison of training runs: paired seeds, sweeps of settings, curves."""
