#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_symbols.sh LIBRARY MAP HEADER: the library exports what the map names, and the
# map names every function the header declares.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -D --defined-only "$1" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' |
	sort > "$work/exported"
sed -n 's/^\t\(lidard_[a-z_]*\);$/\1/p' "$2" | sort > "$work/mapped"
sed 's,/\*.*,,; /^ \*/d' "$3" | grep -o 'lidard_[a-z_]*(' | tr -d '(' |
	sort -u > "$work/declared"

[ -s "$work/exported" ] || { echo "nothing is exported"; exit 1; }
diff "$work/mapped" "$work/exported"
diff "$work/declared" "$work/mapped"
