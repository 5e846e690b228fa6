"""Tightness of the bound: closed form compared with Monte Carlo estimates."""
