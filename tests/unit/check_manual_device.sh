#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_manual_device.sh ROOT: lidar_ring(4) and lidar_sim(4) compile and are complete.
# The example is compiled as it is printed; every name of the kernel interface, and
# of what the modules show to users, is in the page.
set -u
cd "$1" || exit 1
header=include/uapi/lidar_ring.h ring=docs/man/lidar_ring.4 sim=docs/man/lidar_sim.4 bad=0
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

# where it is installed to
mkdir "$folder/lidard" && cp "$header" "$folder/lidard/" || exit 1
sed -n '/^\.EX$/,/^\.EE$/{/^\.E[XE]$/d;s/\\-/-/g;s/\\e/\\/g;p;}' "$ring" >"$folder/example.c"
grep -q '^int main' "$folder/example.c" || { echo "no example in $ring"; exit 1; }
${CC:-cc} -std=c99 -Wall -Wextra -Werror -pedantic -I"$folder" -o "$folder/example" \
	"$folder/example.c" || bad=1

# page, what kind of name; names on stdin, one a line
expect() {
	count=0
	# without escapes of minus signs and quotes
	sed 's/\\-/-/g;s/\\(dq/"/g' "$1" >"$folder/page"
	while read -r name; do
		count=$((count + 1))
		grep -qw -e "$name" "$folder/page" || { echo "$2 $name is not in $1"; bad=1; }
	done
	[ $count -gt 0 ] || { echo "$2: found none to look for"; bad=1; }
}

# values of the header, but its include guard and the magic number
sed -n 's/^#define \(LIDAR_RING_[A-Z0-9_]*\).*/\1/p;s/^\t\(LIDAR_RING_[A-Z0-9_]*\) =.*/\1/p' "$header" |
	grep -v '_MAGIC$' >"$folder/values"
expect $ring value <"$folder/values"
grep -oh -- '-E[A-Z0-9]\{3,\}' "$header" | sort -u | tr -d - >"$folder/errors"
expect $ring error <"$folder/errors"
sed -n '/^struct lidar_ring_stats {/,/^}/s/^\t__aligned_u64 \([a-z_]*\);/\1/p' "$header" >"$folder/counters"
grep '^lost_\|^delivered' "$folder/counters" >/dev/null || { echo "no counters"; bad=1; }
expect $ring counter <"$folder/counters"

names() { # sed expression that prints them, files
	sed -n "$@" | sort -u >"$folder/names"
}
if [ -f kmod/Kbuild ]; then
	names 's/.*[ (]-\(E[A-Z0-9]*\)[;,): ].*/\1/p' kmod/ioctl.c kmod/memory_user.c
	grep -v ERESTARTSYS "$folder/names" >"$folder/errors"
	expect $ring error <"$folder/errors"
	names 's/^static DEVICE_ATTR_RO(\([a-z_]*\)).*/\1/p' kmod/sysfs.c
	expect $ring attribute <"$folder/names"
	names 's/^TRACE_EVENT(\([a-z_]*\),.*/\1/p;s/^DEFINE_EVENT([a-z_]*, \([a-z_]*\),.*/\1/p' \
		kmod/lidar_trace.h
	expect $ring tracepoint <"$folder/names"
	names 's/.*"\(lidard,[a-z-]*\)".*/\1/p' kmod/backend_*.c
	expect $ring property <"$folder/names"
	names 's/^module_param(\([a-z_]*\),.*/\1/p;s/^CONFIGFS_ATTR[A-Z_]*(, \([a-z_]*\)).*/\1/p;s/^CHOICE(\([a-z_]*\)).*/\1/p;s/^FAULT(\([a-z_]*\),.*/\1/p' \
		kmod/sim*.c
	grep -v '^name$' "$folder/names" >"$folder/settings"
	expect $sim setting <"$folder/settings"
fi
if [ -f kmod/backend_virtio.c ]; then
	names 's/^module_param(\([a-z_]*\),.*/\1/p' kmod/backend_virtio.c
	expect $ring parameter <"$folder/names"
fi
exit $bad
