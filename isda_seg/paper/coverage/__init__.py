"""Supported models of other libraries: all MMSegmentation configs and models of torch libraries."""
