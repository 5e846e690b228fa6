"""What tools/make.py writes: the tables and figures of the documentation, and the configs of the paper's tables."""
