"""Heart-failure drugs on a person's circulation: what a plan changes, which is best by the user's measure, what to fear."""
