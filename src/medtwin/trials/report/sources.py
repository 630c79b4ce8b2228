"""Where the methods come from: of every method that an analysis names, its papers; of others nothing.

As the modules of the methods cite them. A DOI stands where it was looked up; the rest is cited as there.
"""

from __future__ import annotations

import re

from medtwin.trials.analysis_plan.analysed import Analysed

#: (what is found in the words of the methods, lower case; source)
SOURCES = (
    (r"ancova", "ANCOVA: Yang and Tsiatis 2001; Lin 2013, Annals of Applied Statistics 7:295"),
    (r"ancova ii|anhecova", "ANHECOVA: Ye, Shao, Yi and Zhao, Journal of the American Statistical Association 118:2370, "
                            "doi:10.1080/01621459.2022.2049278"),
    (r"\bhc[0-3]\b", "Heteroskedasticity-consistent variance: MacKinnon and White 1985"),
    (r"\bhc4\b", "HC4: Cribari-Neto 2004"),
    (r"bell-mccaffrey", "Degrees of freedom: Bell and McCaffrey, Survey Methodology 28 (2002):169; Imbens and Kolesár 2016"),
    (r"g-comp|marginal", "Marginal effects: Ge et al. 2011, doi:10.1177/009286151104500409; Ye, Bannick, Yi and Shao 2023, "
                         "doi:10.1080/24754269.2023.2205802; Bannick et al. 2025, doi:10.1093/biomet/asaf029"),
    (r"log-?rank", "Covariate-adjusted log-rank and hazard ratio: Ye, Shao and Yi, Biometrika 111 (2024):691, "
                   "doi:10.1093/biomet/asad045"),
    (r"\bcox", "Proportional hazards: Cox 1972; ties: Efron 1977, Breslow 1974"),
    (r"lin-wei", "Robust variance of Cox's model: Lin and Wei 1989; Binder 1992"),
    (r"kaplan|curve", "Kaplan and Meier 1958; variance: Greenwood 1926; restricted mean: Irwin 1949, Royston and Parmar 2013"),
    (r"mmrm", "MMRM: Jennrich and Schluchter, Biometrics 42 (1986):805; Mallinckrodt et al. 2008, "
              "doi:10.1177/009286150804200402"),
    (r"kenward", "Kenward and Roger, Biometrics 53 (1997):983"),
    (r"satterthwaite", "Satterthwaite, Biometrics Bulletin 2 (1946):110; Fai and Cornelius 1996"),
    (r"conditional-mean|conditional mean", "Conditional-mean imputation: Wolbers et al., Pharmaceutical Statistics 21 "
                                           "(2022):1246"),
    (r"reference-based|jump|\bjr\b|\bcr\b|\bcir\b", "Reference-based imputation: Carpenter, Roger and Kenward 2013"),
    (r"rubin|multiple imputation", "Multiple imputation: Rubin 1987; Barnard and Rubin, Biometrika 86 (1999):948"),
    (r"delta|tipping", "Delta adjustment and tipping point: O'Kelly and Ratitch 2014, section 7.4; Cro et al., Statistics in "
                       "Medicine 39 (2020):2815"),
    (r"entropy", "Entropy balancing: Hainmueller, Political Analysis 20 (2012):25, doi:10.1093/pan/mpr025"),
    (r"maic|matching-adjusted", "Matching-adjusted indirect comparison: Signorovitch et al. 2010; NICE DSU TSD 18, Phillippo "
                                "et al. 2016"),
    (r"propensity|\batt\b", "Propensity weighting: Rosenbaum and Rubin 1983; Hirano, Imbens and Ridder 2003"),
    (r"overlap", "Overlap weights: Li, Morgan and Zaslavsky 2018"),
    (r"aipw|doubly", "Doubly robust: Robins, Rotnitzky and Zhao 1994"),
    (r"tmle", "Targeted maximum likelihood: van der Laan and Rubin 2006; Gruber and van der Laan 2010"),
    (r"\bmap\b|meta-analytic", "Meta-analytic-predictive prior: Neuenschwander et al. 2010; Schmidli et al. 2014"),
    (r"power prior", "Power prior: Ibrahim and Chen 2000"),
    (r"commensurate", "Commensurate prior: Hobbs et al. 2011"),
    (r"\bleap\b", "LEAP: Alt et al. 2024"),
    (r"standardised difference", "Standardised differences: Austin 2009; effective sample size: Kish 1965"),
)  # fmt: skip


def sources(analysed: Analysed) -> tuple[str, ...]:
    """Of the methods that these analyses used, in the order of the table."""
    words: list[str] = []
    for result in analysed.results:
        words += [result.method, *(test.method for test in result.tests)]
        if result.analysis is not None:
            words += [result.analysis.method, *(one.method for one in result.analysis.estimates)]
        words += ["standardised difference"] if result.balance is not None else []
        words += ["kaplan"] if result.curves else []
        words += ["tipping"] if result.tipping is not None else []
    text = "\n".join(words).lower()
    found = [source for pattern, source in SOURCES if re.search(pattern, text)]
    if analysed.estimand:
        found.insert(
            0, "Estimands: ICH E9(R1), addendum on estimands and sensitivity analysis in clinical trials, 2019"
        )
    return tuple(found)
