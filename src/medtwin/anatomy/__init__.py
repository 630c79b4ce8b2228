"""Shapes that models and images share: vessel trees. No I/O beyond text in and text out, no patient."""
