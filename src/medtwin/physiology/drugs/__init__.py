"""Drugs as exposures: each a small model of dose, concentration and effect, which wires carry to the models that accept it."""
