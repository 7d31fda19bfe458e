#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_manual.sh MAN_PAGE HEADER INCLUDE_DIR: liblidard(3) compiles and is complete.
# Its example is compiled as it is printed, and every errno of the header is in it.
set -u
page=$1 header=$2 include=$3 bad=0

example=$(sed -n '/^\.EX$/,/^\.EE$/{/^\.E[XE]$/d;s/\\-/-/g;s/\\e/\\/g;p;}' "$page")
[ -n "$example" ] || { echo "no example in $page"; exit 1; }
printf '%s\n' "$example" |
	${CC:-cc} -std=c99 -Wall -Wextra -Werror -pedantic -fsyntax-only -I"$include" -x c - || bad=1

for name in $(grep -o -- '-E[A-Z0-9]\{3,\}' "$header" | sort -u); do
	grep -q -- "\\\\$name" "$page" || { echo "$name of the header is not in $page"; bad=1; }
done
exit $bad
