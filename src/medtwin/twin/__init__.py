"""Assimilate, forecast, snapshots, replay, scenarios."""
