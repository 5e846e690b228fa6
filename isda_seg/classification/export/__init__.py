"""A trained backbone as a file that others start from."""
