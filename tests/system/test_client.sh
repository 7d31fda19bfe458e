#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test_client.sh BUILD_ROOT: liblidard against RouDi and lidard, which are
# killed under it, in a sandbox.
set -u
build=$1
[ -n "${LIDARD_IN_SANDBOX:-}" ] || exec "$build/tests/in-sandbox" -- "$0" "$@"

# not a fixed name: what /tmp held outside is there, too
dir=$(mktemp -d) || exit 1
mkdir -p $dir/state
cat > $dir/lidard.conf << EOF
[lidard]
socket=$dir/control
state_dir=$dir/state
reclaim_helper=$build/daemon/lidard-reclaim
[roudi]
writer_group=
reader_group=
[sensor front]
source=sim
slice_bytes=256K
subscriber_slices=200
crc=yes
[sensor slow]
source=sim
slice_bytes=64K
subscriber_slices=48
sim_beams=16
sim_hz=0.1
EOF
export LIDARD_SOCKET=$dir/control
trap 'for name in lidard roudi; do kill -9 "$(cat $dir/$name.pid)"; done 2> /dev/null' EXIT

lidard() { "$build/daemon/lidard" --config $dir/lidard.conf "$@"; }

# stop NAME
stop() {
	kill -9 "$(cat $dir/$1.pid)"
	while kill -0 "$(cat $dir/$1.pid)"; do sleep 0.01; done
} 2> /dev/null

start_roudi() {
	iox-roudi -m off -c $dir/roudi.toml > $dir/roudi.log 2>&1 &
	echo $! > $dir/roudi.pid
	lidard --wait-roudi
}

# As the service manager does: 75 says that RouDi is lost, as it is when lidard was
# killed inside publish(); then both start again.
keep_lidard() {
	while "$build/daemon/lidard" --config $dir/lidard.conf >> $dir/lidard.log 2>&1 &
		echo $! > $dir/lidard.pid
		wait $!
		[ $? = 75 ]
	do
		stop roudi
		start_roudi
	done
}

start_lidard() {
	rm -f $dir/control
	keep_lidard 2> /dev/null &
	for i in $(seq 200); do [ -S $dir/control ] && break; sleep 0.05; done
}

lidard --print-roudi-config > $dir/roudi.toml || exit 1
start_roudi
start_lidard
(ulimit -n 512; exec "$build/tests/system/client_scenarios") > $dir/scenarios
bad=$?
sed 's/^1\.\.27$/1..30/' $dir/scenarios

# check NUMBER NAME RESTARTS FILE...
check() {
	number=$1 name=$2 restarts=$3 result=ok
	shift 3
	for file; do
		sed 's/^/# /' "$file"
		grep -q "^received [1-9][0-9]* restarts $restarts bad 0 connected 1 kept 1 " "$file" ||
			result="not ok"
	done
	[ "$result" = ok ] || bad=1
	echo "$result $number - $name"
}

# wait_for_life NUMBER: both have slices of that life of lidard; a minute is for a
# machine that is busy, and for a RouDi that has to be found hanging first
wait_for_life() {
	for pair in $wait_pid:$dir/wait $fd_pid:$dir/fd; do
		for i in $(seq 1200); do
			last=$(sed -n 's/^life //p' ${pair#*:} | tail -n 1)
			[ "${last:--1}" -ge "$1" ] && break
			kill -0 ${pair%%:*} 2> /dev/null || break
			sleep 0.05
		done
	done
}

# A RouDi that hung was replaced; a process that has iceoryx in its own namespace cannot follow.
cannot_follow() {
	"$build/tests/system/client_scenarios" is-plain &&
		grep -q 'started again together' $dir/lidard.log
}

follow() {
	: > $dir/wait
	: > $dir/fd
	"$build/tests/system/client_roles" follow > $dir/wait 2>&1 &
	wait_pid=$!
	"$build/tests/system/client_roles" follow fd > $dir/fd 2>&1 &
	fd_pid=$!
	wait_for_life 0
}

end_following() {
	sleep 0.3
	kill -TERM $wait_pid $fd_pid 2> /dev/null
	wait $wait_pid $fd_pid
}

# where lidard was killed inside publish(), it comes back once more, with another RouDi
follow
for life in 1 2 3; do
	stop lidard
	sleep 0.2
	start_lidard
	wait_for_life $life
done
end_following
if cannot_follow; then
	echo "ok 28 - outlives_lidard # SKIP iceoryx is loaded plainly"
else
	check 28 outlives_lidard '[3-6]' $dir/wait $dir/fd
fi

if "$build/tests/system/client_scenarios" is-plain; then
	echo "ok 29 - outlives_roudi # SKIP iceoryx is loaded plainly"
else
	follow
	for life in 1 2 3; do
		stop lidard
		stop roudi
		sleep 0.2
		start_roudi
		start_lidard
		wait_for_life $life
	done
	end_following
	check 29 outlives_roudi 3 $dir/wait $dir/fd
fi

follow
kill -STOP "$(cat $dir/lidard.pid)"
sleep 1
kill -CONT "$(cat $dir/lidard.pid)"
sleep 1.5
end_following
check 30 outlives_a_stopped_lidard 0 $dir/wait $dir/fd

grep -v info $dir/lidard.log | sed 's/^/# /'
exit $bad
