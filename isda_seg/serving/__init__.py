"""Which losses of a model ISDA serves, and with which classifier: one key in place of one per head."""
