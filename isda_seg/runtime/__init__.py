"""Task-independent parts of a run: launching, checkpoints, provenance, exact resume."""
