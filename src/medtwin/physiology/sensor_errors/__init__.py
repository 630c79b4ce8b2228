"""What a continuous glucose sensor adds to interstitial glucose: one file an error model, one call for all.

``readings(model, key, interstitial, worn=..., step=...)`` gives what the device would have stated.
Models stack: ``Compression(g6())``.
"""
