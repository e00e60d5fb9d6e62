# Sourced by run: a real MinIO for the store's conformance suite, built from
# source at a pinned version and run on loopback with throw-away credentials.

minio_version=v0.0.0-20260212201848-7aac2a2c5b7c

minio_start() {
	minio_cache=${TNAML_CI_CACHE:-$HOME/.cache/tnaml-ci}/minio-$minio_version
	if [ ! -x "$minio_cache/minio" ]; then
		mkdir -p "$minio_cache"
		GOBIN=$minio_cache GOFLAGS= go install "github.com/minio/minio@$minio_version"
	fi
	minio_dir=$(mktemp -d)
	export TNAML_TEST_MINIO_ACCESS_KEY=ci-access
	TNAML_TEST_MINIO_SECRET_KEY=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	export TNAML_TEST_MINIO_SECRET_KEY
	local try port
	for try in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 20000))
		MINIO_ROOT_USER=$TNAML_TEST_MINIO_ACCESS_KEY MINIO_ROOT_PASSWORD=$TNAML_TEST_MINIO_SECRET_KEY \
			"$minio_cache/minio" server --quiet --address "127.0.0.1:$port" --console-address "127.0.0.1:$((port + 1))" "$minio_dir/data" >"$minio_dir/log" 2>&1 &
		minio_pid=$!
		for _ in $(seq 100); do
			if ! kill -0 "$minio_pid" 2>/dev/null; then break; fi
			if curl -fsS -o /dev/null "http://127.0.0.1:$port/minio/health/ready" 2>/dev/null; then
				export TNAML_TEST_MINIO_ENDPOINT=127.0.0.1:$port
				return 0
			fi
			sleep 0.1
		done
		kill "$minio_pid" 2>/dev/null || true
		wait "$minio_pid" 2>/dev/null || true
		echo "MinIO did not start on port $port (try $try):"
		tail -5 "$minio_dir/log"
	done
	return 1
}

minio_stop() {
	kill "$minio_pid" 2>/dev/null || true
	wait "$minio_pid" 2>/dev/null || true
	rm -rf "$minio_dir"
}
