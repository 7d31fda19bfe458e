#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_virtio.sh - lidar_ring fed by processes of the host, at a sensor's rate
#
#	test_virtio.sh MODULES BUILD [SECONDS]
#
# MODULES is where kmod/build-modules has put them, BUILD a build directory with vhost-lidar,
# kmod-stream and kmod-stop.  Four LIDARs in a guest: slices of 64 KiB, 1 MiB
# and 64 MiB at 500 MB/s, into memory of either kind, and one over the short
# queue of an entropy source that drops, shortens, stalls, and says what CRC each
# slice must have; a fifth is unplugged under a reader, a sixth breaks its queue
# and sleeps with the machine.
# Every page's word is checked, and what the guest's kernel counts is held
# against what the process outside has produced.
#
# How fast it went is printed and not judged: that is the machine's affair.
set -u
here=$(dirname "$(readlink -f "$0")")
modules=$(readlink -f "${1:?MODULES}") build=$(readlink -f "${2:?BUILD}") seconds=${3:-5}
stream=$build/tests/kmod/kmod-stream stop=$build/tests/kmod/kmod-stop
entropy_source=0000:00:1e.0

fail() { echo "test_virtio: $*" >&2; exit 1; }

# ---- in the guest ------------------------------------------------------------

ring_of() { # serial
	local ring
	for ring in /sys/class/lidar/lidar*; do
		[ "$(cat "$ring/serial")" = "$1" ] && basename "$ring" && return
	done
	fail "no ring with serial $1"
}

run_stream() { # serial, arguments of stream
	local ring; ring=$(ring_of "$1") || exit 1
	echo "== $*"
	shift
	"$stream" "/dev/$ring" seconds="$seconds" slices=1000000000 "$@" || fail "stream $*"
}

# The kernel's counters, for the host to compare.
print_counts() { # serial
	echo "count $1 $("$stream" "/dev/$(ring_of "$1")" slices=0 2>/dev/null | grep '^kernel')"
}

in_background() { # ring: streams from it
	local i
	"$stream" "/dev/$1" seconds=60 slices=1000000000 slots=16 >/dev/null 2>&1 &
	for i in {1..100}; do
		[ "$(cat "/sys/class/lidar/$1/state")" = streaming ] && return
		sleep 0.1
	done
	fail "$1 does not stream"
}

kill_the_reader() { # serial
	in_background "$(ring_of "$1")"
	kill -9 $!
	wait $! 2>/dev/null
	run_stream "$1" slots=16
}

unplug_and_plug() { # serial
	local ring device driver=/sys/bus/virtio/drivers/lidar_ring_virtio begin=$SECONDS
	ring=$(ring_of "$1") || exit 1
	device=$(basename "$(readlink -f "/sys/class/lidar/$ring/device")")
	in_background "$ring"
	echo "$device" >$driver/unbind
	wait $! && fail "a reader did not notice that $1 is gone"
	[ $((SECONDS - begin)) -lt 20 ] || fail "a reader noticed late that $1 is gone"
	grep -qsx "$1" /sys/class/lidar/*/serial && fail "$1 is still there"
	echo "$device" >$driver/bind
	run_stream "$1" slots=16
}

sleep_and_wake() { # serial
	local ring device
	ring=$(ring_of "$1") || exit 1
	device=$(readlink -f "/sys/class/lidar/$ring/device")
	# of all the PCI devices only this one: what carries the guest's files would not wake up
	insmod "$modules/lidar_insomnia.ko" asleep="$(basename "${device%/*}")" || fail "cannot load lidar_insomnia"
	"$here/virtio_owner.py" "/dev/$ring" suspended || fail "a machine that slept"
	rmmod lidar_insomnia
}

# Bound to the guest's own driver, as any entropy source.
free_entropy_source() {
	local device
	for device in /sys/bus/virtio/drivers/virtio_rng/virtio*; do
		case $(readlink -f "$device") in
		*/$entropy_source/*) basename "$device" >"${device%/*}/unbind" ;;
		esac
	done
}

if [ -n "${LIDARD_IN_GUEST:-}" ]; then
	free_entropy_source
	insmod "$modules/lidar_ring.ko" virtio_rng=$entropy_source virtio_serial=short ||
		fail "cannot load lidar_ring"
	for memory in kernel user; do
		run_stream 64k slots=512 bytes=65536 memory=$memory
		run_stream 1m slots=64 bytes=1048576 memory=$memory
		run_stream 64m slots=8 bytes=67108864 memory=$memory
		run_stream short slots=16 bytes=1048576 memory=$memory check=full
	done
	run_stream 1m slots=64 bytes=1048576 path=get
	"$stop" "/dev/$(ring_of 64k)" 65536 30 || fail "stop 64k"
	"$stop" "/dev/$(ring_of 1m)" 1048576 30 || fail "stop 1m"
	kill_the_reader 64m
	for serial in 64k 1m 64m short; do print_counts $serial; done
	unplug_and_plug spare
	"$here/virtio_owner.py" "/dev/$(ring_of bad)" broken || fail "a broken queue"
	sleep_and_wake bad
	rmmod lidar_ring || fail "cannot unload lidar_ring"
	exit 0
fi

# ---- on the host -------------------------------------------------------------

work=$(mktemp -d) || exit 1
pids=()
cleanup() { [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null; rm -rf "$work"; }
trap cleanup EXIT

lidar() { # name, arguments of vhost-lidar
	local name=$1 i; shift
	"$build/tests/vm/vhost-lidar" --socket "$work/$name" "$@" >"$work/$name.json" &
	pids+=($!)
	for i in {1..50}; do [ -S "$work/$name" ] && return; sleep 0.1; done
	fail "vhost-lidar does not listen"
}

device() { # name, device
	guest+=(--qemu-arg=-chardev "--qemu-arg=socket,id=lidar-$1,path=$work/$1"
		--qemu-arg=-device "--qemu-arg=$2,chardev=lidar-$1")
}

lidar 64k --slice-bytes 65536 --slices-per-frame 64
lidar 1m
lidar 64m --slice-bytes 67108864 --slices-per-frame 1
lidar spare
lidar bad --bad-id 20
lidar short --rate 20 --pattern full --crc --drop 10 --short 7 --stall 300@30
guest=("$here/guest" --memory 3G --timeout 900
	--qemu-arg=-object --qemu-arg=memory-backend-memfd,id=shared,size=3G,share=on
	--qemu-arg=-numa --qemu-arg=node,memdev=shared)
for name in 64k 1m 64m spare bad; do
	device $name "vhost-user-fs-pci,tag=lidar:$name,queue-size=256"
done
device short vhost-user-rng-pci,addr=0x1e
"${guest[@]}" -- "$here/test_virtio.sh" "$modules" "$build" "$seconds" >"$work/out"
status=$?
cat "$work/out"
[ $status = 0 ] || exit $status
for pid in "${pids[@]}"; do wait "$pid" || fail "vhost-lidar failed"; done
pids=()

python3 - "$work" <<'END'
import json, re, sys
# What a process produced, and what the guest's kernel saw of it. A slice that was lost after the
# last one delivered before a stop is in no descriptor, so the kernel may have counted fewer losses.
bad = 0
for line in open(sys.argv[1] + '/out'):
    if not line.startswith('count '):
        continue
    name = line.split()[1]
    kernel = {k: int(v) for k, v in re.findall(r'(\w+)=(\d+)(?= |$)', line)}
    host = json.load(open(f'{sys.argv[1]}/{name}.json'))
    lost = host['dropped_no_buffer'] + host['dropped_fault'] + host['abandoned']
    right = (host['delivered'] == kernel['delivered'] + kernel['stopped']
             and host['produced'] == host['delivered'] + lost
             and kernel['no_slot'] <= host['dropped_no_buffer']
             and kernel['device'] <= host['dropped_fault'] + host['abandoned']
             and host['delivered'] > 0
             and host['broken_queues'] == 0 and kernel['error'] == 0
             and (name != 'short' or (host['dropped_fault'] > 0 and host['shortened'] > 0)))
    print('account', name, 'adds up' if right else 'DOES NOT ADD UP', host)
    bad += not right
sys.exit(bad != 0)
END
