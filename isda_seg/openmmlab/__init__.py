"""Wrapping, lookup and logging of the losses of OpenMMLab models."""
