#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the owner of a virtio LIDAR sees when the kernel halts it, and that it can go on.

    virtio_owner.py /dev/lidarN broken|suspended

As root, in the guest.  broken: the device is to break its queue by itself.
suspended: the machine goes to sleep, as far as its devices, and wakes up.
"""
import errno
import os
import select
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'kmod'))
import ring

SLOTS = 16
SLICE = 1 << 20
SECONDS = 60


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f'virtio_owner: {what}: got {got!r}, wanted {wanted!r}')


def take_until_halted(r):
    """Return: how many slices came."""
    count = 0
    poll = select.poll()
    poll.register(r.fd, select.POLLIN | select.POLLPRI)
    while True:
        events = poll.poll(SECONDS * 1000)
        if not events:
            sys.exit('virtio_owner: neither data nor word of its end')
        if events[0][1] & select.POLLIN:
            r.take(1)
            count += 1
        elif events[0][1] & select.POLLPRI:
            return count


def write(path, text):
    with open(path, 'w', encoding='ascii') as f:
        f.write(text)


def suspend():
    write('/sys/module/suspend/parameters/pm_test_delay', '1')
    write('/sys/power/pm_test', 'devices')
    write('/sys/power/state', 'freeze')
    write('/sys/power/pm_test', 'none')


def main():
    path, what = sys.argv[1:]
    r = ring.Ring(path)
    r.setup(ring.KERNEL, SLOTS, SLICE)
    r.start()
    expect('the first slice', r.take(5)[0]['seq'], 0)
    if what == 'suspended':
        suspend()
    count = take_until_halted(r)
    expect('its state', r.info()['state'], ring.HALTED)
    expect('GET_FRAME', ring.failure(r.get), errno.errorcode[errno.EPIPE])
    r.stop()
    expect('slots of the device', [s for s in r.states(SLOTS) if s in (ring.QUEUED, ring.FILLING)], [])
    r.start()
    expect('the first slice of a new start', r.take(100)[0]['seq'], 0)
    r.close()
    print(f'virtio_owner: {what}: halted after {count} more slices, then streams again')


if __name__ == '__main__':
    main()
