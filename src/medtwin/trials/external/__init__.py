"""External and historical controls: weighting, matching, indirect comparison, doubly robust estimates, borrowing.

Arm 0 of a :class:`~medtwin.trials.analysis.TrialData` is the external control, arm 1 the trial's treated arm.

    ==================  ================================================================================
    ``propensity``      logistic propensity score; ATT, ATE and overlap weights
    ``tilting``         weights that reach stated means exactly: entropy balancing, and the engine of MAIC
    ``maic``            matching-adjusted indirect comparison, anchored and not
    ``matching``        nearest neighbours within a caliper
    ``balance``         standardised differences, variance ratios, effective sample sizes
    ``effect``          difference, ratio, odds ratio, hazard ratio of a weighted comparison
    ``weighted_cox``    Cox's model with case weights and robust variance
    ``weighted_kaplan`` weighted Kaplan-Meier: survival, restricted mean and median of a weighted comparison
    ``doubly_robust``   AIPW and TMLE for the effect in the treated
    ``map_prior``       meta-analytic-predictive prior of a control rate, robust
    ``normal_prior``    MAP and power priors of estimates with standard errors (means, log hazards)
    ``normal_learnt``   normalised power, commensurate and LEAP priors of a mean
    ``power_prior``     fixed and normalised power priors; no borrowing
    ``commensurate``    commensurate prior; ``leap``: latent exchangeability prior
    ``rates``           distributions of a rate; ``worth``: effective patients of a prior
    ``hybrid``          treated against own controls with history behind them
    ``tipping``         tipping points, drift tables, and the check that no borrowing ignores drift
    ==================  ================================================================================

Weights of propensity, entropy balancing and MAIC go to ``effect`` and ``balance`` alike. What is held as known, and what
was left out, stands in the method and the notes of each :class:`~medtwin.trials.analysis.Analysis`.
"""
