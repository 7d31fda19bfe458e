#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The end of an owner, in all its forms: the device stops before the memory is another's.

As root, with the modules loaded and configfs mounted.
"""
import ctypes
import mmap
import os
import select
import signal
import sys
import threading
import time

import deaf_file
import ring

PAGE = 4096
SLICE = 1 << 16
SLOTS = 16
STRIDE = SLICE + PAGE
LENGTH = PAGE + SLOTS * STRIDE
tap = ring.Tap()


def stream_into(r, memory):
    """USER memory: slots with a page of nobody's between them."""
    r.setup(ring.USER, SLOTS, SLICE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    r.register(address, LENGTH, PAGE, STRIDE, SLOTS)
    r.start()


def keep_going(r):
    while True:
        r.take(1)


def in_child(function, *arguments):
    """Return: pid, once the child is about to run the function."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(tell, b'x')
            function(*arguments)
        finally:
            # whatever happens, a child does not go on as the test
            os._exit(1)
    os.read(ready, 1)
    os.close(ready)
    os.close(tell)
    return pid


def wait_for(r, state, seconds=10):
    end = time.monotonic() + seconds
    while r.info()['state'] != state and time.monotonic() < end:
        time.sleep(0.01)
    return r.info()['state']


def end(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_killed_while_a_child_has_the_file(sim, other):
    fd = os.memfd_create('memory')
    os.ftruncate(fd, LENGTH)
    # the child ends when we let go of its end
    waits, lets_go = os.pipe()

    def owner():
        os.close(lets_go)
        r = sim.open()
        stream_into(r, mmap.mmap(fd, LENGTH))
        if os.fork() == 0:
            os.read(waits, 1)
            os._exit(0)
        keep_going(r)

    pid = in_child(owner)
    tap.check('it streams', wait_for(other, ring.STREAMING), ring.STREAMING)
    memory = mmap.mmap(fd, LENGTH)
    time.sleep(0.3)
    end(pid)
    tap.check('the death of the owner halts it', other.info()['state'], ring.HALTED)
    memory[:] = b'\xaa' * LENGTH
    time.sleep(0.5)
    tap.check('its memory is left alone', memory[:] == b'\xaa' * LENGTH, True)
    tap.check('while the file lives it is not free', ring.failure(other.setup, ring.KERNEL, 1, PAGE), 'EBUSY')
    os.close(lets_go)
    tap.check('with the last file it is', wait_for(other, ring.IDLE), ring.IDLE)


def test_exec(sim, other):
    def owner():
        r = sim.open()
        stream_into(r, mmap.mmap(-1, LENGTH))
        os.set_inheritable(r.fd, True)
        os.execv('/bin/sleep', ['sleep', '60'])

    pid = in_child(owner)
    tap.check('a new program in the owner halts it', wait_for(other, ring.HALTED), ring.HALTED)
    end(pid)
    tap.check('and it is free at its end', wait_for(other, ring.IDLE), ring.IDLE)


def test_kills(sim, other):
    def owner(user):
        r = sim.open()
        if user:
            stream_into(r, mmap.mmap(-1, LENGTH))
        else:
            r.setup(ring.KERNEL, SLOTS, SLICE)
            r.start()
        keep_going(r)

    for n in range(10):
        pid = in_child(owner, n % 2)
        wait_for(other, ring.STREAMING)
        time.sleep(0.02 * n)
        end(pid)
        tap.check(f'a killed owner is gone ({n})', wait_for(other, ring.IDLE), ring.IDLE)


def test_lease(sim, other):
    r = sim.open()
    before = r.stats()
    r.setup(ring.KERNEL, SLOTS, SLICE)
    r.start(lease_ms=500)
    for _ in range(15):
        r.kick()
        time.sleep(0.05)
    tap.check('who makes calls keeps the lease', r.info()['state'], ring.STREAMING)
    time.sleep(1.5)
    tap.check('who makes none loses it', other.info()['state'], ring.HALTED)
    poll = select.poll()
    poll.register(r.fd, select.POLLPRI)
    tap.check('poll tells', poll.poll(0), [(r.fd, select.POLLPRI)])
    tap.check('it is counted', r.stats()['leases_lost'] - before['leases_lost'], 1)
    tap.check('and cannot be kicked on', [ring.failure(r.kick), ring.failure(r.start)], ['EPIPE', 'EBUSY'])
    r.stop()
    tap.check('STOP ends it', r.info()['state'], ring.STOPPED)
    r.drain()
    r.start()
    tap.check('and a new start counts anew', r.get()['seq'], 0)
    r.close()


def read_soon(fd, seconds=5):
    return os.read(fd, 64).decode() if select.select([fd], [], [], seconds)[0] else 'none'


def answer(function, seconds=5):
    """What it ends with, asked in a process of its own; 'none' if it does not answer."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(tell, (ring.failure(function) or 'yes').encode())
        os._exit(0)
    said = read_soon(ready, seconds)
    os.close(ready)
    os.close(tell)
    return pid, said


def test_page_fault_that_waits(sim, other):
    try:
        deaf = deaf_file.DeafFile(LENGTH)
    except FileNotFoundError:
        tap.skip('a page fault that waits', 'the kernel has no FUSE')
        return

    go_on, let_go_on = os.pipe()
    said_second, tell_second = os.pipe()

    def owner():
        r = sim.open()
        r.setup(ring.USER, SLOTS, SLICE)
        fd = os.open(deaf.path, os.O_RDWR)
        memory = mmap.mmap(fd, LENGTH, flags=mmap.MAP_PRIVATE)
        where = (ctypes.addressof(ctypes.c_char.from_buffer(memory)), LENGTH, PAGE, STRIDE, SLOTS)
        threading.Thread(target=ring.failure, args=(r.register, *where)).start()
        os.read(go_on, 1)
        os.write(tell_second, (ring.failure(r.register, *where) or 'yes').encode())
        signal.pause()

    pid = in_child(owner)
    tap.check('an owner waits for a page of its memory', deaf.asked.wait(10), True)
    asked, said = answer(other.info)
    tap.check('who asks does not wait for it, too', said, 'yes')
    os.write(let_go_on, b'x')
    tap.check('a second REGISTER meanwhile is refused', read_soon(said_second), 'EBUSY')
    deaf.close()
    for fd in (go_on, let_go_on, said_second, tell_second):
        os.close(fd)
    os.waitpid(asked, 0)
    end(pid)
    tap.check('at its end the ring is free', wait_for(other, ring.IDLE), ring.IDLE)


def main():
    sim = ring.Sim('test_owner', rate_bytes_per_s=8000000, slice_bytes=SLICE, crc=0)
    try:
        other = sim.open()
        for test in (test_killed_while_a_child_has_the_file, test_exec, test_kills, test_lease,
                     test_page_fault_that_waits):
            test(sim, other)
        other.close()
    finally:
        sim.remove()
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
