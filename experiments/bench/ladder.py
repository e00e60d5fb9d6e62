"""The ladder of rivals on real training: a search of each arm, task and seed through a
running stack (`starter up`), then tables. Goes on where it was broken off.

    python3 ladder.py --tasks sms_spam,corp_messaging --sources dev8 --seeds 3 --out ladder
    python3 ladder.py --tasks sms_spam,corp_messaging --optuna optuna --only-table --out ladder

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
flags.add_argument("--figures", type=pathlib.Path)
flags.add_argument("--only-table", action="store_true")
flags.add_argument("--starter", default="starter")
flags.add_argument("--out", default="ladder")
options = flags.parse_args()
out = pathlib.Path(options.out)
out.mkdir(exist_ok=True)
tasks = options.tasks.split(",")
seeds = range(1, options.seeds + 1)
arms = options.arms.split(",")
if any(arm.endswith("@") for arm in arms) and not (options.sources or options.only_table):
    raise SystemExit("arms with an @ learn from other tasks' trials: name some with --sources, or leave these arms out")
FIGURES = {  # in percent
    "validation": "The best on the validation split: its accuracy there",
    "best": "The best by validation: test accuracy",
    "top10": "The ten best by validation: test accuracy",
}
known = {}  # FIGURES of an arm, task and seed, at each number of trials
if options.figures and options.figures.exists():
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
    if file.exists() or options.trials <= max(known.get((label, task, seed), {0: ()})):
        return f"{label} {task} {seed} is there"
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


if not options.only_table:
    jobs = [(arm, task, seed) for seed in seeds for arm in arms for task in tasks]
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
        known.setdefault(key, {})[n] = tuple(round(100 * v, 4) for v in figures)


for file in out.glob("*.jsonl"):
    arm, task, seed = file.name.removesuffix(".jsonl").rsplit(".", 2)
    read((arm, task, int(seed)), file)
for file in pathlib.Path(options.optuna).glob("*.jsonl") if options.optuna else ():
    task, seed = file.name.removesuffix(".jsonl").rsplit("-", 1)
    read(("optuna", task, int(seed)), file)
if options.figures:
    with options.figures.open("w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["arm", "task", "seed", "trials", *FIGURES])
        lines.writerows([*key, n, *known[key][n]] for key in sorted(known) for n in sorted(known[key]))


def table(title, head, rows):
    print(f"\n{title}\n\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def wilcoxon(differences):
    """Exact two-sided p of Wilcoxon's signed ranks, zeros left out, midranks for ties."""
    sizes = sorted(abs(d) for d in differences if d)
    if not sizes:
        return 1
    doubled = {size: 2 * sizes.index(size) + sizes.count(size) + 1 for size in sizes}  # of the ranks, so that these are whole
    ways = {0: 1}  # of having this sum of the positive ones' ranks
    for size in sizes:
        more = dict(ways)
        for total, n in ways.items():
            more[total + doubled[size]] = more.get(total + doubled[size], 0) + n
        ways = more
    positive, all_of = sum(doubled[d] for d in differences if d > 0), sum(doubled[size] for size in sizes)
    extreme = min(positive, all_of - positive)
    return min(1, 2 * sum(n for total, n in ways.items() if total <= extreme) / 2 ** len(sizes))


def holm(ps):
    """Holm's p of several comparisons."""
    adjusted, most = [0.0] * len(ps), 0
    for rank, i in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        adjusted[i] = most = max(most, min(1, (len(ps) - rank) * ps[i]))
    return adjusted


whole = [key for key in known if key[1] in tasks and set(AT) <= set(known[key])]
first, _ = named(arms[0])
arms = [first] + sorted({arm for arm, _, _ in whole} - {first})
shared = sorted(set.intersection(*({(task, seed) for a, task, seed in whole if a == arm} for arm in arms)))
if len(shared) < 2:
    raise SystemExit("fewer than two runs that all arms have: no tables")
for column, what in enumerate(FIGURES.values()):
    means, ahead = [], []
    for n in AT:
        values = [[known[arm, task, seed][n][column] for task, seed in shared] for arm in arms]
        ranks = [[sum(x > own for x in at) + (sum(x == own for x in at) + 1) / 2 for own in at] for at in zip(*values)]
        means.append([str(n)] + [f"{statistics.mean(v):.2f} ({statistics.mean(r):.1f})" for v, r in zip(values, zip(*ranks))])
        line = [str(n)]
        differences = [[round(a - b, 4) for a, b in zip(values[0], other)] for other in values[1:]]
        for by, p in zip(differences, holm([wilcoxon(by) for by in differences])):
            error = 2 * statistics.stdev(by) / len(by) ** 0.5
            won, lost = sum(d > 0 for d in by), sum(d < 0 for d in by)
            line.append(f"{statistics.mean(by):+.2f} ± {error:.2f} ({won}/{len(by) - won - lost}/{lost}, {p:.3f})")
        ahead.append(line)
    table(f"{what}, mean of {len(shared)} runs (mean rank)", ["trials"] + arms, means)
    table(f"{what}: {first} is ahead by, ± 2 s.e. over the runs (won/drawn/lost, Holm's p by Wilcoxon)", ["trials"] + arms[1:], ahead)
