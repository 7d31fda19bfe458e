#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A device that cannot be stopped keeps what it writes to, and nothing falls.

In a guest of its own, as root, with the modules loaded: afterwards they cannot be
unloaded any more.
"""
import ctypes
import mmap
import os
import select
import signal
import subprocess
import sys
import time

import ring

SLICE = 1 << 16
SLOTS = 16
LENGTH = SLOTS * SLICE
tap = ring.Tap()


def in_child(function):
    """Return: pid, once it streams."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            r = function()
            os.write(tell, b'x')
            while True:
                r.take(1)
        finally:
            os._exit(1)
    os.read(ready, 1)
    return pid


def end(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def is_written(memory):
    """Does anybody write to it?"""
    memory[:] = b'\xaa' * LENGTH
    end_time = time.monotonic() + 5
    while memory[:] == b'\xaa' * LENGTH:
        if time.monotonic() > end_time:
            return False
        time.sleep(0.05)
    return True


def said():
    return subprocess.run(['dmesg'], stdout=subprocess.PIPE, text=True, check=True).stdout


def test_user_memory():
    sim = ring.Sim('user', rate_bytes_per_s=500000, slice_bytes=SLICE, crc=0)
    fd = os.memfd_create('memory')
    os.ftruncate(fd, LENGTH)

    def owner():
        r = sim.open()
        memory = mmap.mmap(fd, LENGTH)
        r.setup(ring.USER, SLOTS, SLICE)
        r.register(ctypes.addressof(ctypes.c_char.from_buffer(memory)), LENGTH, 0, SLICE, SLOTS)
        r.start()
        return r

    other = sim.open()
    memory = mmap.mmap(fd, LENGTH)
    before = ring.count_pinned()
    pid = in_child(owner)
    sim.set('stuck', 1000000)
    end(pid)
    tap.check('its owner dead, it writes on', is_written(memory), True)
    tap.check('to pages that nobody else gets', ring.count_pinned() - before, LENGTH // mmap.PAGESIZE)
    tap.check('nobody gets the ring', ring.failure(other.setup, ring.USER, SLOTS, SLICE), 'EIO')
    tap.check('the kernel says what is lost', said().count('lost until the next boot'), 1)
    sim.set('unplug', 1)
    time.sleep(0.5)
    tap.check('who asks learns that it is gone', ring.failure(other.info), 'ENODEV')
    other.close()
    memory.close()
    os.close(fd)


def test_unplugged_under_its_owner():
    sim = ring.Sim('kernel', rate_bytes_per_s=8000000, slice_bytes=SLICE, crc=0)
    r = sim.open()
    r.setup(ring.KERNEL, SLOTS, SLICE)
    data = r.map_data(LENGTH)
    r.start()
    r.take(3)
    sim.set('stuck', 1000000)
    sim.set('unplug', 1)
    tap.check('an owner learns that it is gone', ring.failure(r.stop), 'ENODEV')
    poll = select.poll()
    poll.register(r.fd, select.POLLIN)
    tap.check('poll, too', poll.poll(0), [(r.fd, select.POLLERR | select.POLLHUP)])
    before = len(set(data[n * SLICE:n * SLICE + 8] for n in range(SLOTS)))
    tap.check('what was written is there', before > 1, True)
    data.close()
    r.close()
    tap.check('the kernel says what is lost', said().count('lost until the next boot'), 2)


def main():
    test_user_memory()
    test_unplugged_under_its_owner()
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
