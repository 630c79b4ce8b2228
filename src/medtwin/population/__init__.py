"""Virtual people in numbers: cohorts drawn from a model's prior, days that they live, controllers that dose their insulin.

==================  ==================================================================================================
``people``          draws from the prior, held to what is plausible; each person has a number and a key of their own
``therapy``         basal rate, carbohydrate ratio and correction factor, found on each virtual person
``days``            days that they live: meals, wrong counts of carbohydrate, missed boluses, how days differ
``sensor``          the error of a glucose sensor
``metrics``         glucose metrics that run along; nobody's trace needs to be kept
``simulate``        people, days, sensor and controller in one loop, block by block
``cohort``          what came out: distributions, a profile of the cohort, paired comparisons
``controllers/``    what doses insulin, one file each; your own are used by the same door
``environment``     the same loop, step by step, for Gymnasium
==================  ==================================================================================================

All of it is synthetic. A person's life depends on the seed and the person's number only, never on how many others are
simulated beside them.
"""
