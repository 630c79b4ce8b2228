"""What other people's meals say before a person's own do: generated, do not edit.

Learnt from the meals of 6 people without diabetes or with prediabetes (BIG IDEAs Lab Glycemic Variability and Wearable
Device Data 1.1.2, PhysioNet 10.13026/zthx-5212, ODC-By 1.0) by
``python -m medtwin.applications.day_plan.study --prior``. Columns as in :data:`medtwin.applications.day_plan.prediction.COLUMNS`.
"""

import numpy as np

from medtwin.statistics.random_effects import CoefficientPrior

DISH = 0.15
PRIOR = CoefficientPrior(
    mean=np.array([34.40, 4.35, -0.68, -1.14, -4.79, -4.29, 3.13, 4.33, -2.41, -3.00, 0.00]),
    sd=np.array([11.29, 3.13, 2.35, 2.34, 4.32, 2.20, 3.03, 7.67, 8.35, 4.00, 3.00]),
    noise=20.39,
)
