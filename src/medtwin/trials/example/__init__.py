"""Synthetic example of a trial, made from a known truth: for the tutorial, for tests, for trying things out."""
