"""Planning a trial: how many patients, how surely, and which method said so.

One file a subject: ``ancova`` (exact power with random covariates), ``variance`` (unadjusted, ANCOVA I and II),
``marginal`` (risk, rate and odds contrasts), ``binary``, ``counts``, ``survival``, ``repeated``; ``discount`` (inflation
and deflation), ``allocation``, ``assurance``; ``spending``, ``crossing`` and ``sequential`` (interim analyses),
``reestimation``; ``plan`` brings them together from one plan file, ``curve`` and ``wording`` show and tell it.

Conventions everywhere: ``n0`` control and ``n1`` treated patients; ``allocation`` = treated patients per control patient;
an effect is treated minus control (of ratios: treated over control, planned on the log scale); ``alpha`` is the level of the
whole test, two-sided unless ``sides=1``; a correlation is that of the prognostic score with the outcome *within* an arm.
"""
