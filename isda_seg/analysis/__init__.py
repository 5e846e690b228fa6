"""Offline questions and figures."""
