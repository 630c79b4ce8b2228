"""The report of a trial's analysis: an ``Analysed`` in, one HTML file, one PDF, JSON and CDISC-shaped results out.

==================  ================================================================================
``save``            ``write_report``: the files, written at once or not at all
``write``           what the report says, as a document of headings, tables and figures
``html``, ``pdf``   that document as one self-contained page and as a paginated file
``json``            everything as numbers
``ard``, ``ars``    one row a statistic; the same shaped after CDISC's Analysis Results Standard
``figures/``        forest, balance, power, Kaplan-Meier, tipping point: one scene, drawn to SVG and to PDF
==================  ================================================================================
"""
