"""Reproduction of the paper's tables at full scale."""
