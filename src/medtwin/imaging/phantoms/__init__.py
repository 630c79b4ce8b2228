"""Synthetic CT angiograms with an exact truth: coronary trees, hearts, scanners, and DICOM as several vendors write it."""
