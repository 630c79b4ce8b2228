"""Who is whom: two keys of sources compared, scored and, where the evidence suffices, taken for one person.

``text`` (similarity, placeholders), ``compare`` (levels of each field), ``score`` (weights, rules, decision), ``blocking`` (which
people are compared at all), ``search`` (looking and deciding in one transaction), ``stream`` (decisions as rows). The store's
verbs are in :mod:`medtwin.record.identity_verbs`; the weights are data (``weights.json``), trained by
``python -m medtwin.evidence.identity``.
"""
