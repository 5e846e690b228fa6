"""Visualisation of semantic directions: nearest images of translated features, and the reverse mapping."""
