#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test_compliance.sh [OPTION]...: lidar-compliance against lidar_ring and a simulated LIDAR.
# Options are for lidar-compliance; see compliance_device.sh for what it needs.
set -u
here=$(dirname "$(readlink -f "$0")")
. "$here/compliance_device.sh"
command -v lidar-compliance >/dev/null || fail 'there is no lidar-compliance'

lidar-compliance --slot-bytes 16K --sim "$sim" --unbind "$way" "$@" "$device"
