"""Image datasets (CIFAR, SVHN, digits, image folders), their splits and checks."""
