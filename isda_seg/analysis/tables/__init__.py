"""The generated tables of the documentation."""
