#!/usr/bin/env bash
# tnaml on a real cluster, by configuration alone: the same programs and settings as anywhere. The
# demonstration and the durability suite, on the cluster of cluster.sh with four workers.
#
#	deploy/cluster/test.sh [STEP…]        doctor, demo, suite, upgrade; all by default
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

# end_workers gives this shell's children a minute to end, and then ends them by force.
end_workers() {
	local pid
	for pid in $(jobs -pr); do kill "$pid" 2>/dev/null; done
	for _ in $(seq 600); do
		[ -n "$(jobs -pr)" ] || return
		sleep 0.1
	done
	for pid in $(jobs -pr); do
		printf 'worker %d has not ended in a minute\n' "$pid"
		kill -KILL "$pid" 2>/dev/null
	done
}

finish() {
	local code=$?
	set +e
	end_workers
	[ $code = 0 ] || tail -n 20 "$dir"/worker-*.log
	if cluster down; then
		rm -rf "$dir"
	else
		printf 'the cluster did not end: %s stays\n' "$dir"
		[ $code != 0 ] || code=1
	fi
	step "ended with $code"
	exit $code
}
trap finish EXIT

# work NAME starts a worker.
work() {
	TNAML_DATA_DIR=$dir/data/$1 "$dir/bin/worker" --identity "worker-$1" --slots 1 >"$dir/worker-$1.log" 2>&1 &
	for _ in $(seq 300); do
		! grep -q 'Started Worker' "$dir/worker-$1.log" || return 0
		sleep 0.2
	done
	return 1
}

doctor() {
	starter doctor
}

demo() { starter demo --output "$dir/report.html" | grep -v '─'; }

# suites PATTERN runs tests of package worker on the cluster, each in a bucket of its own.
suites() {
	(
		settings=$(cluster env suite)
		eval "$settings"
		TNAML_TEST_CLUSTER=$dir/cluster go test -C "$root" ./worker -count=1 -run "$1" -v -timeout 60m |
			grep -E '^(ok|FAIL|fault|worker: |cluster: )|^ *--- |_test.go:[0-9]+: [^w]'
	)
}

suite() { suites 'TestFaults|TestMetamorphic'; }

# upgrade has searches go on from workers of an earlier build to those of this one, in place, and keep
# to theirs where they have versions.
upgrade() {
	local from=${TNAML_CLUSTER_FROM:-HEAD~1}
	mkdir -p "$dir/earlier"
	git -C "$root" archive "$from" | tar -x -C "$dir/earlier"
	go build -C "$dir/earlier" -o "$dir/bin/worker-earlier" ./worker
	# builds without s3.ca_file trust what this names
	SSL_CERT_FILE=$dir/cluster/tls/ca.crt TNAML_TEST_WORKER_EARLIER=$dir/bin/worker-earlier suites 'TestUpgradeInPlace|TestSearchesKeepTheirBuild'
}

step "build"
export TNAML_DATA_DIR=$dir/data
go build -C "$root" -o "$dir/bin/" ./starter ./worker
starter() { "$dir/bin/starter" "$@"; }
step "servers"
cluster up
settings=$(cluster env)
eval "$settings"
starter setup
for i in 1 2 3 4; do work "$i"; done
for s in "${@:-doctor demo suite upgrade}"; do
	for one in $s; do
		step "$one"
		"$one"
	done
done
