"""External and historical controls: weighting, matching, indirect comparison, doubly robust estimates, borrowing.

Arm 0 of a :class:`~medtwin.trials.analysis.TrialData` is the external control, arm 1 the trial's treated arm.
"""
