"""What can be measured or given."""

from medtwin.quantities.quantity import Kind, Quantity

__all__ = ["Kind", "Quantity"]
