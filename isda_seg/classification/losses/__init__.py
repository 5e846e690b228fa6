"""Losses of image classification beside cross-entropy and ISDA."""
