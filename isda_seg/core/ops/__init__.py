"""Fast paths of the functions of ``core``, and what they share: precision, devices, checks. Torch only."""
