"""The model, its parameters, couplings and exposures; then one file per model."""
