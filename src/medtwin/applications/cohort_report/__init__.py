"""What a cohort of virtual people did: tables, figures and one page, all of it labelled synthetic.

``content``  plain values for JSON, rows for tables        ``figures``  distributions and the risk grid of many people
``write``    the page (.html, .pdf) or one row a person (.parquet)
"""
