"""What evidence and trials share: intervals, scores, calibration, resampling."""
