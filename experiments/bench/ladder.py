"""The ladder of rivals on real training: a search of each arm, task and seed through a
running stack (`starter up`). Goes on where it was broken off.

    python3 ladder.py --tasks sms_spam,corp_messaging --sources dev8 --seeds 3 --out ladder --figures ladder.csv
    starter bench compare ladder.csv

--sources are trials of other tasks that the arms with an @ learn from: names of searches,
or of imported trials (`starter trials import`). --optuna is the directory of
optuna_search.py, whose runs are an arm of their own. --figures is a CSV file of each run's
figures, which is brought up to date: a run that is there is not made again.
"""

import argparse
import concurrent.futures
import csv
import json
import pathlib
import statistics
import subprocess

ARMS = "kindred@,portfolio@,warm-evolution=evolution@,box@,copula@,random,tpe"

flags = argparse.ArgumentParser()
flags.add_argument("--tasks", required=True)
flags.add_argument("--arms", default=ARMS, help="[NAME=]STRATEGY[@], @: with --sources")
flags.add_argument("--sources")
flags.add_argument("--space", default="paper")
flags.add_argument("--seeds", type=int, default=3)
flags.add_argument("--trials", type=int, default=100)
flags.add_argument("--parallel", type=int, default=2)
flags.add_argument("--optuna")
flags.add_argument("--figures", type=pathlib.Path, required=True)
flags.add_argument("--starter", default="starter")
flags.add_argument("--out", default="ladder")
options = flags.parse_args()
out = pathlib.Path(options.out)
out.mkdir(exist_ok=True)
tasks = options.tasks.split(",")
seeds = range(1, options.seeds + 1)
arms = options.arms.split(",")
FIGURES = ["validation", "test", "top10_test"]  # of the model best by validation, and of the ten best
known = {}  # FIGURES of an arm, task and seed, at each number of trials
if options.figures.exists():
    with options.figures.open(newline="") as file:
        for row in csv.DictReader(file):
            key = row["arm"], row["task"], int(row["seed"])
            known.setdefault(key, {})[int(row["trials"])] = tuple(float(row[name]) for name in FIGURES)


def starter(*args):
    return subprocess.run([options.starter, *args], capture_output=True, text=True)


def named(arm):
    """An arm's name and what it searches by."""
    name, _, strategy = arm.rpartition("=")
    return (name or strategy).rstrip("@"), strategy


def search(arm, task, seed):
    label, strategy = named(arm)
    file = out / f"{label}.{task}.{seed}.jsonl"
    if file.exists():
        return f"{file} is there"
    run = f"{out.name}-{label}-{task}-{seed}"
    args = [
        "search", "--task", task, "--space", options.space, "--strategy", strategy.rstrip("@"), "--trials", str(options.trials), "--lag", "1",
        "--seed", str(seed), "--keep-models", "0", "--memory-limit-mb", "4096", "--name", run,
    ]  # fmt: skip
    if strategy.endswith("@"):
        args += ["--sources", options.sources]
    ended = starter(*args)
    if ended.returncode == 1 and "exists already" in ended.stderr:  # begun before this was broken off
        ended = starter("watch", run)
    told = starter("trials", run, "--format", "jsonl").stdout
    if ended.returncode != 0 or told.count("\n") != options.trials:
        return f"{run}: {ended.stderr}"
    file.write_text(told)
    return f"{file} is done"


jobs = [
    (arm, task, seed)
    for seed in seeds for arm in arms for task in tasks
    if options.trials > max(known.get((named(arm)[0], task, seed), {0: ()}))
]  # fmt: skip
if any(arm.endswith("@") for arm, _, _ in jobs) and not options.sources:
    raise SystemExit("arms with an @ learn from other tasks' trials: name some with --sources, or leave these arms out")
with concurrent.futures.ThreadPoolExecutor(options.parallel) as pool:
    for line in pool.map(lambda job: search(*job), jobs):
        print(line, flush=True)

AT = [n for n in (1, 3, 10, 30, 100, 300, 500) if n < options.trials] + [options.trials]


def read(key, file):
    """Figures of a run of optuna or of a search."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    if len(rows) < options.trials:
        return
    for n in AT:
        best = sorted((r for r in rows[:n] if r["status"] == "ok"), key=lambda r: -r["validation"])[:10]
        figures = (best[0]["validation"], best[0]["test"], statistics.mean(r["test"] for r in best)) if best else (0, 0, 0)
        known.setdefault(key, {})[n] = tuple(round(v, 6) for v in figures)


for file in out.glob("*.jsonl"):
    arm, task, seed = file.name.removesuffix(".jsonl").rsplit(".", 2)
    read((arm, task, int(seed)), file)
for file in pathlib.Path(options.optuna).glob("*.jsonl") if options.optuna else ():
    task, seed = file.name.removesuffix(".jsonl").rsplit("-", 1)
    read(("optuna", task, int(seed)), file)
with options.figures.open("w", newline="") as file:
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(["arm", "task", "seed", "trials", *FIGURES])
    lines.writerows([*key, n, *known[key][n]] for key in sorted(known) for n in sorted(known[key]))
