"""Semantic directions as pictures: what a feature's neighbours show when it is moved."""
