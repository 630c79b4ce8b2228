"""The default update: a square-root sigma-point Kalman filter, with a bank of hypotheses side by side.

Sigma points (central differences of second order: Norgaard, Poulsen, Ravn, Automatica 2000; van der Merwe 2004 ch. 3)::

    X0 = m,   X±i = m ± h s_i          s_i the columns of the root S, P = S Sᵀ, h = sqrt(3) for a Gaussian's kurtosis
    m' = f(X0) + sum_i [f(X+i) + f(X-i) - 2 f(X0)] / (2 h²)
    P' = D1 D1ᵀ + D2 D2ᵀ + Q,          D1_i = [f(X+i) - f(X-i)] / (2 h)
                                       D2_i = sqrt(h² - 1) [f(X+i) + f(X-i) - 2 f(X0)] / (2 h²)

All weights of P' are positive, so it is a covariance whatever f does (the scaled transform of Julier & Uhlmann 2004
has a negative centre weight). Points are carried through the model's own steps and redrawn ("settled") only at
readings, every ``interval`` steps and at the last valid step; process noise and random walks of that time are added
there. A walk is drawn back to the prior, z' = d z + sqrt(1 - d²) e about the prior's mean, with
d = exp(-walk² time / 2) (Ornstein & Uhlenbeck 1930): over short times a random walk, yet however long nothing is heard,
nobody is less known than a stranger. A reading corrects the root by Potter's form
(:func:`medtwin.inference.algebra.correct`), so nothing is ever subtracted from P.

Bank: an interacting multiple-model filter (Blom & Bar-Shalom 1988). All hypotheses share the model's dynamics and differ in
what enters at a settling and in the law of readings, so the mixing is done there: with probabilities p_i, transitions
T_ij and moments of what arrives from i,

    p_j' = sum_i p_i T_ij;   m_j' = sum_i w_ij m_i,  P_j' = sum_i w_ij (P_i + (m_i - m_j')(m_i - m_j')ᵀ),  w_ij = p_i T_ij / p_j'

A hypothesis that ends with a probability below ``BELIEVED`` gives its probability back and leaves nothing of its state
behind: merging a far and improbable Gaussian into the expected one would feed it with meals that nobody ate (pruning
rather than merging, see Salmond 1990). Then comes the noise of hypothesis j, then readings, then p_j
times the predictive likelihood. A hypothesis that opens an input carries two
more components, the amount that entered and how long ago; they drive nothing, so they cost no points, and readings
correct them through their correlation with the state.

Inside, arrays are ``[component, (column or point), hypothesis, patient]``.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.inference import algebra, hypotheses, readings
from medtwin.inference.belief import Belief, Mixture
from medtwin.inference.hypotheses import SINGLE, Bank, Hypothesis
from medtwin.inference.problem import Problem
from medtwin.inference.tape import EXACT, Tape
from medtwin.inference.trace import Surprise, Trace, nothing
from medtwin.inference.update import Update
from medtwin.physiology.model import Accepts

BELIEVED = 0.25  #: probability above which a hypothesis that ends leaves its state behind
HOUR = 60.0  #: scale of "how long ago", minutes


class Carry(NamedTuple):
    """What goes from step to step: the last settled moments, and the points on their way."""

    mean: Float[Array, "component hypothesis patient"]
    root: Float[Array, "component column hypothesis patient"]
    log_probability: Float[Array, "hypothesis patient"]
    state: Any  #: State of points, leaves [point, hypothesis, patient]
    values: dict[str, Array]  #: inferred parameters of points
    since: Float[Array, " patient"]  #: model time since the belief was settled
    evidence: Float[Array, " patient"]


class Unscented(Update):
    """Square-root sigma-point filter over a bank of hypotheses. See the module's page for the equations."""

    bank: Bank = eqx.field(static=True, default=SINGLE)
    interval: int = eqx.field(static=True, default=5)
    reach: float = eqx.field(static=True, default=math.sqrt(3.0))
    noise: tuple[tuple[str, float], ...] = eqx.field(static=True, default=())  #: (state, times the model's noise)
    walk: float = eqx.field(static=True, default=1.0)  #: times the problem's random walks
    furthest: float = eqx.field(static=True, default=3.0)  #: prior sds that a deviate's mean never leaves
    walks: tuple[tuple[str, float], ...] = eqx.field(static=True, default=())  #: (parameter, times that again)

    @property
    def inert(self) -> tuple[str, ...]:
        """Names of the components that drive nothing: amount and age of what may have entered unrecorded."""
        opening = [h.name for h in self.bank if h.opens]
        return tuple(f"{name}.{what}" for name in opening for what in ("amount", "minutes_ago"))

    def start(self, problem: Problem, batch: tuple[int, ...] = ()) -> Mixture:
        hypotheses.check(self.bank, problem.model)
        mean, memory, root = initial(problem, self.reach, math.prod(batch))
        extra = len(self.inert)
        total, count = problem.size + extra, len(self.bank)
        mean = jnp.concatenate([mean, jnp.zeros((extra, mean.shape[1]))])
        root = jnp.pad(root, ((0, extra), (0, extra), (0, 0)))
        share = jnp.log(jnp.asarray(hypotheses.stationary(self.bank)))
        return Mixture(
            names=problem.names + self.inert,
            hypotheses=tuple(h.name for h in self.bank),
            log_probability=jnp.broadcast_to(share.reshape((count,) + (1,) * len(batch)), (count, *batch)),
            mean=jnp.broadcast_to(mean[:, None], (total, count, mean.shape[1])).reshape(total, count, *batch),
            memory=jnp.broadcast_to(memory[:, None], (memory.shape[0], count, memory.shape[1])).reshape(
                memory.shape[0], count, *batch
            ),
            root=jnp.broadcast_to(root[:, :, None], (total, total, count, root.shape[2])).reshape(
                total, total, count, *batch
            ),
            evidence=jnp.zeros(batch),
            step=jnp.asarray(0, jnp.int32),
        )

    def fold(self, problem: Problem, belief: Belief, tape: Tape) -> tuple[Mixture, Trace]:
        assert isinstance(belief, Mixture)
        batch = tape.batch
        people = math.prod(batch)
        flat = lambda tree, lead: jax.tree.map(lambda x: x.reshape(*x.shape[:lead], people), tree)  # noqa: E731
        inputs, given = flat(tape.inputs, 1), flat(tape.readings, 1)
        valid = jnp.broadcast_to(tape.valid, batch).reshape(people)
        together = tape.first.ndim == 0  # else each of the batch stands at a step, and at an hour, of its own
        begun = tape.start if tape.start.ndim == 0 else tape.start.reshape(1, 1, people)
        given = {q: eqx.tree_at(lambda r: r.present, r, r.present & jnp.isfinite(r.value)) for q, r in given.items()}
        dt = jnp.asarray(problem.model.clock.step, dtype=float)
        mean, memory, root = flat(belief.mean, 2), flat(belief.memory, 2), flat(belief.root, 3)
        state, values = self._points(problem, mean, memory, root)
        carry = Carry(
            mean, root, flat(belief.log_probability, 1), state, values,
            jnp.zeros(people), flat(belief.evidence, 0),
        )  # fmt: skip
        # which belief settles at the end of which step is known beforehand, so loops need no branches: one propagates
        # to the next settling, the other settles (branches would copy all points at every step)
        count = jnp.arange(tape.steps, dtype=jnp.int32)[:, None]
        any_reading = jnp.stack([r.present for r in given.values()]).any(0)
        ends = valid[None]
        passed = count + 1 if together else tape.first.reshape(1, people) + count + 1
        due = (count < ends) & (any_reading | (passed % self.interval == 0) | (count + 1 == ends))
        settles, last_step = due.any(1), valid.max()

        def propagate(going: tuple[Array, Any, Array], values: dict[str, Array]) -> tuple[Array, Any, Array]:
            i, state, since = going
            alive = i < valid
            held = {name: value[i][None, None] for name, value in inputs.items()}
            parameters = problem.parameters(values, mean[0, :, None])
            after = problem.model.step(begun + i.astype(dt.dtype) * dt, dt, state, parameters, held)
            kept = jax.tree.map(lambda new, old: algebra.choose(alive, new, old), after, state)
            return i + 1, kept, since + jnp.where(alive, dt, 0.0)

        def advance(going: tuple[Array, Carry, Trace]) -> tuple[Array, Carry, Trace]:
            i, carry, trace = going
            first = propagate((i, carry.state, carry.since), carry.values)
            i, state, since = jax.lax.while_loop(
                lambda g: ~settles[g[0] - 1], lambda g: propagate(g, carry.values), first
            )
            end = begun + i.astype(dt.dtype) * dt
            now = jax.tree.map(lambda leaf: leaf[i - 1], given)
            carry, row = self._settle(problem, carry._replace(state=state, since=since), end, now, due[i - 1])
            return i, carry, jax.tree.map(lambda whole, part: whole.at[i - 1].set(part), trace, row)

        blank = nothing(self._row(problem, carry))
        trace = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (tape.steps, *leaf.shape)), blank)
        begin = (jnp.asarray(0, jnp.int32), carry, trace)
        _, last, trace = jax.lax.while_loop(lambda going: going[0] < last_step, advance, begin)
        shape = lambda x: x.reshape(*x.shape[:-1], *batch)  # noqa: E731
        moved = Mixture(
            names=belief.names,
            hypotheses=belief.hypotheses,
            log_probability=shape(last.log_probability),
            mean=shape(last.mean),
            memory=shape(self._memory(problem, last)),
            root=shape(last.root),
            evidence=shape(last.evidence),
            step=jnp.asarray(tape.first + (last_step if together else valid.reshape(batch)), jnp.int32),
        )
        return moved, jax.tree.map(shape, trace)

    @staticmethod
    def _memory(problem: Problem, carry: Carry) -> Array:
        """The model's bookkeeping, as the centre point has it: ``[kept, hypothesis, patient]``."""
        centre = jax.tree.map(lambda leaf: leaf[0], carry.state)
        return problem.recall(centre, jax.tree.leaves(centre)[0].shape)

    def _points(self, problem: Problem, mean: Array, memory: Array, root: Array) -> tuple[Any, dict[str, Array]]:
        """State and inferred parameters of the sigma points around these moments: leaves [point, hypothesis, patient]."""
        n = problem.size
        away = self.reach * root[:n, :n]
        centre = mean[:n, None]
        points = jnp.concatenate([centre, centre + away, centre - away], axis=1)
        states = len(problem.states)
        return problem.unpack(points[:states], memory[:, None]), problem.values(points[states:])

    def _moments(self, problem: Problem, carry: Carry) -> tuple[Array, Array]:
        """Mean and covariance (batch first) of all components after the points' journey, without noise."""
        n, h = problem.size, self.reach
        states = len(problem.states)
        points = problem.pack(carry.state, jax.tree.leaves(carry.state)[0].shape)
        centre, plus, minus = points[:, :1], points[:, 1 : n + 1], points[:, n + 1 :]
        bend = plus + minus - 2.0 * centre
        mean = carry.mean.at[:states].set(centre[:, 0] + bend.sum(1) / (2.0 * h**2))
        first = jnp.concatenate([(plus - minus) / (2.0 * h), carry.root[states:, :n]])
        second = (h**2 - 1.0) ** 0.5 / (2.0 * h**2) * bend
        covariance = algebra.gram(first).at[..., :states, :states].add(algebra.gram(second))
        if self.inert:
            covariance = covariance.at[..., n:, n:].add(algebra.gram(carry.root[n:, n:]))
            for k in range(1, len(self.inert), 2):
                mean = mean.at[n + k].add(carry.since / self._minute(problem) / HOUR)
        return mean, covariance

    @staticmethod
    def _minute(problem: Problem) -> float:
        """One minute in model time."""
        return 60.0 / problem.model.clock.unit

    def _mix(
        self,
        problem: Problem,
        mean: Array,
        memory: Array,
        covariance: Array,
        log_probability: Array,
        since: Array,
        t: Array,
    ) -> tuple[Array, Array, Array, Array]:
        """Transitions between hypotheses: mixed moments, bookkeeping and log probabilities.

        Who enters a hypothesis brings its jump (an amount, a wider deviate) and no amount or age of an earlier spell.
        """
        count, n = len(self.bank), problem.size
        if count == 1:
            return mean, memory, covariance, log_probability
        minutes = since / self._minute(problem)
        joint = jnp.exp(log_probability)[:, None] * hypotheses.transition(self.bank, minutes)
        arrived = jnp.maximum(joint.sum(0), jnp.finfo(joint.dtype).tiny)
        believed = (jnp.exp(log_probability) > BELIEVED).astype(joint.dtype)
        kept = jnp.asarray([1.0] * n + [0.0] * len(self.inert))[:, None]
        means, memories, covariances = [], [], []
        for j, hypothesis in enumerate(self.bank):
            sources = range(count) if j == 0 else (0, j)
            jump, wider = self._jump(problem, hypothesis, minutes, mean[:, 0], t)
            share = {i: joint[i, j] if i in (0, j) else joint[i, j] * believed[i] for i in sources}
            whole = jnp.maximum(sum(share.values()), jnp.finfo(joint.dtype).tiny)
            weight = {i: share[i] / whole for i in sources}
            came = {i: mean[:, i] if i == j else mean[:, i] * kept + jump for i in sources}
            centre = sum(weight[i][None] * came[i] for i in sources)
            total = (1.0 - weight[j])[:, None, None] * wider
            for i in sources:
                apart = (came[i] - centre).T
                inside = covariance[i] if i == j else covariance[i] * (kept * kept.T)[None]
                total = total + weight[i][:, None, None] * (inside + apart[:, :, None] * apart[:, None, :])
            means.append(centre)
            memories.append(sum(weight[i][None] * memory[:, i] for i in sources))
            covariances.append(total)
        return jnp.stack(means, 1), jnp.stack(memories, 1), jnp.stack(covariances), jnp.log(arrived)

    def _jump(
        self, problem: Problem, hypothesis: Hypothesis, minutes: Array, expected: Array, t: Array
    ) -> tuple[Array, Array]:
        """Mean ``[component, patient]`` and covariance (batch first) of what enters when a hypothesis begins."""
        total = problem.size + len(self.inert)
        mean, covariance = jnp.zeros((total, minutes.shape[0])), jnp.zeros((minutes.shape[0], total, total))
        if hypothesis.opens:
            accepted = next(a for a in problem.model.accepts if a.quantity == hypothesis.opens.quantity)
            amount = problem.size + self.inert.index(f"{hypothesis.name}.amount")
            way = mean.at[amount].set(1.0)
            for enters, per in self._entry(problem, accepted, expected, t).items():
                way = way.at[enters].set(per)
            mean = mean + hypothesis.opens.mean * way
            covariance = covariance + hypothesis.opens.sd**2 * way.T[:, :, None] * way.T[:, None, :]
            # it began at any moment of the interval
            mean = mean.at[amount + 1].add(minutes / 2.0 / HOUR)
            covariance = covariance.at[:, amount + 1, amount + 1].add((minutes / HOUR) ** 2 / 12.0)
        for name, sd in hypothesis.widens:
            place = len(problem.states) + problem.inferred.index(name)
            covariance = covariance.at[:, place, place].add(sd**2)
        for name, jump, sd in hypothesis.moves:
            place = len(problem.states) + problem.inferred.index(name)
            mean = mean.at[place].add(jump)
            covariance = covariance.at[:, place, place].add(sd**2)
        return mean, covariance

    @staticmethod
    def _entry(problem: Problem, accepted: Accepts, expected: Array, t: Array) -> dict[int, Array]:
        """What one unit of an input adds to each state that it enters now, in that state's scale."""
        values = problem.values(expected[len(problem.states) : problem.size])
        parameters = problem.parameters(values, expected[0])
        per = accepted.per / (getattr(parameters, accepted.divided_by) if accepted.divided_by else 1.0)
        shares = accepted.shares(t, parameters) if accepted.shares else (1.0,)
        places = [problem.states.index(name) for name in accepted.states]
        return {place: share * per / problem.scale[place] for place, share in zip(places, shares, strict=True)}

    def _time(
        self, problem: Problem, mean: Array, memory: Array, covariance: Array, since: Array
    ) -> tuple[Array, Array]:
        """What time alone does: process noise widens the state, deviates walk and are drawn back to their prior."""
        states, shape = len(problem.states), mean.shape[1:]
        values = problem.values(mean[states : problem.size])
        sd = problem.noise_sd(problem.unpack(mean[:states], memory), problem.parameters(values, mean[0]), shape)
        louder = dict(self.noise)
        sd = sd * jnp.asarray([louder.get(name, 1.0) for name in problem.states])[:, None, None]
        moves = [[name in problem.shown and name not in h.steady for h in self.bank] for name in problem.inferred]
        own = dict(self.walks)
        faster = jnp.asarray(
            [
                [self.walk * own.get(name, 1.0) * (h.walk if m else 1.0) for h, m in zip(self.bank, row, strict=True)]
                for name, row in zip(problem.inferred, moves, strict=True)
            ]
        )
        walk = jnp.broadcast_to(
            problem.walk[:, None, None] * faster.reshape(-1, len(self.bank), 1), (len(problem.inferred), *shape)
        )
        decay = jnp.exp(-0.5 * walk**2 * since[None, None])
        home, variance = problem.rest(mean[0])
        toward = (1.0 - decay) * home
        none = jnp.zeros((len(self.inert), *shape))
        keeps = jnp.concatenate([jnp.ones((states, *shape)), decay, none + 1.0])
        gained = (1.0 - decay**2) * variance
        for j, hypothesis in enumerate(self.bank):
            for name, pace in hypothesis.drifts:  # its own walk, which nothing draws back
                hours = since / self._minute(problem) / HOUR
                gained = gained.at[problem.inferred.index(name), j].add(pace**2 * hours)
        noise = jnp.concatenate([sd**2 * since[None, None], gained, none])
        left = jnp.moveaxis(keeps, 0, -1)
        widened = covariance * left[..., :, None] * left[..., None, :]
        pulled = jnp.concatenate([jnp.zeros((states, *shape)), jnp.broadcast_to(toward, decay.shape), none])
        return mean * keeps + pulled, widened + jnp.moveaxis(noise, 0, -1)[..., None] * jnp.eye(mean.shape[0])[
            None, None
        ]

    def _settle(
        self, problem: Problem, carry: Carry, t: Array, given: dict[str, Any], due: Array
    ) -> tuple[Carry, Trace]:
        """Gather the points, let hypotheses change, add noise, meet the readings of this moment, draw points again."""
        memory = self._memory(problem, carry)
        mean, covariance = self._moments(problem, carry)
        mean, memory, covariance, log_probability = self._mix(
            problem, mean, memory, covariance, carry.log_probability, carry.since, t
        )
        total = mean.shape[0]
        mean, covariance = self._time(problem, mean, memory, covariance, carry.since)
        root, mended = algebra.cholesky(covariance)
        before = log_probability

        # observables as further rows below the root, so that one reading corrects the prediction of the next
        n, h = problem.size, self.reach
        state, values = self._points(problem, mean, memory, root)
        shape = (2 * n + 1, *mean.shape[1:])
        seen = problem.observe(t, state, problem.parameters(values, mean[0][None]), shape)
        centre, plus, minus = seen[:, :1], seen[:, 1 : n + 1], seen[:, n + 1 :]
        bend = plus + minus - 2.0 * centre
        level = centre[:, 0] + bend.sum(1) / (2.0 * h**2)
        slope = jnp.pad((plus - minus) / (2.0 * h), ((0, 0), (0, total - n), (0, 0), (0, 0)))
        curved = jnp.sum(bend**2, 1) * ((h**2 - 1.0) / (4.0 * h**4))
        means, rows = jnp.concatenate([mean, level]), jnp.concatenate([root, slope])

        def observables(log_probability: Array, means: Array, rows: Array) -> tuple[Array, Array]:
            variance = jnp.sum(rows[total:] ** 2, 1) + curved
            return pooled(jnp.exp(log_probability), means[total:], variance)

        predicted_mean, predicted_sd = observables(log_probability, means, rows)
        evidence, surprise = carry.evidence, {}
        for k, name in enumerate(problem.model.observes):
            reading = given[name]
            present = reading.present & due
            value = jnp.where(present, reading.value, means[total + k, 0])
            error = jnp.where(present, reading.sd, 1.0)
            shifts = [h.shifts if h.shifts and h.shifts.quantity == name else None for h in self.bank]
            offset = jnp.asarray([s.mean if s else 0.0 for s in shifts])[:, None]
            extra = jnp.asarray([s.sd if s else 0.0 for s in shifts])[:, None]

            def meet(
                so_far: tuple[Array, ...], k: int = k, value: Array = value, error: Array = error,
                offset: Array = offset, extra: Array = extra, kind: Array = reading.kind, present: Array = present,
            ) -> tuple[tuple[Array, ...], Surprise]:  # fmt: skip
                means, rows, log_probability, evidence = so_far
                direction = rows[total + k]
                variance = jnp.sum(direction**2, 0) + curved[k] + error[None] ** 2 + extra**2
                forecast = means[total + k] + offset
                met = readings.met(value[None], kind[None], forecast, variance)
                moved_means, moved_rows = algebra.correct(rows, means, direction, variance, met)
                joint = log_probability + met.log_density
                density = jax.scipy.special.logsumexp(joint, axis=0)
                corrected = (
                    algebra.choose(present, moved_means, means),
                    algebra.choose(present, moved_rows, rows),
                    algebra.choose(present, joint - density[None], log_probability),
                    evidence + jnp.where(present, density, 0.0),
                )
                return corrected, self._surprise(
                    log_probability, value, kind, forecast, variance, met, density, present
                )

            so_far = (means, rows, log_probability, evidence)
            absent = Surprise(*(jnp.full(due.shape, jnp.nan),) * 5)
            so_far, surprise[name] = jax.lax.cond(present.any(), meet, lambda s, absent=absent: (s, absent), so_far)
            means, rows, log_probability, evidence = so_far
        filtered_mean, filtered_sd = observables(log_probability, means, rows)

        root = algebra.choose(due, rows[:total], carry.root)
        # under a wrong model every reading pulls a little: without a limit deviates leave what the prior knows
        within = (
            means[:total]
            .at[len(problem.states) : n]
            .set(jnp.clip(means[len(problem.states) : n], -self.furthest, self.furthest))
        )
        mean = algebra.choose(due, within, carry.mean)
        state, values = self._points(problem, mean, memory, root)
        keep = lambda new, old: algebra.choose(due, new, old)  # noqa: E731
        settled = Carry(
            mean,
            root,
            keep(log_probability, carry.log_probability),
            jax.tree.map(keep, state, carry.state),
            jax.tree.map(keep, values, carry.values),
            jnp.where(due, 0.0, carry.since),
            keep(evidence, carry.evidence),
        )
        row = self._row(problem, settled)
        names = problem.model.observes
        row = Trace(
            settled=due,
            predicted_mean=dict(zip(names, predicted_mean, strict=True)),
            predicted_sd=dict(zip(names, predicted_sd, strict=True)),
            mean=dict(zip(names, filtered_mean, strict=True)),
            sd=dict(zip(names, filtered_sd, strict=True)),
            deviate_mean=row.deviate_mean,
            deviate_sd=row.deviate_sd,
            vector=row.vector,
            memory=row.memory,
            probability_before=jnp.exp(before),
            probability=jnp.exp(settled.log_probability),
            amount_mean=row.amount_mean,
            amount_sd=row.amount_sd,
            minutes_ago=row.minutes_ago,
            surprise=surprise,
            repairs=mended.sum(0, dtype=jnp.int32),
        )
        return settled, jax.tree.map(lambda new, none: algebra.choose(due, new, none), row, nothing(row))

    def _surprise(
        self, log_probability: Array, value: Array, kind: Array, forecast: Array, variance: Array,
        met: readings.Moved, density: Array, present: Array,
    ) -> Surprise:  # fmt: skip
        weight = jnp.exp(log_probability)
        mean, sd = pooled(weight, forecast, variance)
        innovation = value - mean
        exact = present & (kind == EXACT)
        nan = jnp.asarray(jnp.nan, value.dtype)
        return Surprise(
            innovation=jnp.where(present, innovation, nan),
            sd=jnp.where(present, sd, nan),
            log_density=jnp.where(present, density, nan),
            rank=jnp.where(exact, jnp.sum(weight * met.below, 0), nan),
            nis=jnp.where(exact, (innovation / sd) ** 2, nan),
        )

    def _row(self, problem: Problem, carry: Carry) -> Trace:
        """A row of the trace with the belief's own part; the rest is not-a-number. Of a fresh carry: a blank row."""
        weight = jnp.exp(carry.log_probability)
        states, n = len(problem.states), problem.size
        spread = jnp.sum(carry.root[states:] ** 2, 1)
        mean, sd = pooled(weight, carry.mean[states:], spread)
        people = carry.since.shape
        nan = {name: jnp.full(people, jnp.nan) for name in problem.model.observes}
        opening = [(j, h.name) for j, h in enumerate(self.bank) if h.opens]
        at = {name: n - states + 2 * k for k, (_, name) in enumerate(opening)}
        own = carry.mean[states:]
        row = Trace(
            settled=jnp.zeros(people, bool),
            predicted_mean=nan,
            predicted_sd=nan,
            mean=nan,
            sd=nan,
            deviate_mean={name: mean[i] for i, name in enumerate(problem.shown)},
            deviate_sd={name: sd[i] for i, name in enumerate(problem.shown)},
            vector=jnp.sum(weight[None] * carry.mean[:n], axis=1),
            memory=self._memory(problem, carry)[:, 0],
            probability_before=weight,
            probability=weight,
            amount_mean={name: own[at[name], j] for j, name in opening},
            amount_sd={name: jnp.sqrt(spread[at[name], j]) for j, name in opening},
            minutes_ago={name: own[at[name] + 1, j] * HOUR for j, name in opening},
            surprise={name: Surprise(*(jnp.full(people, jnp.nan),) * 5) for name in problem.model.observes},
            repairs=jnp.zeros(people, jnp.int32),
        )
        return row


def pooled(weight: Array, mean: Array, variance: Array) -> tuple[Array, Array]:
    """Mean and sd of a mixture over the axis before the last: ``[..., hypothesis, patient]`` to ``[..., patient]``."""
    weight = jnp.broadcast_to(weight.reshape((1,) * (mean.ndim - 2) + weight.shape), mean.shape)
    centre = jnp.sum(weight * mean, -2)
    return centre, jnp.sqrt(jnp.sum(weight * (variance + (mean - centre[..., None, :]) ** 2), -2))


def initial(problem: Problem, reach: float, people: int) -> tuple[Array, Array, Array]:
    """Mean, bookkeeping and root of the prior: deviates N(0, C), the state at rest for them, plus the start-up spread.

    The state at rest is a function of the deviates alone, so its points run over these only; shapes
    ``[component, patient]`` and ``[component, column, patient]``.
    """
    k = len(problem.inferred)
    factor = problem.prior_root[:, :, None] * jnp.ones((1, 1, people))
    away = reach * factor
    home = jnp.broadcast_to(problem.rest(jnp.zeros((1, people)))[0], (k, 1, people))
    z = jnp.concatenate([home, home + away, home - away], axis=1)
    parameters = problem.parameters(problem.values(z), jnp.zeros((1, people)))
    rest = problem.model.initial(parameters)
    points, memory = problem.pack(rest, (2 * k + 1, people)), problem.recall(rest, (2 * k + 1, people))
    centre, plus, minus = points[:, :1], points[:, 1 : k + 1], points[:, k + 1 :]
    bend = plus + minus - 2.0 * centre
    mean = centre[:, 0] + bend.sum(1) / (2.0 * reach**2)
    first = jnp.concatenate([(plus - minus) / (2.0 * reach), factor])
    second = jnp.pad((reach**2 - 1.0) ** 0.5 / (2.0 * reach**2) * bend, ((0, k), (0, 0), (0, 0)))
    every = jnp.concatenate([first, second], axis=1)
    spread = jnp.concatenate([problem.spread, jnp.zeros(k)])
    covariance = algebra.gram(every) + jnp.diag(spread**2)[None]
    root, _ = algebra.cholesky(covariance)
    return jnp.concatenate([mean, home[:, 0]]), memory[:, 0], root
