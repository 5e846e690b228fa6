"""What connects a loss with its classifier: captured inputs and their verification, labels on the grid, base losses."""
