#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_edu.sh - lidar_ring over a bus master behind an IOMMU
#
#	test_edu.sh MODULES EDU
#
# MODULES is where kmod/build-modules has put the modules, EDU the program of
# tests/kmod/edu.c.
# Runs itself in a guest that has an IOMMU and QEMU's edu device.  What the
# device writes where it may not must end in a fault at that very address, and
# nothing else may: the log is compared, fault by fault.
set -u
here=$(dirname "$(readlink -f "$0")")
modules=$(readlink -f "${1:?MODULES}") edu=$(readlink -f "${2:?EDU}")

fail() { echo "test_edu: $*" >&2; exit 1; }

if [ -z "${LIDARD_IN_GUEST:-}" ]; then
	# the engine's own idea of what it may address would hide what the IOMMU has to say
	exec "$here/guest" --iommu --append iommu.strict=1 \
		--qemu-arg=-global --qemu-arg=edu.dma_mask=0xffffffffff \
		--module "$modules/lidar_ring.ko" --module "$modules/lidar_edu.ko" \
		--allow 'DMAR: .*(fault|DMA Write)' -- "$here/test_edu.sh" "$modules" "$edu"
fi

device=$(cd /sys/bus/pci/drivers/lidar_edu && ls -d 0000:*) || fail "no edu device"
ring=$(ls "/sys/bus/pci/devices/$device/lidar") || fail "the edu device has no ring"

faults() { dmesg | sed -n 's/.*DMAR: \[DMA .*fault addr 0x\([0-9a-f]*\) .*/\1/p'; }

[ -z "$(faults)" ] || fail "faults before the test: $(faults)"
strays=$("$edu" "/dev/$ring" "/sys/bus/pci/devices/$device") || exit 1
read -r dma physical <<<"$strays"
echo "the last slot: $dma for the device, $physical for the CPU"

# the log is written by a thread of its own
for _ in 1 2 3 4 5 6 7 8 9 10; do [ "$(faults | wc -l)" -lt 2 ] || break; sleep 0.2; done
expected=$(printf '%s\n%s' "$physical" "$dma")
[ "$(faults)" = "$expected" ] || fail "faults at: $(faults | tr '\n' ' '), expected $physical $dma"
echo "both stray writes faulted, and nothing else did"

rmmod lidar_edu || fail "cannot unload the backend"
[ ! -e "/dev/$ring" ] || fail "/dev/$ring is still there"
