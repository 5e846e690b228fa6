"""Time and memory of ISDA, compared with cross-entropy and with the literal N x C x A form."""
