#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# checkers_can_fail.sh WRAPPER BROKEN FAULT...: the wrapper passes broken.c's sound test and
# fails each with a fault.
wrapper=$1 broken=$2
shift 2
"$wrapper" "$broken" --filter broken/nothing || { echo "a sound test fails" >&2; exit 1; }
for fault; do
	if "$wrapper" "$broken" --filter "broken/$fault" 2>/dev/null; then
		echo "${wrapper##*/} does not find: $fault" >&2
		exit 1
	fi
done
