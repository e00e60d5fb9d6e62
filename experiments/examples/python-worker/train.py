"""The model: a polynomial fitted to a tide by stochastic gradient descent. It stands for whatever takes long."""

import hashlib
import json
import math
import os
import random
import time
from pathlib import Path
from typing import Any, Callable

CHECKPOINTS = Path(os.environ.get("CHECKPOINTS", "checkpoints"))


def split(task: dict[str, Any], name: str, n: int) -> list[tuple[float, float]]:
    """Draws points of a task's tide, which are the task's, whatever the trial."""
    draw, period, noise = random.Random(f"{task['name']} {name}"), task["parameters"]["period"], task["parameters"].get("noise", 0.1)
    points = [draw.uniform(-1, 1) for _ in range(n)]
    return [(x, math.sin(2 * math.pi * x / period) + 0.3 * x + draw.gauss(0, noise)) for x in points]


def train(request: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Runs a trial: request in, outcome out, both of the trainers' contract. What it gives is a function of the request alone."""
    task, choices, seed = request["task"], request["choices"], request["seed"]
    if not isinstance(task.get("parameters", {}).get("period"), (int, float)):
        return {"status": "failed", "reason": f"the task {task['name']} lacks the parameter \"period\""}
    rounds = choices["rounds"]
    if rounds > request.get("limits", {}).get("steps", rounds):
        return {"status": "over_steps", "reason": f"{rounds} rounds, the limit is {request['limits']['steps']}"}

    def features(x: float) -> list[float]:
        return [math.cos(k * math.acos(x)) for k in range(choices["degree"] + 1)]  # Chebyshev's polynomials

    def rmse(points: list[tuple[list[float], float]]) -> float:
        return math.sqrt(sum((sum(w * v for w, v in zip(weights, f)) - y) ** 2 for f, y in points) / len(points))

    known, validation, test = ([(features(x), y) for x, y in split(task, *s)] for s in (("train", 150), ("validation", 100), ("test", 500)))
    random.Random(seed).shuffle(known)
    # Named by what the weights depend on: whichever process runs the trial again goes on from there.
    key = hashlib.sha256(json.dumps([task, choices, seed], sort_keys=True).encode()).hexdigest()
    checkpoint = CHECKPOINTS / f"{key}.json"
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    values, weights = json.loads(checkpoint.read_text()) if checkpoint.exists() else ([], [0.0] * (choices["degree"] + 1))

    outcome: dict[str, Any] = {"status": "ok"}
    floors = list(request.get("prune", []))
    for done in range(1, rounds + 1):
        if done > len(values):  # else an attempt before has come so far
            for f, y in known:
                error = sum(w * v for w, v in zip(weights, f)) - y
                weights = [w - choices["rate"] * (error * v + choices["decay"] * w) for w, v in zip(weights, f)]
            values.append(rmse(validation))
            if not values[-1] < 1e6:  # nor if it is no number
                outcome = {"status": "diverged", "reason": f"the rate is too high, after {done} rounds"}
                break
            checkpoint.with_suffix(".new").write_text(json.dumps([values, weights]))
            checkpoint.with_suffix(".new").replace(checkpoint)  # whole or not at all
            time.sleep(float(os.environ.get("SECONDS_A_ROUND", "0")))  # for who wants to kill a worker meanwhile
        tell({"step": done, "steps": rounds, "metrics": {"validation_rmse": values[done - 1]}})
        due = [floor for step, floor in floors if step <= done]
        floors = floors[len(due):]
        if done < rounds and any(min(values[:done]) > floor for floor in due):
            outcome = {"status": "pruned", "reason": f"{min(values[:done]):.4g} by round {done}"}
            break
    if outcome["status"] == "ok":
        outcome["metrics"] = {"validation_rmse": values[-1], "test_rmse": rmse(test)}
    if request.get("curve") and outcome["status"] != "diverged":
        outcome["curve"] = [[i + 1, v] for i, v in enumerate(values[:done])]
    checkpoint.unlink(missing_ok=True)
    return outcome | {"steps": done}
