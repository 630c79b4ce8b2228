"""Documents for people: blocks of words, tables and figures in, one HTML file or one PDF out. It knows no subject.

==================  ==============================================================================
``document``        headings, paragraphs, boxes, tables, figures
``html``, ``pdf``   a document as one self-contained page and as a paginated file
``save``            a file that is whole or is not there
``figures/``        a scene of lines, areas and words; axes; drawn to SVG and to PDF alike
==================  ==============================================================================
"""
