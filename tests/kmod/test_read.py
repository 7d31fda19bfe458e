#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""read() of a ring: slices without bytes, and several who would read at once.

As root, with the modules loaded and configfs mounted.
"""
import os
import sys
import threading
import time

import ring

SLICE = 1 << 12
tap = ring.Tap()


def streaming(sim):
    r = sim.open()
    r.setup(ring.KERNEL, 16, SLICE)
    r.start()
    return r


def seconds_of(function, *arguments):
    """Return: what it ends with, and whether that took less than a second."""
    begin = time.monotonic()
    said = ring.failure(function, *arguments)
    return said, time.monotonic() - begin < 1


def test_empty(sim):
    r = streaming(sim)
    os.read(r.fd, SLICE)
    sim.set('empty', 5)
    sizes = [len(os.read(r.fd, SLICE)) for _ in range(40)]
    tap.check('a slice without bytes is not the end', sizes, [SLICE] * 40)
    tap.check('there were some', sim.get('empty'), '0')
    r.stop()
    r.drain()
    tap.check('none of their slots is lost', set(r.states(16)), {ring.FREE})
    r.close()


def test_who_waits(sim):
    r = streaming(sim)
    other = sim.open()
    sim.set('stall_ms', 3000)
    os.read(r.fd, SLICE)

    def read_on():
        # into the stall
        while sim.get('stall_ms') != '0' or time.monotonic() < end:
            os.read(r.fd, SLICE)

    end = time.monotonic() + 2
    reader = threading.Thread(target=read_on)
    reader.start()
    time.sleep(1)
    os.set_blocking(other.fd, False)
    tap.check('who is not the owner is told at once', seconds_of(os.read, other.fd, 8), ('EPERM', True))
    os.set_blocking(other.fd, True)
    tap.check('also who would wait', seconds_of(os.read, other.fd, 8), ('EPERM', True))
    os.set_blocking(r.fd, False)
    tap.check('who does not wait does not wait for a reader', seconds_of(os.read, r.fd, 8), ('EAGAIN', True))
    os.set_blocking(r.fd, True)
    reader.join()
    other.close()
    r.close()


def main():
    sim = ring.Sim('test_read', rate_bytes_per_s=400000, slice_bytes=SLICE, crc=0)
    try:
        test_empty(sim)
        test_who_waits(sim)
    finally:
        sim.remove()
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
