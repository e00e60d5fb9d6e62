"""A trainer in plain Python: fits a curve, and says how well. The standard library is all it needs.

One trial: reads $TNAML_REQUEST, draws the task's curve from its parameters, fits weights of random waves to
noisy points of it, tells its progress, leaves a checkpoint after each round, and the model at the end.
"""

import json
import math
import os
import random
import time

request = json.load(open(os.environ["TNAML_REQUEST"]))
choices, seed = request["choices"], request["seed"]
task = {"bumps": 3, "noise": 0.1, "points": 120, "shift": 0.0} | request["task"].get("parameters", {})


def curve(x):
    return math.sin(task["bumps"] * x + task["shift"]) + 0.5 * math.cos(2 * task["bumps"] * x)


def split(name, n):
    draw = random.Random(f"{task} {name}")  # the data are the task's, whatever the trial
    points = [draw.uniform(-1, 1) for _ in range(n)]
    return [(x, curve(x) + draw.gauss(0, task["noise"])) for x in points]


train, validation, test = split("train", task["points"]), split("validation", 100), split("test", 100)

# The model: y = sum of w_i cos(a_i x + b_i), with waves drawn from the seed.
draw = random.Random(seed)
waves = [(draw.gauss(0, choices["scale"]), draw.uniform(0, 2 * math.pi)) for _ in range(choices["waves"])]


def features(x):
    return [math.cos(a * x + b) for a, b in waves]


def rmse(weights, points):
    errors = (sum(w * f for w, f in zip(weights, features(x))) - y for x, y in points)
    return math.sqrt(sum(e * e for e in errors) / len(points))


# What an attempt left that was lost in the middle: the rounds done, and the weights after them.
checkpoint = os.path.join(os.environ["TNAML_CHECKPOINT"], "weights.json")
begun, weights = 0, [0.0] * len(waves)
if os.path.exists(checkpoint):
    begun, weights = json.load(open(checkpoint))

known = [(features(x), y) for x, y in train]
for step in range(begun, choices["rounds"]):
    order = list(range(len(known)))
    random.Random(f"{seed} {step}").shuffle(order)  # of the seed and the step alone: a resumed trial does the same
    for i in order:
        f, y = known[i]
        error = sum(w * v for w, v in zip(weights, f)) - y
        weights = [w - choices["rate"] * (error * v + choices["decay"] * w) for w, v in zip(weights, f)]
    json.dump([step + 1, weights], open(checkpoint + ".tmp", "w"))
    os.replace(checkpoint + ".tmp", checkpoint)  # whole or not at all
    time.sleep(float(os.environ.get("SECONDS_A_ROUND", 0)))  # for who wants to kill a worker meanwhile
    print(json.dumps({"step": step + 1, "steps": choices["rounds"], "metrics": {"training_rmse": rmse(weights, train)}}), flush=True)

json.dump({"waves": waves, "weights": weights}, open(os.path.join(os.environ["TNAML_MODEL"], "curve.json"), "w"))
error = rmse(weights, validation)
if error < 1e3:
    print(json.dumps({"status": "ok", "metrics": {"validation_rmse": error, "test_rmse": rmse(weights, test)}, "steps": choices["rounds"]}))
else:  # not a number, too
    print(json.dumps({"status": "diverged", "reason": "the learning rate is too high", "steps": choices["rounds"]}))
