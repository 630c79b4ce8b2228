"""Verification, calibration, validation, dossier, monitoring."""
