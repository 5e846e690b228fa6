"""Measures of a trained model: likelihood and calibration, average precision, accuracy, means of evaluations."""
