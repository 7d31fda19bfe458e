#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compliance_dma.sh: those checks of lidar-compliance that look at what the device wrote.
exec test_compliance.sh --only '@(stream|plain|export).*'
