#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_manual.sh MAN_PAGE HEADER INCLUDE_DIR LIBRARY: liblidard(3) compiles and is complete.
# Its example is compiled as it is printed, and says so without lidard; every errno of the header
# is in it.
set -u
page=$1 header=$2 include=$3 library=$4 bad=0

example=$(sed -n '/^\.EX$/,/^\.EE$/{/^\.E[XE]$/d;s/\\-/-/g;s/\\e/\\/g;p;}' "$page")
[ -n "$example" ] || { echo "no example in $page"; exit 1; }
printf '%s\n' "$example" |
	${CC:-cc} -std=c99 -Wall -Wextra -Werror -pedantic -fsyntax-only -I"$include" -x c - || bad=1

# a library with a sanitizer in it wants programs that have it, too
if ! nm -D "$library" | grep -q '__[atm]san_\|__ubsan_'; then
	folder=$(mktemp -d) || exit 1
	trap 'rm -rf "$folder"' EXIT
	printf '%s\n' "$example" |
		${CC:-cc} -I"$include" -o "$folder/example" -x c - -x none "$library" \
			-Wl,-rpath,"$(dirname "$(readlink -f "$library")")" || bad=1
	LIDARD_SOCKET=$folder/control "$folder/example" 2>"$folder/said"
	status=$?
	if [ $status != 1 ] || ! grep -q 'cannot connect to lidard: No such' "$folder/said"; then
		echo "without lidard the example ends with $status and says: $(cat "$folder/said")"
		bad=1
	fi
fi

for name in $(grep -o -- '-E[A-Z0-9]\{3,\}' "$header" | sort -u); do
	grep -q -- "\\\\$name" "$page" || { echo "$name of the header is not in $page"; bad=1; }
done
exit $bad
