"""Labelled beside unlabelled images, whitened images, chosen labels."""
