"""medtwin: a living computational model of one patient."""

__version__ = "0.1.0"
