"""Series of training runs compared: pairs of seeds, sweeps of settings, curves."""
