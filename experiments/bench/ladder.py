"""The ladder of rivals on real training: a search of each arm, task and seed through a
running stack (`starter up`), then a table. Goes on where it was broken off.

    python3 ladder.py --tasks sms_spam,corp_messaging --sources dev8 --seeds 3 --out ladder
    python3 ladder.py --tasks sms_spam,corp_messaging --optuna optuna --only-table --out ladder

--sources are trials of other tasks that the arms with an @ learn from: names of searches,
or of imported trials (`starter trials import`). --optuna is the directory of
optuna_search.py, whose runs are an arm of their own.
"""

import argparse
import concurrent.futures
import json
import pathlib
import statistics
import subprocess

ARMS = "kindred@,portfolio@,warm-evolution=evolution@,random,tpe"

flags = argparse.ArgumentParser()
flags.add_argument("--tasks", required=True)
flags.add_argument("--arms", default=ARMS, help="[NAME=]STRATEGY[@], @: with --sources")
flags.add_argument("--sources")
flags.add_argument("--space", default="paper")
flags.add_argument("--seeds", type=int, default=3)
flags.add_argument("--trials", type=int, default=100)
flags.add_argument("--parallel", type=int, default=2)
flags.add_argument("--optuna")
flags.add_argument("--only-table", action="store_true")
flags.add_argument("--starter", default="starter")
flags.add_argument("--out", default="ladder")
options = flags.parse_args()
out = pathlib.Path(options.out)
out.mkdir(exist_ok=True)
tasks = options.tasks.split(",")
seeds = range(1, options.seeds + 1)


def starter(*args):
    return subprocess.run([options.starter, *args], capture_output=True, text=True)


def search(arm, task, seed):
    name, _, strategy = arm.rpartition("=")
    label = (name or strategy).rstrip("@")
    file = out / f"{label}.{task}.{seed}.jsonl"
    if file.exists():
        return f"{file} is there"
    run = f"ladder-{label}-{task}-{seed}"
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


if not options.only_table:
    jobs = [(arm, task, seed) for seed in seeds for arm in options.arms.split(",") for task in tasks]
    with concurrent.futures.ThreadPoolExecutor(options.parallel) as pool:
        for line in pool.map(lambda job: search(*job), jobs):
            print(line, flush=True)

runs = {}
for file in out.glob("*.jsonl"):
    arm, task, seed = file.name.removesuffix(".jsonl").rsplit(".", 2)
    runs.setdefault(arm, {})[task, int(seed)] = file
for file in pathlib.Path(options.optuna).glob("*.jsonl") if options.optuna else ():
    task, seed = file.name.removesuffix(".jsonl").rsplit("-", 1)
    runs.setdefault("optuna", {})[task, int(seed)] = file


def accuracy(file, trials):
    """Test accuracy of the best by validation, and the mean of the ten best's, in percent."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    if len(rows) < options.trials:
        return None
    best = sorted((r for r in rows[:trials] if r["status"] == "ok"), key=lambda r: -r["validation"])[:10]
    return (100 * best[0]["test"], 100 * statistics.mean(r["test"] for r in best)) if best else (0, 0)


for column, what in enumerate(("test accuracy of the best by validation", "of the ten best")):
    print(f"\n{what}: mean, mean rank, and the first arm's wins, draws and losses against each")
    first = options.arms.split(",")[0].rpartition("=")[0] or options.arms.split(",")[0].rstrip("@")
    for n in (1, 3, 10, 30, 100):
        found = {arm: {key: a[column] for key, file in files.items() if (a := accuracy(file, n))} for arm, files in runs.items()}
        shared = set.intersection(*(set(f) for f in found.values()))
        line = []
        for arm, f in sorted(found.items()):
            rank = [sum(g[k] > f[k] for g in found.values()) + (sum(g[k] == f[k] for g in found.values()) + 1) / 2 for k in shared]
            pairs = [found[first][k] - f[k] for k in f if k in found[first]]
            won, lost = sum(d > 0 for d in pairs), sum(d < 0 for d in pairs)
            line.append(f"{arm} {statistics.mean(f[k] for k in shared):.2f} {statistics.mean(rank):.2f} {won}/{len(pairs) - won - lost}/{lost}")
        print(f"{n:4d} ({len(shared)} runs each)  " + "  ".join(line))
