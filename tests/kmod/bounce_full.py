#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""More slots than there are bounce buffers: refused, and nothing is left of it.

As root, where all DMA bounces (swiotlb=131072,force: 256 MiB), with the modules loaded.
"""
import sys

import ring

tap = ring.Tap()


def main():
    sim = ring.Sim('bounce_full', rate_bytes_per_s=4000000, slice_bytes=65536, crc=0)
    try:
        r = sim.open()
        for n in range(2):
            tap.check(f'what the device cannot reach is refused ({n})',
                      ring.failure(r.setup, ring.KERNEL, 8, 64 << 20), 'EINVAL')
        r.setup(ring.KERNEL, 2, 64 << 20)
        r.start()
        tap.check('less is not', r.get()['seq'], 0)
        r.close()
    finally:
        sim.remove()
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
