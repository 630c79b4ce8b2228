"""Prognostic twins on public data: ``python -m medtwin.trials.prognostic.demonstration DATA_FOLDER``.

The Mayo Clinic's trial in primary biliary cholangitis with all its visits (``pbcseq`` of R's survival): serum bilirubin,
albumin and prothrombin time up to six years, from baseline alone, five folds by patient, beside persistence and the published
figures of other tools. Writes ``docs/evidence/prognostic-twins.md``, aggregated figures only.
"""
