"""Metrics: likelihood and calibration, average precision, accuracy, means over evaluations."""
