"""What Optuna's multivariate TPE makes of fixed histories: the fixture of
TestTPEIsOptunas in experiments/search/strategy. Needs Optuna 3.1 (Debian 12:
python3-optuna).

    python3 optuna_tpe.py >../search/strategy/testdata/optuna_tpe.json
"""

import json
import random
import sys
import warnings

import optuna
from optuna.samplers._tpe import sampler as tpe

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
estimators = []  # of one trial: below, above


class Recorded(tpe._ParzenEstimator):
    """Keeps what the sampler asks of it."""

    def __init__(self, *args):
        super().__init__(*args)
        estimators.append(self)

    def log_pdf(self, samples):
        self.samples, self.log_densities = samples, super().log_pdf(samples)
        return self.log_densities


tpe._ParzenEstimator = Recorded


def rewards(n, levels, failing, draw):
    """Rewards with ties where there are few levels; a trial that failed has the worst so far, 0 before any."""
    out, worst = [], None
    for _ in range(n):
        reward = draw.randrange(levels) / levels
        if draw.random() < failing:
            reward = 0 if worst is None else worst
        else:
            worst = reward if worst is None else min(worst, reward)
        out.append(reward)
    return out


def record(name, options, ordinal, n, levels=1 << 20, failing=0.0):
    """One history, and the estimators and candidates of the trial after it."""
    draw = random.Random(name)
    distributions = {
        f"c{i:02}": optuna.distributions.IntDistribution(0, k - 1)
        if i in ordinal
        else optuna.distributions.CategoricalDistribution([f"o{o}" for o in range(k)])
        for i, k in enumerate(options)
    }
    actions = [[draw.randrange(k) for k in options] for _ in range(n)]
    told = rewards(n, levels, failing, draw)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(multivariate=True, seed=1))
    for a, reward in zip(actions, told):
        params = {c: d.to_external_repr(o) for (c, d), o in zip(distributions.items(), a)}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=reward))
    estimators.clear()
    params = study.ask(distributions).params
    below, above = estimators
    size = len(below.log_densities)
    samples = [[int(below.samples[c][i]) if c in below.samples else 0 for c in distributions] for i in range(size)]
    return {
        "name": name,
        "options": options,
        "ordinal": ordinal,
        "actions": actions,
        "rewards": told,
        "weights_below": below._weights.tolist(),
        "weights_above": above._weights.tolist(),
        "kernels_below": {c: w.tolist() for c, w in below._categorical_weights.items() if w is not None},
        "candidates": samples,
        "log_l": below.log_densities.tolist(),
        "log_g": above.log_densities.tolist(),
        "chosen": [int(d.to_internal_repr(params[c])) for c, d in distributions.items()],
    }


SHAPE = [3, 1, 5, 2, 8, 30]
NUMBERS = [0, 4, 5]
json.dump(
    {
        "optuna": optuna.__version__,
        "histories": [
            record("few", SHAPE, [], 10),
            record("few, numbers", SHAPE, NUMBERS, 10),
            record("one below", SHAPE, NUMBERS, 17),
            record("the ramp begins", SHAPE, [], 28),
            record("one on the ramp", SHAPE, [], 29),
            record("ties", SHAPE, NUMBERS, 70, levels=3),
            record("failures", SHAPE, [], 60, failing=0.4),
            record("failures, ties, numbers", SHAPE, NUMBERS, 60, levels=4, failing=0.4),
            record("25 below", SHAPE, [], 310),
            record("25 below, numbers", SHAPE, NUMBERS, 310, levels=100),
            record("one choice", [7], [], 40),
            record("one number", [7], [0], 40),
            record("many options", [400, 3], [0], 150),
        ],
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
