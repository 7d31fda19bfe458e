#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# conformance.sh PROGRAM [ARGUMENT]... - tests/conformance/test_source.c with a device
#
# In a guest that has loaded lidar_ring and lidar_sim.
set -eu
sim=/sys/kernel/config/lidar_sim
[ -d "$sim" ] || mount -t configfs none /sys/kernel/config
mkdir "$sim/conformance"
echo 65536 > "$sim/conformance/slice_bytes"
echo 8 > "$sim/conformance/slices_per_frame"
echo 1 > "$sim/conformance/live"
LIDARD_TEST_DEVICE=/dev/$(cat "$sim/conformance/device")
export LIDARD_TEST_DEVICE
for i in 1 2 3 4 5 6 7 8 9 10; do
	[ -c "$LIDARD_TEST_DEVICE" ] && break
	sleep 0.2
done
"$@"
