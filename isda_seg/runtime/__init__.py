"""What any run needs, and knows no task: launching, checkpoints, records of what was run, exact resume."""
