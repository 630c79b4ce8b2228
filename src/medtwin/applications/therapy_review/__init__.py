"""Settings of insulin reviewed on a person's own days: what another basal rate or carbohydrate ratio would have changed."""
