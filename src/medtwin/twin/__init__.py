"""assimilate, forecast, snapshots, replay, scenarios: a patient's belief over a model, kept current.

Importing this room imports JAX, in 64 bit, with its compilation cache in a private folder of the user.
"""

from medtwin.twin import precision as _precision

_precision.prepare()
