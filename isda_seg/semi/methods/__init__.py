"""The base methods of Section 5, a file each: what they add for unlabelled images."""
