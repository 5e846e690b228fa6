"""Image datasets: CIFAR, SVHN, folders of images; splits and checks."""
