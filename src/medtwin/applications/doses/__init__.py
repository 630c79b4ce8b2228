"""Several doses of insulin for one meal, side by side, with the risk of each."""
