"""A loop of one's own: asks a search for trials and tells what they gave. Python's standard library is all it takes.

    ASKTELL_TOKEN=… python3 loop.py SEARCH [http://127.0.0.1:8288]

Start as many as you like, here and elsewhere: the result is the same.
"""

import json
import math
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


def call(base, search, what, body):
    request = urllib.request.Request(
        f"{base}/v1/searches/{urllib.parse.quote(search, safe='')}/{what}", json.dumps(body).encode(),
        {"Authorization": "Bearer " + os.environ["ASKTELL_TOKEN"], "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=90) as answer:
        return json.load(answer)


def train(task, params, seed):
    """Yours goes here: what a model of these choices is worth on the task."""
    fold = task.get("parameters", {}).get("fold", 0)
    return math.hypot(math.log2(params["depth"] / 4), math.log10(params["rate"] * 30)) + 50 / params["trees"] + fold / 10


def main(search, base="http://127.0.0.1:8288"):
    while True:
        try:
            asked = call(base, search, "ask", {"wait_seconds": 30})
        except urllib.error.HTTPError as error:
            if error.code == 410:  # the search takes no more trials
                return
            if error.code not in (409, 503):  # none is open now, or nobody answers: ask again
                sys.exit(error.read().decode())
            time.sleep(1)
            continue
        for t in asked["trials"]:
            try:
                told = {"state": "complete", "metrics": {"rmse": train(t["task"], t["params"], t["seed"])}}
            except Exception as error:  # the trial's own fault is a result
                told = {"state": "fail", "reason": str(error)}
            print(t["trial"], t["task"]["name"], t["params"], told, flush=True)
            call(base, search, "tell", {"trial": t["trial"], **told})


if __name__ == "__main__":
    main(*sys.argv[1:])
