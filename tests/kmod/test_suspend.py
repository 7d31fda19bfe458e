#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The machine sleeps, as far as its devices, under a LIDAR that streams.

As root, with the modules loaded and configfs mounted; lidar_insomnia (kmod/tests) keeps
those devices awake on which this guest's files lie.
"""
import os
import select
import sys

import ring

SLICE = 1 << 16
POWER = '/sys/power/'
tap = ring.Tap()


def write(path, text):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def sleep():
    write('/sys/module/suspend/parameters/pm_test_delay', '1')
    write(POWER + 'pm_test', 'devices')
    write(POWER + 'state', 'freeze')


def is_possible():
    try:
        with open(POWER + 'state', encoding='ascii') as f:
            return 'freeze' in f.read().split() and os.path.exists(POWER + 'pm_test')
    except FileNotFoundError:
        return False


def test_halts(sim):
    r = sim.open()
    r.setup(ring.KERNEL, 16, SLICE)
    r.start()
    r.take(3)
    tap.check('the machine sleeps and wakes', ring.failure(sleep), '')
    poll = select.poll()
    poll.register(r.fd, select.POLLPRI)
    tap.check('its owner is told that the ring is halted', poll.poll(0), [(r.fd, select.POLLPRI)])
    tap.check('and sees it', r.info()['state'], ring.HALTED)
    r.stop()
    r.drain()
    r.start()
    tap.check('a new start counts anew', [d['seq'] for d in r.take(3)], [0, 1, 2])
    sim.set('stuck', 1)
    tap.check('a device that does not stop keeps the machine awake', ring.failure(sleep), 'EIO')
    r.stop()
    r.drain()
    tap.check('without a stream there is nothing to halt', [ring.failure(sleep), r.info()['state']],
              ['', ring.STOPPED])
    r.close()


def main():
    if not is_possible():
        print('1..0 # SKIP needs a kernel that can sleep for a test (PM_DEBUG, SUSPEND)')
        return 0
    sim = ring.Sim('test_suspend', rate_bytes_per_s=4000000, slice_bytes=SLICE, crc=0)
    try:
        test_halts(sim)
    finally:
        sim.remove()
        write(POWER + 'pm_test', 'none')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
