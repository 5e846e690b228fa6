"""Connection of a loss to its classifier: captured inputs, verification, labels on the feature grid, base losses."""
