"""The multivariate linear mixed model: several outcomes, random intercepts and slopes that are correlated across them.

Own likelihood with its exact gradient (:mod:`likelihood`), expectation-maximisation then quasi-Newton then Newton
(:mod:`optimise`), Laplace's uncertainty of the covariances (:mod:`parameters`), forecasts given baseline and any visits so
far (:mod:`model`).
"""

from medtwin.trials.prognostic.mixed.model import MixedModel, fit_mixed

__all__ = ["MixedModel", "fit_mixed"]
