"""How outcomes are drawn, one file a kind: ``draw(scenario, rng, people) -> fields of a batch``."""
