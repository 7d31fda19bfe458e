#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD SECONDS [TARGET...] - run fuzz targets, each for so long; a finding is kept and named.
set -u
build=$1 seconds=$2; shift 2
here=$(dirname "$(readlink -f "$0")")
targets=("$@")
[ ${#targets[@]} -gt 0 ] || for t in "$build"/tests/fuzz/fuzz_*; do [ -x "$t" ] && [ -f "$t" ] && targets+=("$(basename "$t")"); done
[ ${#targets[@]} -gt 0 ] || { echo "no fuzz targets in $build" >&2; exit 1; }
failed=0
for t in "${targets[@]}"; do
	work=$build/fuzz/$t; mkdir -p "$work/corpus"
	seeds=(); [ -d "$here/corpus/${t#fuzz_}" ] && seeds=("$here/corpus/${t#fuzz_}")
	if "$build/tests/fuzz/$t" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 \
		-artifact_prefix="$work/" "$work/corpus" "${seeds[@]}" >"$work/log" 2>&1; then
		printf '%-28s %s executions in %s s, no finding\n' "$t" \
			"$(sed -n 's/stat::number_of_executed_units: *//p' "$work/log")" "$seconds"
	else
		printf '%-28s FINDING, see %s/log\n' "$t" "$work"; tail -n 40 "$work/log"; failed=1
	fi
done
exit $failed
