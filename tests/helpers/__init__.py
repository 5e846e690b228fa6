"""What several test modules share: ``from helpers import tiny``, since pytest has ``tests`` on its import path."""
