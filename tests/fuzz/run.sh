#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD SECONDS [TARGET...] - run fuzz targets, each for so long; a finding is kept and named.
set -u
build=$1 seconds=$2; shift 2
here=$(dirname "$(readlink -f "$0")")
targets=("$@")
[ ${#targets[@]} -gt 0 ] || for t in "$build"/tests/fuzz/fuzz_*; do [ -x "$t" ] && [ -f "$t" ] && targets+=("$(basename "$t")"); done
[ ${#targets[@]} -gt 0 ] || { echo "no fuzz targets in $build" >&2; exit 1; }
findings=()
for t in "${targets[@]}"; do
	work=$build/fuzz/$t; mkdir -p "$work/corpus"
	seeds=(); [ -d "$here/corpus/${t#fuzz_}" ] && seeds=("$here/corpus/${t#fuzz_}")
	if "$build/tests/fuzz/$t" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 \
		-artifact_prefix="$work/" "$work/corpus" "${seeds[@]}" >"$work/log" 2>&1; then
		printf '%-28s %s executions in %s s, no finding\n' "$t" \
			"$(sed -n 's/stat::number_of_executed_units: *//p' "$work/log")" "$seconds"
	else
		printf '%-28s FINDING, see %s/log\n' "$t" "$work"
		findings+=("$t")
	fi
done
# last, as the end of a log is what is kept: what it says, and the input itself, to try elsewhere
for t in "${findings[@]}"; do
	work=$build/fuzz/$t
	echo "finding: $t"
	grep -E 'ERROR:|runtime error|SUMMARY:|^ +#[0-9]+ .*/\.\./(daemon|decoder|common|tests)/' "$work/log" | head -n 12
	input=$(sed -n 's/.*Test unit written to //p' "$work/log" | tail -n 1)
	[ ! -f "$input" ] || { echo "$input:"; head -c 4096 "$input" | base64 -w0; echo; }
done
[ ${#findings[@]} -eq 0 ]
