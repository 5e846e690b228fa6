"""Generators of tools/make.py: tables and figures of the documentation, and configs of the paper's tables."""
