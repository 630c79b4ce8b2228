"""The analyses against R on data that each test makes: Debian's r-base with packages of it, never a dependency.

Marked ``r``: skipped, with its reason, where Rscript or a package is missing. Debian: r-base-core, r-cran-survival,
r-cran-sandwich, r-cran-emmeans, r-cran-nlme, r-cran-matchit, r-cran-mvtnorm, r-cran-jsonlite. Tolerances are relative and
stand at each comparison: 1e-9 where both solve linear equations, 1e-7 where R's iteration stops by its default (we are nearer
to the maximum), 1e-5 where nlme or optim search numerically.
"""

import json
import shutil
import subprocess

import numpy as np
import polars as pl
import pytest

from medtwin.trials.analysis import TrialData, glm
from medtwin.trials.analysis.cox import cox
from medtwin.trials.analysis.kaplan import kaplan_meier, survival_effects
from medtwin.trials.analysis.linear import VARIANCES, ancova
from medtwin.trials.analysis.logrank import logrank
from medtwin.trials.analysis.marginal import marginal_effects
from medtwin.trials.analysis.survival_adjusted import adjusted_survival_effects
from medtwin.trials.external.effect import weighted_hazard_ratio
from medtwin.trials.external.matching import nearest_neighbours
from medtwin.trials.external.propensity import propensity_score, propensity_weights
from medtwin.trials.external.tilting import entropy_weights
from medtwin.trials.mmrm import fit_table
from medtwin.trials.planning.ancova import Continuous
from medtwin.trials.planning.sequential import Looks, group_sequential
from medtwin.trials.planning.variance import Arms

pytestmark = pytest.mark.r

PACKAGES = ("jsonlite", "survival", "sandwich", "emmeans", "nlme", "MatchIt", "mvtnorm")
#: One R for all tests of this file: each line of its input names a file to run; the answer is "done", or what went wrong.
LISTEN = """
options(warn = 2, digits = 17)
input <- file("stdin", "r")
while (length(path <- readLines(input, 1))) {
    said <- tryCatch({source(path, local = new.env(), echo = FALSE); "done"}, error = function(e) conditionMessage(e))
    cat(gsub("\\n", " ", said), "\\n", sep = "")
    flush(stdout())
}
"""


@pytest.fixture(scope="module")
def r(tmp_path_factory):
    """Runs R code in which ``d`` is a table and ``out`` a list of numbers to hand back."""
    if not shutil.which("Rscript"):
        pytest.skip("Rscript is missing: install Debian's r-base-core and the packages named at the head of this file")
    asked = "; ".join(f'cat(if (requireNamespace("{one}", quietly = TRUE)) "" else "{one} ")' for one in PACKAGES)
    missing = subprocess.run(["Rscript", "-e", asked], capture_output=True, text=True, timeout=120).stdout.split()
    if missing:
        pytest.skip(f"R lacks {', '.join(missing)}: install r-cran-{' r-cran-'.join(one.lower() for one in missing)}")
    folder = tmp_path_factory.mktemp("r")
    (folder / "listen.R").write_text(LISTEN)

    def run(code, table=None):
        read = "suppressPackageStartupMessages({library(jsonlite); library(survival)})\n"
        if table is not None:
            pl.DataFrame(table).write_csv(folder / "d.csv")
            read += f'd <- read.csv("{folder / "d.csv"}")\n'
        write = f'\nwrite(toJSON(out, digits = NA, auto_unbox = TRUE), "{folder / "out.json"}")\n'
        (folder / "run.R").write_text(read + code + write)
        session.stdin.write(f"{folder / 'run.R'}\n")
        session.stdin.flush()
        said = session.stdout.readline()
        assert said.strip() == "done", said
        return json.loads((folder / "out.json").read_text())

    with subprocess.Popen(
        ["Rscript", str(folder / "listen.R")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as session:
        yield run
        session.stdin.close()


@pytest.fixture(scope="module")
def patients():
    """150 patients, two arms, two covariates, a factor of three levels; a continuous, binary and count outcome and a time."""
    random = np.random.default_rng(31)
    n = 150
    arm, x, z = random.permutation(np.arange(n) % 3 > 0).astype(int), random.normal(50, 10, n), random.normal(size=n)
    site = random.integers(0, 3, n)
    rise = 0.03 * (x - 50) + 0.5 * z + 0.4 * arm + 0.3 * site
    time, ends = random.exponential(np.exp(-rise)), random.uniform(0.5, 4.0, n)
    return {
        "arm": arm, "x": x, "z": z, "site": site,
        "y": 2.0 + rise + random.normal(size=n) * (1.0 + arm),
        "e": (random.random(n) < 1.0 / (1.0 + np.exp(-rise))).astype(int),
        "c": random.negative_binomial(2, 2.0 / (2.0 + np.exp(0.5 + rise))),
        "time": np.round(np.minimum(time, ends), 2) + 0.01, "status": (time <= ends).astype(int),
    }  # fmt: skip


def trial_of(patients, outcome, covariates=("x", "z"), **more):
    return TrialData.of(
        patients[outcome], patients["arm"], covariates=np.column_stack([patients[name] for name in covariates]).astype(float)
        if covariates else None, covariate_names=covariates, **more,
    )  # fmt: skip


def test_linear_model(r, patients):
    """lm with sandwich's HC0-HC4, and emmeans' adjusted means."""
    out = r(
        """
        library(sandwich); suppressPackageStartupMessages(library(emmeans))
        f <- lm(y ~ arm + x + z, d)
        out <- list(coef = coef(f)[["arm"]], classical = sqrt(vcov(f)["arm", "arm"]))
        for (k in c("HC0", "HC1", "HC2", "HC3", "HC4")) out[[k]] <- sqrt(vcovHC(f, type = k)["arm", "arm"])
        g <- lm(y ~ arm * (x + z), d)
        out$means <- summary(emmeans(g, "arm", at = list(arm = 0:1)))$emmean
        """,
        patients,
    )
    for variance in VARIANCES:
        ours = ancova(trial_of(patients, "y"), variance=variance)["1 - 0"]
        assert ours.value == pytest.approx(out["coef"], rel=1e-9)
        assert ours.standard_error == pytest.approx(out[variance], rel=1e-9)
    assert ancova(trial_of(patients, "y"), interactions=True).means == pytest.approx(out["means"], rel=1e-9)


def test_marginal_effects(r, patients):
    """emmeans averages predicted risks over the sites' shares: g-computation; its and sandwich's delta method."""
    out = r(
        """
        library(sandwich); suppressPackageStartupMessages(library(emmeans))
        tight <- glm.control(epsilon = 1e-14, maxit = 100)
        f <- glm(e ~ factor(arm) + factor(site), binomial, d, control = tight)
        grid <- regrid(ref_grid(f), "response")
        m <- emmeans(grid, "arm", weights = "proportional")
        s <- summary(pairs(m, reverse = TRUE))
        out <- list(means = summary(m)$prob, risk = c(s$estimate, s$SE))
        g <- glm(c ~ arm + x + z, poisson, d, control = tight)
        X <- lapply(0:1, function(k) {one <- d; one$arm <- k; model.matrix(~ arm + x + z, one)})
        slope <- lapply(X, function(x) colMeans(exp(x %*% coef(g))[, 1] * x))
        rate <- sapply(X, function(x) mean(exp(x %*% coef(g))))
        away <- slope[[2]] / rate[2] - slope[[1]] / rate[1]
        out$log_ratio <- log(rate[2] / rate[1])
        for (k in c("HC0", "HC3")) out[[k]] <- sqrt(as.numeric(t(away) %*% vcovHC(g, type = k) %*% away))
        """,
        patients,
    )
    sites = trial_of(patients, "e", (), strata=patients["site"])
    ours = marginal_effects(sites, family="logistic", variance="model", fixed_covariates=True)
    assert ours.means == pytest.approx(out["means"], rel=1e-9)
    found = ours["risk difference 1 - 0"]
    assert (found.value, found.standard_error) == pytest.approx(out["risk"], rel=1e-8)
    for variance in ("HC0", "HC3"):
        ours = marginal_effects(
            trial_of(patients, "c"), family="poisson", measures=("ratio",), variance=variance, fixed_covariates=True
        )["rate ratio 1 / 0"]
        assert (ours.value, ours.standard_error) == pytest.approx((out["log_ratio"], out[variance]), rel=1e-8)


def test_negative_binomial(r, patients):
    """Debian's r-base-core has no MASS here: the likelihood is R's dnbinom, climbed by optim."""
    out = r(
        """
        X <- cbind(1, d$arm, scale(d$x), d$z)
        away <- function(p) -sum(dnbinom(d$c, size = exp(p[5]), mu = exp(X %*% p[1:4]), log = TRUE))
        f <- list(par = c(log(mean(d$c)), 0, 0, 0, 0))
        for (k in 1:4) f <- optim(f$par, away, method = "BFGS", control = list(reltol = 1e-15, maxit = 1000))
        out <- list(par = f$par, log_likelihood = -f$value)
        """,
        patients,
    )
    x = (patients["x"] - patients["x"].mean()) / patients["x"].std(ddof=1)
    design = np.column_stack([np.ones(len(x)), patients["arm"], x, patients["z"]])
    ours = glm.fit(design, patients["c"].astype(float), "negative-binomial")
    assert ours.log_likelihood == pytest.approx(out["log_likelihood"], abs=1e-8)
    assert [*ours.coefficients, np.log(ours.theta)] == pytest.approx(out["par"], abs=2e-5)


def test_survival(r, patients):
    """coxph, survdiff, survfit with its restricted mean, plain and stratified; times with ties."""
    out = r(
        """
        s <- Surv(d$time, d$status); tight <- coxph.control(eps = 1e-14, toler.chol = 1e-15)
        two <- function(f) c(coef(f)[["arm"]], sqrt(vcov(f)["arm", "arm"]))
        km <- lapply(0:1, function(k) survfit(Surv(time, status) ~ 1, d[d$arm == k, ], conf.type = "log-log"))
        out <- list(
            efron = two(coxph(s ~ arm + x + z, d, control = tight)),
            breslow = two(coxph(s ~ arm + x + z, d, ties = "breslow", control = tight)),
            stratified = two(coxph(s ~ arm + x + strata(site), d, control = tight)),
            plain = survdiff(s ~ arm, d)$chisq, strata = survdiff(s ~ arm + strata(site), d)$chisq,
            at = sapply(km, function(f) unlist(summary(f, times = 0.7)[c("surv", "std.err", "lower", "upper")])),
            mean = sapply(km, function(f) summary(f, rmean = 1)$table[c("rmean", "se(rmean)")])
        )
        """,
        patients,
    )
    trial = trial_of(patients, "time", event=patients["status"])
    for ties in ("efron", "breslow"):
        ours = cox(trial, ties=ties, variance="model")["hazard ratio 1 / 0"]
        assert (ours.value, ours.standard_error) == pytest.approx(out[ties], rel=1e-9)
    by_site = trial_of(patients, "time", ("x",), event=patients["status"], strata=patients["site"])
    ours = cox(by_site, variance="model")["hazard ratio 1 / 0"]
    assert (ours.value, ours.standard_error) == pytest.approx(out["stratified"], rel=1e-9)
    for stratified, name in ((False, "plain"), (True, "strata")):
        ours = logrank(by_site, adjusted=False, stratified=stratified)["log-rank 1"]
        assert ours.statistic**2 == pytest.approx(out[name], rel=1e-9)
    ours = survival_effects(trial, times=(0.7,), tau=1.0)
    for arm in (0, 1):
        mine = trial.arm == arm
        curve = kaplan_meier(trial.outcome[mine], trial.event[mine])
        theirs = [row[arm] for row in out["at"]]
        found = ours[f"survival at 0.7, {arm}"]
        assert (found.value, found.standard_error, *curve.interval(0.7)) == pytest.approx(theirs, rel=1e-9)
        found = ours[f"RMST to 1, {arm}"]
        assert (found.value, found.standard_error) == pytest.approx([row[arm] for row in out["mean"]], rel=1e-9)


def test_adjusted_survival(r, patients):
    """survival's infinitesimal-jackknife pseudo-values, regressed by lm in each arm and read off at all patients' means."""
    out = r(
        """
        library(sandwich)
        one <- function(k, type, at) {
            mine <<- d[d$arm == k, ]
            s <- survfit(Surv(time, status) ~ 1, mine)
            value <- if (type == "rmst") summary(s, rmean = at)$table[["rmean"]] else summary(s, times = at)$surv
            mine$p <- pseudo(s, times = at, type = type)
            f <- lm(p ~ x + z, mine)
            to <- c(1, mean(d$x), mean(d$z))
            within <- sapply(c("HC0", "HC2", "HC3"), function(k) as.numeric(t(to) %*% vcovHC(f, type = k) %*% to))
            list(mean = value + sum(to * coef(f)) - mean(mine$p), within = within, slope = coef(f)[-1])
        }
        both <- function(type, at) {
            a <- one(0, type, at); b <- one(1, type, at); s <- b$slope - a$slope
            c(b$mean - a$mean, sqrt(a$within + b$within + c(t(s) %*% cov(d[c("x", "z")]) %*% s) / nrow(d)))
        }
        out <- list(rmst = both("rmst", 1), surv = both("surv", 0.7))
        """,
        patients,
    )
    trial = trial_of(patients, "time", event=patients["status"])
    for number, variance in enumerate(("HC0", "HC2", "HC3"), start=1):
        ours = adjusted_survival_effects(trial, times=(0.7,), tau=1.0, variance=variance)
        for name, key in (("RMST to 1 1 - 0", "rmst"), ("survival at 0.7 1 - 0", "surv")):
            theirs = out[key][0], out[key][number]
            assert (ours[name].value, ours[name].standard_error) == pytest.approx(theirs, rel=1e-9)


GLS = {
    "unstructured": "corSymm(form = ~ visit | id), varIdent(form = ~ 1 | visit)",
    "ar1": "corAR1(form = ~ visit | id), NULL",
    "ar1 heterogeneous": "corAR1(form = ~ visit | id), varIdent(form = ~ 1 | visit)",
    "compound symmetry": "corCompSymm(form = ~ visit | id), NULL",
    "compound symmetry heterogeneous": "corCompSymm(form = ~ visit | id), varIdent(form = ~ 1 | visit)",
    "spatial exponential": "corExp(form = ~ day | id), NULL",
    "spatial gaussian": "corGaus(20, form = ~ day | id), NULL",
}


@pytest.fixture(scope="module")
def visits():
    """60 patients at four visits, a tenth of the measurements missing."""
    random = np.random.default_rng(32)
    n, m = 60, 4
    sd = 1.0 + 0.2 * np.arange(m)
    sigma = 0.6 ** np.abs(np.subtract.outer(np.arange(m), np.arange(m))) * np.outer(sd, sd)
    arm, b = np.arange(n) % 2, random.normal(size=n)
    y = random.multivariate_normal(np.zeros(m), sigma, n) + 0.5 * b[:, None] + 0.3 * arm[:, None] * np.arange(m)
    table = pl.DataFrame({
        "id": np.repeat(np.arange(n), m), "visit": np.tile(np.arange(1, m + 1), n), "arm": np.repeat(arm, m),
        "day": np.tile([0.0, 7.0, 21.0, 49.0], n) + random.uniform(0, 2, n * m), "b": np.repeat(b, m), "y": y.ravel(),
    })  # fmt: skip
    return table.sample(fraction=0.9, seed=1).sort("id", "visit")


def test_repeated_measures(r, visits):
    """nlme's gls; emmeans' means, differences at each visit and their average. gls scales the covariance by N/(N-p) in ML."""
    fits = ",\n".join(f'"{name}" = fit({code}, "REML")' for name, code in GLS.items())
    out = r(
        f"""
        suppressPackageStartupMessages({{library(nlme); library(emmeans)}})
        d$v <- factor(d$visit); d$a <- factor(d$arm)
        tight <- glsControl(tolerance = 1e-12, msTol = 1e-12, maxIter = 500, msMaxIter = 500)
        fit <- function(correlation, weights, method) {{
            f <- do.call(gls, list(y ~ b + a * v, d, correlation = correlation, weights = weights, method = method,
                control = tight))
            m <- emmeans(f, ~ a * v, mode = "asymptotic", data = d)
            s <- summary(contrast(m, "revpairwise", by = "v")); w <- summary(contrast(m, list(mean = rep(c(-1, 1) / 4, 4))))
            list(log_likelihood = as.numeric(logLik(f)), coef = unname(coef(f)), se = unname(sqrt(diag(vcov(f)))),
                means = summary(m)$emmean, difference = s$estimate, difference_se = s$SE, average = c(w$estimate, w$SE))
        }}
        out <- list({fits},
            ml = fit(corSymm(form = ~ visit | id), varIdent(form = ~ 1 | visit), "ML"))
        """,
        visits,
    )
    for name, theirs in out.items():
        reml = name != "ml"
        own = fit_table(
            visits, outcome="y", subject="id", visit="visit", arm="arm", covariates=["b"], reml=reml, degrees="residual",
            structure=name if reml else "unstructured", coordinates=["day"] if name.startswith("spatial") else (),
        )  # fmt: skip
        scale = 1.0 if reml else (own.fit.observations / (own.fit.observations - len(own.fit.names))) ** 0.5
        assert own.fit.log_likelihood == pytest.approx(theirs["log_likelihood"], abs=1e-6)
        spread = np.array(theirs["se"])
        assert (np.abs(own.fit.coefficients - theirs["coef"]) < 2e-5 * spread).all(), name
        assert scale * own.fit.standard_errors == pytest.approx(spread, rel=2e-5)
        means, differences = own.means(), own.differences()
        assert [means[a, v].value for v in own.visits for a in own.arms] == pytest.approx(theirs["means"], abs=1e-5)
        each = [differences["1", v] for v in own.visits]
        assert [one.value for one in each] == pytest.approx(theirs["difference"], abs=1e-5)
        assert [scale * one.standard_error for one in each] == pytest.approx(theirs["difference_se"], rel=2e-5)
        average = own.average_differences()["1"]
        assert (average.value, scale * average.standard_error) == pytest.approx(theirs["average"], abs=1e-5)


def test_external_controls(r, patients):
    """MatchIt (its scores times a million: see matching.py), IPTW and robust Cox, entropy balancing by optim."""
    table = {**patients, "time": patients["time"] + np.arange(150) * 1e-7}
    table["arm"] = (np.random.default_rng(5).random(150) < 0.15 + 0.25 / (1.0 + np.exp(-patients["z"]))).astype(int)
    out = r(
        """
        suppressPackageStartupMessages(library(MatchIt))
        ps <- glm(arm ~ x + z, binomial, d, control = glm.control(epsilon = 1e-14))
        e <- fitted(ps); million <- 1e6 * qlogis(e)
        out <- list(coef = unname(coef(ps)))
        for (how in c("largest", "smallest", "data")) {
            m <- matchit(arm ~ x + z, d, distance = million, caliper = 0.2, m.order = how)
            pair <- m$match.matrix[!is.na(m$match.matrix[, 1]), 1]
            out[[how]] <- list(treated = as.integer(names(pair)) - 1, control = as.integer(pair) - 1)
            md <- match.data(m)
            f <- coxph(Surv(time, status) ~ arm, md, weights = weights, cluster = subclass)
            out[[how]]$cox <- c(coef(f)[[1]], sqrt(vcov(f)[1, 1]))
        }
        d$att <- ifelse(d$arm == 1, 1, e / (1 - e))
        f <- coxph(Surv(time, status) ~ arm, d, weights = att, robust = TRUE)
        out$att <- c(coef(f)[[1]], sqrt(vcov(f)[1, 1]))
        X <- as.matrix(d[d$arm == 0, c("x", "z")]); t <- colMeans(d[d$arm == 1, c("x", "z")])
        s <- apply(X, 2, sd); Z <- sweep(sweep(X, 2, t), 2, s, "/")
        o <- optim(c(0, 0), function(l) log(sum(exp(Z %*% l))), function(l) {w <- exp(Z %*% l)[, 1]; colSums(w * Z) / sum(w)},
            method = "BFGS", control = list(reltol = 1e-16, maxit = 1000))
        w <- exp(Z %*% o$par)[, 1]; out$entropy <- w / sum(w)
        """,
        table,
    )
    trial = trial_of(table, "time", event=patients["status"])
    score = propensity_score(trial)
    assert score.coefficients == pytest.approx(out["coef"], rel=1e-7)
    for order in ("largest", "smallest", "data"):
        made = nearest_neighbours(trial, score.score, caliper=0.2, order=order)
        control, treated = trial.arm == 0, trial.arm == 1
        partner = {int(made.matched_set[row]): int(row) for row in np.flatnonzero(control & (made.matched_set >= 0))}
        ours = {
            int(row): partner[int(made.matched_set[row])] for row in np.flatnonzero(treated & (made.matched_set >= 0))
        }
        assert ours == dict(zip(out[order]["treated"], out[order]["control"], strict=True))
        found = weighted_hazard_ratio(trial, made.weights, cluster=made.matched_set)["hazard ratio"]
        assert (found.value, found.standard_error) == pytest.approx(out[order]["cox"], rel=1e-7)
    found = weighted_hazard_ratio(trial, propensity_weights(score.score, trial.arm, "ATT"))["hazard ratio"]
    assert (found.value, found.standard_error) == pytest.approx(out["att"], rel=1e-7)
    weights = entropy_weights(trial).weights[trial.arm == 0]
    assert weights / weights.sum() == pytest.approx(out["entropy"], rel=1e-5)


def test_planning(r):
    """R's power.t.test, and the crossing of group-sequential bounds by the multivariate normal of mvtnorm."""
    looks = Looks(information=(0.4, 0.7, 1.0))
    ours = group_sequential(looks, alpha=0.05, sides=2, power=0.9)
    upper = ", ".join(repr(float(bound)) for bound in ours.upper)
    out = r(
        f"""
        library(mvtnorm); set.seed(1)
        t <- c(0.4, 0.7, 1); S <- sqrt(outer(t, t, pmin) / outer(t, t, pmax)); u <- c({upper})
        inside <- function(drift) as.numeric(pmvnorm(-u, u, drift * sqrt(t), S, algorithm = Miwa(steps = 4097)))
        out <- list(alpha = 1 - inside(0), power = 1 - inside({ours.drift!r}),
            t_test = sapply(c(10, 30, 100), function(n) power.t.test(n, 0.5, 1.1, strict = TRUE)$power))
        """
    )
    assert out["alpha"] == pytest.approx(0.05, abs=1e-6)
    assert out["power"] == pytest.approx(0.9, abs=1e-6)
    design = Continuous(effect=0.5, arms=Arms(sd0=1.1, sd1=1.1), covariates=0)
    assert [design.exact(n, n) for n in (10, 30, 100)] == pytest.approx(out["t_test"], rel=1e-8)
