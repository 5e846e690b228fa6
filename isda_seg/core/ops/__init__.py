"""Fast implementations of the functions in ``core``, with shared precision, device and shape helpers. Torch only."""
