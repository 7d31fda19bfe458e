#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test_compliance_can_fail.sh: lidar-compliance finds what is wrong with broken drivers.
# Each is a driver that works, behind broken_driver.so, which spoils one thing.
set -u
here=$(dirname "$(readlink -f "$0")")
. "$here/compliance_device.sh"
tool=$(command -v lidar-compliance) || fail 'there is no lidar-compliance'
broken=${tool%/*}/broken_driver.so
[ -e "$broken" ] || fail "$broken is not there"

number=0
result() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		echo "$output" | sed 's/^/# /'
	fi
}

run() {
	output=$(BREAK=$1 ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
		LD_PRELOAD=$broken "$tool" --slot-bytes 16K --timeout 10 --only "$2" "$device" 2>&1)
	status=$?
}

# WAY CHECKS DIAGNOSIS: a driver broken in this way fails these checks, for that reason
finds() {
	run "$1" "$2"
	[ $status = 1 ] && echo "$output" | grep -q '^not ok' && echo "$output" | grep -q "^# .*$3"
	result $? "finds_$1"
}

echo 1..14
run nothing '*.start*'
[ $status = 0 ]
result $? a_driver_that_works_passes
finds accept_flags reject.start_flag_31 'expected EINVAL.*got 0'
finds accept_reserved reject.setup_reserved_not_zero 'expected EINVAL.*got 0'
finds wrong_errno state.start_when_streaming_kernel 'expected EBUSY.*got EINVAL'
finds wrong_data plain.frames_come_and_go 'CRC is 0x'
finds wrong_seq plain.frames_come_and_go 'seq '
finds falling_counter info.counters_only_grow 'fell from'
finds dirty_reserved info.reserved_is_zero 'it is not'
finds hang wake.kick_for_nothing_does_nothing 'not done after 10 s'
finds crash wake.kick_for_nothing_does_nothing 'killed by signal 6'
run leave_it_busy 'slot.*'
[ $status = 1 ] && echo "$output" | grep -q '^Bail out!'
result $? stops_where_the_device_stays_busy
sleep 20

output=$("$tool" /dev/null 2>&1)
[ $? = 1 ] && echo "$output" | grep -q '^Bail out! /dev/null: not a device of this interface'
result $? refuses_what_is_no_such_device
output=$("$tool" /nowhere 2>&1)
[ $? = 1 ] && echo "$output" | grep -q '^Bail out! /nowhere: No such file'
result $? refuses_what_is_not_there
output=$("$tool" --only no.such.check "$device" 2>&1)
[ $? = 2 ]
result $? refuses_a_pattern_of_nothing
