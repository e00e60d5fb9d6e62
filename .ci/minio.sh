# Sourced by run: a real MinIO for the store's conformance suite, built from
# source at a pinned version and run on loopback with throw-away credentials.
# Set TNAML_CI_CACHE to keep the program elsewhere; its first build takes
# minutes.

minio_version=v0.0.0-20260212201848-7aac2a2c5b7c
# its client, for deploy/cluster: users, policies, copies
mc_version=v0.0.0-20250313080218-cf909e1063a9

# minio_built builds a program of MinIO's, minio or mc, where that has not been done, and prints
# where it is.
minio_built() {
	local version=${1}_version
	local cache=${TNAML_CI_CACHE:-$HOME/.cache/tnaml-ci}/$1-${!version}
	if [ ! -x "$cache/$1" ]; then
		mkdir -p "$cache"
		(cd / && GOBIN=$cache GOFLAGS= go install "github.com/minio/$1@${!version}") || return 1
	fi
	printf '%s\n' "$cache/$1"
}

# minio_start builds MinIO where that has not been done, starts it and exports
# TNAML_TEST_MINIO_ENDPOINT, _ACCESS_KEY and _SECRET_KEY.
minio_start() {
	local program
	program=$(minio_built minio) || return 1
	minio_dir=$(mktemp -d) || return 1
	TNAML_TEST_MINIO_ACCESS_KEY=$(minio_random)
	TNAML_TEST_MINIO_SECRET_KEY=$(minio_random)
	export TNAML_TEST_MINIO_ACCESS_KEY TNAML_TEST_MINIO_SECRET_KEY
	local try port
	for try in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 12000)) # below the ports that systems hand out
		MINIO_ROOT_USER=$TNAML_TEST_MINIO_ACCESS_KEY MINIO_ROOT_PASSWORD=$TNAML_TEST_MINIO_SECRET_KEY \
			MINIO_BROWSER=off MINIO_UPDATE=off \
			"$program" server --quiet --address "127.0.0.1:$port" "$minio_dir/data" >"$minio_dir/log" 2>&1 &
		minio_pid=$!
		for _ in $(seq 300); do
			if ! kill -0 "$minio_pid" 2>/dev/null; then
				break # the port is taken, or worse: the log says
			fi
			if minio_ready "$port"; then
				export TNAML_TEST_MINIO_ENDPOINT=127.0.0.1:$port
				return 0
			fi
			sleep 0.1
		done
		minio_end
		printf 'MinIO did not start on port %d (try %d of 5):\n' "$port" "$try" >&2
		tail -5 "$minio_dir/log" >&2
	done
	minio_stop
	return 1
}

# minio_stop ends what minio_start started, and may be called at any time.
minio_stop() {
	minio_end
	if [ -n "${minio_dir:-}" ]; then
		rm -rf "$minio_dir"
		minio_dir=
	fi
	unset TNAML_TEST_MINIO_ENDPOINT TNAML_TEST_MINIO_ACCESS_KEY TNAML_TEST_MINIO_SECRET_KEY
}

minio_end() {
	if [ -n "${minio_pid:-}" ]; then
		kill "$minio_pid" 2>/dev/null || true
		wait "$minio_pid" 2>/dev/null || true
		minio_pid=
	fi
}

minio_random() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# minio_ready asks a port whether MinIO is ready there, with the shell's own
# means: a bare machine has no curl.
minio_ready() {
	(
		exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
		printf 'GET /minio/health/ready HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3
		IFS= read -r -t 5 line <&3 || exit 1
		case $line in *' 200 '*) exit 0 ;; *) exit 1 ;; esac
	) 2>/dev/null
}
