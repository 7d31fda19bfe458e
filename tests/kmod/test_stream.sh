#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test_stream.sh: simulated LIDARs through every path and memory, each byte checked.
# As root, with the modules loaded and configfs mounted; kmod-stream is in PATH.
set -u
configfs=/sys/kernel/config/lidar_sim
number=0

# sim NAME KEY=VALUE...: make a device, its path in $device
sim() {
	name=$1
	shift
	mkdir "$configfs/$name" || exit 1
	for setting; do
		echo "${setting#*=}" >"$configfs/$name/${setting%%=*}" || exit 1
	done
	echo 1 >"$configfs/$name/live" || exit 1
	device=/dev/$(cat "$configfs/$name/device")
}

# try DESCRIPTION ARGUMENT...: of kmod-stream
try() {
	number=$((number + 1))
	description=$1
	shift
	if said=$(kmod-stream "$device" "$@" 2>&1); then
		echo "ok $number - $description"
	else
		echo "not ok $number - $description"
	fi
	echo "$said" | sed 's/^/# /'
}

command -v kmod-stream >/dev/null || { echo '1..0 # SKIP needs kmod-stream'; exit 0; }
[ -d $configfs ] || { echo '1..0 # SKIP needs lidar_sim'; exit 0; }
trap 'rmdir $configfs/stream_* 2>/dev/null' EXIT

most=4096 large=8
# where all DMA bounces, no more than the bounce buffers hold
! grep -q swiotlb= /proc/cmdline || most=1024 large=2

sim stream_full rate_bytes_per_s=0 slice_bytes=65536 pattern=full crc=1
for memory in kernel user; do
	for path in ring get read; do
		try "every byte is right: $memory memory, $path" memory=$memory path=$path \
			slots=16 bytes=65536 slices=200 check=full
	done
	try "one slot is enough: $memory memory" memory=$memory slots=1 bytes=65536 slices=50 \
		check=full
	try "slices come while others are held: $memory memory" memory=$memory slots=8 hold=7 \
		bytes=65536 slices=50 check=full
	try "a slice ends within a slot that is larger: $memory memory" memory=$memory slots=8 \
		bytes=1048576 slices=50 check=full
done
try 'the most slots there can be' slots=$most bytes=65536 slices=5000 check=full

sim stream_large rate_bytes_per_s=0 slice_bytes=67108864 pattern=words crc=0
try 'slots of 64 MiB' slots=$large bytes=67108864 slices=20

sim stream_paced rate_bytes_per_s=20000000 slice_bytes=65536 slices_per_frame=7
try 'a device with a rate' slots=32 bytes=65536 slices=200
try 'a device with a rate, under a lease' path=get slots=32 bytes=65536 slices=200 lease=5000
echo "1..$number"
