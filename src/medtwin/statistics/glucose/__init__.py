"""Numbers of a continuous glucose trace: pure functions of arrays, in mg/dL.

==================  =============================================================================
``trace``           times, values and offsets of a trace; the even grid of its days
``levels``          mean, SD, CV, GMI, J index; how much of the time the sensor was active
``ranges``          times below, in and above the ranges of the international consensus; its goals
``risk``            LBGI and HBGI; the glycaemia risk index with its zone
``variability``     MODD, CONGA
``excursions``      MAGE
``episodes``        episodes of hypo- and hyperglycaemia
``profile``         percentiles over the day (AGP), daily views
``intervals``       intervals of all that are sums over days, by resampling days
``haemoglobin``     laboratory HbA1c against the trace: the personal glycation gap
``clarke``          error grid of Clarke: zones of pairs of a reference and an estimate
``parkes``          consensus error grid of Parkes, type 1 and type 2
==================  =============================================================================

Formulas are held to the tables of iglu 4.3.0 and ega 2.0.0 in the tests; volumes and pages of papers are from memory unless
a file says where they were read.
"""
