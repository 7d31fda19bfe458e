# SPDX-License-Identifier: Apache-2.0
# compliance_device.sh: sourced by tests of lidar-compliance, makes them a device.
# For a machine that may load modules, a guest for instance, as root; lidar_ring and
# lidar_sim are loaded from KMOD, or as modprobe finds them, unless they are there.
# Sets device (its node), sim (its folder in configfs), way (to its driver in sysfs).
configfs=/sys/kernel/config
sim=$configfs/lidar_sim/compliance

skip() { echo "1..0 # SKIP $*"; exit 0; }
fail() { echo "Bail out! $*"; exit 1; }

load() {
	[ -d "/sys/module/$1" ] && return
	if [ -n "${KMOD:-}" ]; then
		insmod "$KMOD/$1.ko"
	else
		modprobe "$1"
	fi || fail "cannot load $1"
}

[ "$(id -u)" = 0 ] || skip 'needs root'
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
device=/dev/$(cat $sim/device)
[ -c "$device" ] || fail "$device is not there"
parent=$(readlink -f "/sys/class/lidar/${device#/dev/}/device")
way=$(readlink -f "$parent/driver")/${parent##*/}
