"""How facts come in, one file a dialect: bytes to events."""
