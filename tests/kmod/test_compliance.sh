#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test_compliance.sh [OPTION]...: lidar-compliance against lidar_ring with a simulated LIDAR.
# For a machine that may load modules, a guest for instance, as root; lidar_ring is
# loaded from KMOD, or as modprobe finds it.  Options are for lidar-compliance.
set -u
kmod=${KMOD:-}
tool=${LIDAR_COMPLIANCE:-lidar-compliance}
configfs=/sys/kernel/config
sim=$configfs/lidar_sim/compliance

skip() { echo "1..0 # SKIP $*"; exit 0; }
fail() { echo "Bail out! $*"; exit 1; }

load() {
	[ -d "/sys/module/$1" ] && return
	if [ -n "$kmod" ]; then
		insmod "$kmod/$1.ko"
	else
		modprobe "$1"
	fi || fail "cannot load $1"
}

[ "$(id -u)" = 0 ] || skip 'needs root'
command -v "$tool" >/dev/null || skip "needs $tool"
mountpoint -q $configfs || modprobe configfs 2>/dev/null
mountpoint -q $configfs || mount -t configfs none $configfs || skip 'needs configfs'

load lidar_ring
load lidar_sim
mkdir $sim || fail "cannot make $sim"
trap 'rmdir $sim' EXIT
# as much as an emulated machine keeps up with, in slices that come often
echo 16384 >$sim/slice_bytes
echo 8000000 >$sim/rate_bytes_per_s
echo 1 >$sim/live || fail 'the simulated device does not start'
device=$(cat $sim/device)
[ -c "/dev/$device" ] || fail "/dev/$device is not there"
parent=$(readlink -f "/sys/class/lidar/$device/device")
driver=$(readlink -f "$parent/driver")

"$tool" --slot-bytes 16K --sim $sim --unbind "$driver/${parent##*/}" "$@" "/dev/$device"
