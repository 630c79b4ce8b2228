"""The road: months and years of weight, HbA1c and the chance of doing without drugs, for one person."""
