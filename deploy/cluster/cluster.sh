#!/usr/bin/env bash
# A real cluster on loopback, of what an operator would run: the Temporal server, built from its
# module, with TLS in both directions, on PostgreSQL; MinIO with TLS, and users that may use their
# buckets alone. Needs Go, openssl and PostgreSQL (Debian: postgresql-15). All of it is in one
# directory, of which every process is known by its number.
#
#	cluster.sh DIR up                     make and start all of it; anew, where that failed half-way
#	cluster.sh DIR env [suite]            the settings of tnaml, for the shell: s=$(…) && eval "$s"
#	cluster.sh DIR kill|start|restart PART…    postgresql, minio, temporal; kill is SIGKILL
#	cluster.sh DIR backup TO BUCKET…      dump TO, then mirror TO BUCKET…, while all of it runs but gc
#	cluster.sh DIR destroy                end all, and delete what they keep
#	cluster.sh DIR restore FROM           put back what destroy deleted
#	cluster.sh DIR down                   end all; the directory stays
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../.ci/minio.sh"
export LC_ALL=C

dir=$(mkdir -p "$1" && cd "$1" && pwd)
what=$2
shift 2
cache=${TNAML_CI_CACHE:-$HOME/.cache/tnaml-ci}/cluster
parts="postgresql minio temporal"
say() { printf '%s\n' "$*" >&2; }
die() {
	say "cluster: $*"
	exit 1
}

# postgres itself, initdb and the tools beside them: Debian keeps them off the PATH.
pg() { command -v "$1" || ls -1 /usr/lib/postgresql/*/bin/"$1" 2>/dev/null | tail -1; }

# as_postgres comes before commands of PostgreSQL's: it refuses to run as root.
as_postgres=()
[ "$(id -u)" != 0 ] || as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups)

build() {
	mkdir -p "$cache"
	go build -C "$here" -o "$cache/temporal-server" go.temporal.io/server/cmd/server
	go build -C "$here" -o "$cache/temporal-sql-tool" go.temporal.io/server/cmd/tools/sql
	minio_built minio >/dev/null
	minio_built mc >/dev/null
}

# free_port prints a port below those that systems hand out on which nobody listens.
free_port() {
	local port
	for _ in $(seq 200); do
		port=$((21000 + RANDOM % 10000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && ! grep -qs "=$port$" "$dir/ports"; then
			printf '%s\n' "$port"
			return
		fi
	done
	die "no free port"
}

# certificate NAME makes a key and a certificate of our own authority, for loopback.
certificate() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/O=tnaml test/CN=$1" \
		-keyout "$dir/tls/$1.key" -out "$dir/tls/$1.csr" 2>/dev/null
	openssl x509 -req -in "$dir/tls/$1.csr" -CA "$dir/tls/ca.crt" -CAkey "$dir/tls/ca.key" -CAcreateserial -days 30 \
		-extfile <(printf 'subjectAltName=DNS:%s.tnaml.internal,DNS:localhost,IP:127.0.0.1' "$1") -out "$dir/tls/$1.crt" 2>/dev/null
}

# vacant has a directory with nothing in it but the settings to be: an empty one, or what an up left
# that failed half-way.
vacant() {
	if [ -e "$dir/temporal.yaml.new" ]; then
		down
		sleep 1 # PostgreSQL's other processes
		rm -rf "$dir"/{ports,secrets,tls,minio-tls,mc,postgresql,minio,pid}
	elif [ -n "$(ls -A "$dir")" ]; then
		die "$dir holds other things than a cluster"
	fi
	(umask 077 && : >"$dir/temporal.yaml.new")
}

configure() {
	local name value
	mkdir -p "$dir/log" "$dir/pid"
	for name in postgresql minio frontend history matching worker frontend_gossip history_gossip matching_gossip worker_gossip; do
		value=$(free_port)
		printf '%s=%s\n' "$name" "$value" >>"$dir/ports"
	done
	(
		umask 077
		for name in postgres_password temporal_password minio_root_password tnaml_password suite_password; do
			value=$(minio_random)
			printf '%s=%s\n' "$name" "$value"
		done >"$dir/secrets"
		mkdir -p "$dir/tls" "$dir/minio-tls/CAs" "$dir/mc/certs/CAs"
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
			-subj "/O=tnaml test/CN=authority" -keyout "$dir/tls/ca.key" -out "$dir/tls/ca.crt" 2>/dev/null
		for name in temporal minio tnaml postgresql; do certificate $name; done
		cp "$dir/tls/minio.crt" "$dir/minio-tls/public.crt"
		cp "$dir/tls/minio.key" "$dir/minio-tls/private.key"
		cp "$dir/tls/ca.crt" "$dir/mc/certs/CAs/"
	)
}

load() {
	[ -f "$dir/temporal.yaml" ] || [ "$what" = up ] || die "$dir holds no cluster: up makes one"
	. "$dir/ports"
	. "$dir/secrets"
	export MC_HOST_cluster="https://root:$minio_root_password@127.0.0.1:$minio"
	PGPASSWORD=$postgres_password
	export PGPASSWORD PGHOST=127.0.0.1 PGPORT=$postgresql PGUSER=postgres PGSSLMODE=verify-ca PGSSLROOTCERT=$dir/tls/ca.crt
	local program
	program=$(minio_built mc)
	mc=("$program" --config-dir "$dir/mc" --quiet)
}

# mine prints the process of a part, if it runs and is ours.
mine() {
	local pid
	pid=$(cat "$dir/pid/$1" 2>/dev/null) && [ -r "/proc/$pid/cmdline" ] || return 1
	tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$dir" || return 1
	printf '%s\n' "$pid"
}

# run PART COMMAND… starts a part, in a session of its own.
run() {
	local part=$1
	shift
	setsid "$@" >>"$dir/log/$part" 2>&1 </dev/null &
	printf '%s\n' $! >"$dir/pid/$part"
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# answers PART says whether it serves.
answers() {
	case $1 in
	postgresql) "$(pg psql)" -d postgres -qtc 'select 1' >/dev/null 2>&1 ;;
	minio) "${mc[@]}" ls cluster >/dev/null 2>&1 ;;
	temporal) listens "$frontend" ;;
	esac
}

launch() {
	case $1 in
	postgresql) run "$1" "${as_postgres[@]}" "$(pg postgres)" -D "$dir/postgresql" ;;
	minio)
		MINIO_ROOT_USER=root MINIO_ROOT_PASSWORD=$minio_root_password MINIO_BROWSER=off MINIO_UPDATE=off \
			run "$1" "$(minio_built minio)" server --quiet --certs-dir "$dir/minio-tls" --address "127.0.0.1:$minio" "$dir/minio"
		;;
	temporal) run "$1" "$cache/temporal-server" --config-file "$dir/temporal.yaml" --allow-no-auth start ;;
	esac
}

# start PART waits until it serves. A server that gives up its own start, because another one is
# not there yet or its predecessor's processes still are, is started again.
start() {
	for _ in $(seq 600); do
		mine "$1" >/dev/null || launch "$1"
		sleep 0.2
		! answers "$1" || return 0
	done
	tail -20 "$dir/log/$1" >&2
	die "$1 does not start"
}

# end SIGNAL PART waits a minute until it has ended, and then ends it by force.
end() {
	local pid
	pid=$(mine "$2") || return 0
	kill "-$1" "$pid" 2>/dev/null || true # it may have ended just now
	for _ in $(seq 600); do
		if [ ! -e "/proc/$pid" ] || grep -qs '^State:.Z' "/proc/$pid/status"; then return 0; fi
		sleep 0.1
	done
	say "cluster: $2, process $pid, has not ended in a minute after SIG$1"
	[ "$1" != KILL ] || return 1
	end KILL "$2"
}

down() { # each before what it stands on, and all of them, even if one does not end
	local code=0
	end TERM temporal || code=1
	end INT postgresql || code=1
	end TERM minio || code=1
	return $code
}

database() {
	(umask 077 && printf '%s\n' "$postgres_password" >"$dir/pwfile")
	mkdir -p "$dir/postgresql"
	[ "$(id -u)" != 0 ] || chown postgres "$dir/postgresql" "$dir/pwfile"
	(cd / && "${as_postgres[@]}" "$(pg initdb)" -D "$dir/postgresql" -U postgres -A scram-sha-256 --pwfile="$dir/pwfile" -E UTF8 >"$dir/log/initdb")
	rm "$dir/pwfile"
	cp "$dir/tls/postgresql.crt" "$dir/tls/postgresql.key" "$dir/postgresql/"
	chmod 600 "$dir/postgresql/postgresql.key"
	[ "$(id -u)" != 0 ] || chown postgres "$dir/postgresql/"postgresql.{crt,key}
	cat >>"$dir/postgresql/postgresql.conf" <<-END
		listen_addresses = '127.0.0.1'
		port = $postgresql
		unix_socket_directories = ''
		ssl = on
		ssl_cert_file = 'postgresql.crt'
		ssl_key_file = 'postgresql.key'
		max_connections = 100
	END
	start postgresql
	"$(pg psql)" -d postgres -q <<-END
		create user temporal password '$temporal_password';
		create database temporal owner temporal;
		create database temporal_visibility owner temporal;
	END
	schema temporal temporal
	schema temporal_visibility visibility
}

# schema DATABASE KIND
schema() {
	local tool=("$cache/temporal-sql-tool" --plugin postgres12 --ep 127.0.0.1 -p "$postgresql" -u temporal
		--tls --tls-ca-file "$dir/tls/ca.crt" --db "$1")
	if ! { SQL_PASSWORD=$temporal_password "${tool[@]}" setup-schema -v 0.0 &&
		SQL_PASSWORD=$temporal_password "${tool[@]}" update-schema --schema-name "postgresql/v12/$2"; } >>"$dir/log/schema" 2>&1; then
		die "no schema $2: $(tail -3 "$dir/log/schema")"
	fi
}

# user NAME PASSWORD PATTERN may use the buckets of a pattern, and nothing else; with more
# arguments, other actions too.
user() {
	local name=$1 password=$2 pattern=$3 more
	shift 3
	more=$(printf ', "s3:%s"' "$@")
	[ $# -gt 0 ] || more=
	cat >"$dir/policy-$name.json" <<-END
		{"Version": "2012-10-17", "Statement": [
		  {"Effect": "Allow", "Resource": "arn:aws:s3:::$pattern", "Action": ["s3:ListBucket", "s3:GetBucketLocation",
		    "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"$more]},
		  {"Effect": "Allow", "Resource": "arn:aws:s3:::$pattern/*", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]}]}
	END
	printf '%s\n' "$name" "$password" | "${mc[@]}" admin user add cluster # not as arguments, which all users of a machine see
	"${mc[@]}" admin policy create cluster "$name" "$dir/policy-$name.json"
	"${mc[@]}" admin policy attach cluster "$name" --user "$name"
}

# users, whom MinIO keeps beside the buckets.
users() {
	user tnaml "$tnaml_password" tnaml
	user suite "$suite_password" 'test*' CreateBucket
}

datastore() {
	cat <<-END
		    $1:
		      sql:
		        pluginName: postgres12
		        databaseName: $2
		        connectAddr: 127.0.0.1:$postgresql
		        connectProtocol: tcp
		        user: temporal
		        password: $temporal_password
		        maxConns: 20
		        maxIdleConns: 20
		        maxConnLifetime: 1h
		        tls: {enabled: true, caFile: $dir/tls/ca.crt, enableHostVerification: true, serverName: postgresql.tnaml.internal}
	END
}

service() { printf '  %s:\n    rpc: {grpcPort: %s, membershipPort: %s, bindOnIP: 127.0.0.1}\n' "$1" "$2" "$3"; }

temporal_config() {
	local server="certFile: $dir/tls/temporal.crt, keyFile: $dir/tls/temporal.key, requireClientAuth: true, clientCaFiles: [$dir/tls/ca.crt]"
	local client="serverName: temporal.tnaml.internal, rootCaFiles: [$dir/tls/ca.crt]"
	cat <<-END
		log: {stdout: true, level: warn}
		persistence:
		  defaultStore: default
		  visibilityStore: visibility
		  numHistoryShards: 4
		  datastores:
		$(datastore default temporal)
		$(datastore visibility temporal_visibility)
		global:
		  membership: {maxJoinDuration: 30s, broadcastAddress: 127.0.0.1}
		  tls:
		    internode: {server: {$server}, client: {$client}}
		    frontend: {server: {$server}, client: {$client}}
		    systemWorker: {certFile: $dir/tls/temporal.crt, keyFile: $dir/tls/temporal.key, client: {$client}}
		services:
		$(service frontend "$frontend" "$frontend_gossip")
		$(service history "$history" "$history_gossip")
		$(service matching "$matching" "$matching_gossip")
		$(service worker "$worker" "$worker_gossip")
		clusterMetadata:
		  enableGlobalNamespace: false
		  failoverVersionIncrement: 10
		  masterClusterName: active
		  currentClusterName: active
		  clusterInformation:
		    active: {enabled: true, initialFailoverVersion: 1, rpcName: frontend, rpcAddress: "127.0.0.1:$frontend"}
		dcRedirectionPolicy: {policy: noop}
		publicClient: {hostPort: "127.0.0.1:$frontend"}
	END
}

# dump TO copies all of the database, as it was at one moment.
dump() {
	mkdir -p "$1"
	"$(pg pg_basebackup)" -D "$1/postgresql" -F tar -X stream -c fast
}

# mirror TO BUCKET… copies of every bucket the names, and after them the objects, which they lead to;
# what garbage collection has set aside may be wanted again, and comes before where it then is.
mirror() {
	local to=$1 bucket prefix found
	shift
	for bucket in "$@"; do
		"${mc[@]}" ls "cluster/$bucket" >/dev/null # it is there
		for prefix in names trash objects; do
			found=$("${mc[@]}" ls "cluster/$bucket/$prefix/") # nothing, and no failure, where there is no such prefix
			[ -z "$found" ] || "${mc[@]}" mirror --retry "cluster/$bucket/$prefix/" "$to/s3/$bucket/$prefix/" >/dev/null
		done
	done
}

case $what in
up)
	[ -f "$dir/temporal.yaml" ] || vacant
	build
	if [ ! -f "$dir/temporal.yaml" ]; then
		configure
		load
		database
		start minio
		"${mc[@]}" mb cluster/tnaml
		users
		temporal_config >"$dir/temporal.yaml.new"
		mv "$dir/temporal.yaml.new" "$dir/temporal.yaml" # last: now there is a cluster
	fi
	load
	for part in $parts; do start "$part"; done
	;;
env)
	load
	user=${1:-tnaml}
	password=${user}_password
	cat <<-END
		export TNAML_TEMPORAL_ADDRESS=127.0.0.1:$frontend TNAML_TEMPORAL_NAMESPACE=tnaml
		export TEMPORAL_TLS_SERVER_CA_CERT_PATH=$dir/tls/ca.crt TEMPORAL_TLS_SERVER_NAME=temporal.tnaml.internal
		export TEMPORAL_TLS_CLIENT_CERT_PATH=$dir/tls/tnaml.crt TEMPORAL_TLS_CLIENT_KEY_PATH=$dir/tls/tnaml.key
		export TNAML_S3_ENDPOINT=https://localhost:$minio TNAML_S3_CA_FILE=$dir/tls/ca.crt TNAML_S3_BUCKET=tnaml
		export TNAML_S3_ACCESS_KEY=$user TNAML_S3_SECRET_KEY=${!password}
	END
	;;
kill | start | restart)
	load
	if [ $what != start ]; then for part in "$@"; do end KILL "$part"; done; fi
	[ $what != restart ] || sleep 1
	for part in $parts; do # each after what it stands on
		[[ $what = kill || " $* " != *" $part "* ]] || start "$part"
	done
	;;
backup)
	load
	to=$1
	shift
	dump "$to"
	mirror "$to" "$@"
	;;
dump | mirror)
	load
	"$what" "$@"
	;;
destroy)
	load
	for part in temporal postgresql minio; do end KILL $part; done
	sleep 1 # PostgreSQL's other processes
	rm -rf "$dir/postgresql" "$dir/minio"
	;;
restore)
	load
	# The other way round: what the database's histories refer to is there before they go on.
	mkdir "$dir/minio" "$dir/postgresql"
	start minio
	users
	for bucket in "$1"/s3/*/; do
		bucket=$(basename "$bucket")
		"${mc[@]}" mb "cluster/$bucket"
		for prefix in objects trash names; do
			[ ! -d "$1/s3/$bucket/$prefix" ] || "${mc[@]}" mirror --retry "$1/s3/$bucket/$prefix/" "cluster/$bucket/$prefix/" >/dev/null
		done
	done
	tar -xf "$1/postgresql/base.tar" -C "$dir/postgresql"
	tar -xf "$1/postgresql/pg_wal.tar" -C "$dir/postgresql/pg_wal"
	chmod 700 "$dir/postgresql"
	[ "$(id -u)" != 0 ] || chown -R postgres "$dir/postgresql"
	start postgresql
	start temporal
	;;
down)
	[ -d "$dir/pid" ] || say "cluster: nothing was started in $dir"
	down
	;;
*) die "unknown: $what (see the head of $0)" ;;
esac
