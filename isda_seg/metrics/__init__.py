"""Metrics: likelihood and calibration, average precision, means over evaluations."""
