"""Beliefs and updates, one file per method."""
