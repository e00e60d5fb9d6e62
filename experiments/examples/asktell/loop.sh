#!/bin/sh
# The same with the command line alone: ./loop.sh SEARCH
set -eu
while asked=$(starter ask "$1" --wait --json); do # exit code 3: the search takes no more trials
	trial=$(printf '%s' "$asked" | python3 -c 'import json, sys; print(json.load(sys.stdin)["trials"][0]["trial"])')
	rmse=$(printf '%s' "$asked" | python3 -c 'import json, sys; p = json.load(sys.stdin)["trials"][0]["params"]; print(1 / p["depth"] + p["rate"])')
	starter tell "$1" --trial "$trial" --metric rmse="$rmse"
done
