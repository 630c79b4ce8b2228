"""Independent truth generators: people whose equations the twin never sees."""
