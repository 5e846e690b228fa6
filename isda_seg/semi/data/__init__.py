"""Datasets and samplers of labelled and unlabelled images, label splits."""
