"""The losses of an OpenMMLab model: which become ISDA losses, with which classifier, and what the log says of them."""
