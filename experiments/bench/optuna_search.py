"""Searches tasks with Optuna's multivariate TPE, each trial trained by tnaml: a
search of one trial with the strategy `fixed`. Needs Optuna 3.1 (Debian 12:
python3-optuna), a running stack (`starter up`) and the tasks.

    python3 optuna_search.py --tasks sms_spam,corp_messaging --seeds 3 --trials 100 --out optuna

Goes on where it was broken off; writes optuna/TASK-SEED.jsonl, a trial a line, and
prints the seconds that Optuna itself took.
"""

import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import time
import warnings

import optuna

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)

flags = argparse.ArgumentParser()
flags.add_argument("--tasks", required=True)
flags.add_argument("--space", default="paper")
flags.add_argument("--seeds", type=int, default=3)
flags.add_argument("--trials", type=int, default=100)
flags.add_argument("--parallel", type=int, default=2)
flags.add_argument("--starter", default="starter")
flags.add_argument("--out", default="optuna")
options = flags.parse_args()
out = pathlib.Path(options.out)
out.mkdir(exist_ok=True)


def starter(*args):
    done = subprocess.run([options.starter, *args], capture_output=True, text=True)
    if done.returncode not in (0, 1):  # 1: a search whose one trial failed
        raise RuntimeError(f"starter {' '.join(args)}: {done.stderr}")
    return done.stdout


def distributions(task):
    """The space's, its embedding modules as they are pinned by a search of the task."""
    space = json.loads(starter("space", "show", options.space, "--json"))
    modules = [m["name"] for m in json.loads(starter("module", "list", "--json")) if m.get("kind", "text") == "text"]
    made = {}
    for choice in space["choices"]:
        values = sorted(modules) if choice["options"] == ["*"] else choice["options"]
        numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        made[choice["name"]] = (
            values,
            optuna.distributions.IntDistribution(0, len(values) - 1)
            if numbers
            else optuna.distributions.CategoricalDistribution(list(range(len(values)))),
        )
    return made


def search(task, seed, made):
    file = out / f"{task}-{seed}.jsonl"
    sampler = optuna.samplers.TPESampler(multivariate=True, seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    fixed = {name: d for name, (_, d) in made.items()}
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    own = 0.0
    with file.open("a") as f:
        for i in range(options.trials):
            began = time.process_time()
            trial = study.ask(fixed)
            own += time.process_time() - began
            choices = {name: values[trial.params[name]] for name, (values, _) in made.items()}
            if i < len(rows):  # the sampler draws the same again
                row = rows[i]
                assert row["choices"] == choices, f"{file}: trial {i} differs: begin anew"
            else:
                name = f"optuna-{task}-{seed}-{i}"
                starter(
                    "search", "--task", task, "--space", options.space, "--strategy", "fixed", "--trials", "1", "--lag", "1",
                    "--settings", json.dumps({"architecture": choices}), "--seed", str(1000 * seed + i), "--keep-models", "0",
                    "--memory-limit-mb", "4096", "--name", name, "--json",
                )  # fmt: skip
                told = json.loads(starter("trials", name, "--format", "jsonl"))
                row = {"trial": i, "choices": choices, "status": told["status"], "validation": told["validation"], "test": told["test"]}
                f.write(json.dumps(row) + "\n")
                f.flush()
            began = time.process_time()
            if row["status"] == "ok":
                study.tell(trial, row["validation"])
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            own += time.process_time() - began
    return f"{task} seed {seed}: {study.best_value:.4f}, Optuna's own time {own:.1f} s"


jobs = [(task, seed) for task in options.tasks.split(",") for seed in range(1, options.seeds + 1)]
spaces = {task: distributions(task) for task in options.tasks.split(",")}
with concurrent.futures.ThreadPoolExecutor(options.parallel) as pool:
    for line in pool.map(lambda job: search(*job, spaces[job[0]]), jobs):
        print(line, flush=True)
