"""What ISDA costs: time and memory against plain cross-entropy and against the literal N x C x A form."""
