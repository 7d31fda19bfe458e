#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A virtio device that gives up, and says so by its status, halts its ring; a new start revives it.

The device is QEMU's own entropy source, which takes no buffer of more than 1024 pieces:
one in memory whose pages lie nowhere side by side makes it give up.

As root, with lidar_ring loaded, and its file beside this one: it is loaded anew for
that device.
"""
import ctypes
import glob
import mmap
import os
import random
import select
import subprocess
import sys
import time

import ring

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = mmap.PAGESIZE
PAGES = 2048
ENTROPY_SOURCE = '0x0004'
DRIVER = '/sys/bus/virtio/drivers/virtio_rng/'
SERIAL = 'entropy'
tap = ring.Tap()


def read(path):
    with open(path, encoding='ascii') as f:
        return f.read().strip()


def write(path, text):
    with open(path, 'w', encoding='ascii') as f:
        f.write(text)


def entropy_source():
    return next((os.path.realpath(d) for d in glob.glob('/sys/bus/virtio/devices/*')
                 if read(d + '/device') == ENTROPY_SOURCE), None)


def reload_for(device):
    for name in ('lidar_import', 'lidar_sim', 'lidar_ring'):
        if os.path.exists('/sys/module/' + name):
            subprocess.run(['rmmod', name], check=True)
    subprocess.run(['insmod', f'{HERE}/lidar_ring.ko', f'virtio_serial={SERIAL}',
                    f'virtio_rng={os.path.basename(os.path.dirname(device))}'], check=True)


def open_ring():
    path = next(p for p in glob.glob('/sys/class/lidar/*') if read(p + '/serial') == SERIAL)
    while not os.path.exists('/dev/' + os.path.basename(path)):
        time.sleep(0.01)
    return ring.Ring('/dev/' + os.path.basename(path))


def scattered_memory(pages):
    """Return: its address; page after page of a file, in no order."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    fd = os.memfd_create('scattered')
    os.truncate(fd, pages * PAGE)
    with mmap.mmap(fd, pages * PAGE) as whole:
        whole[:] = bytes(pages * PAGE)
    address = libc.mmap(None, pages * PAGE, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
    order = random.sample(range(pages), pages)
    for i, page in enumerate(order):
        at = libc.mmap(address + i * PAGE, PAGE, mmap.PROT_READ | mmap.PROT_WRITE,
                       mmap.MAP_SHARED | 0x10, fd, page * PAGE)  # MAP_FIXED
        if at != address + i * PAGE:
            raise OSError(ctypes.get_errno(), 'mmap')
    os.close(fd)
    return address


def test_gives_up(r):
    size = PAGES * PAGE
    r.setup(ring.USER, 1, size)
    r.register(scattered_memory(PAGES), size, 0, size, 1)
    poll = select.poll()
    poll.register(r.fd, select.POLLPRI)
    r.start()
    tap.check('its owner is told', poll.poll(10000), [(r.fd, select.POLLPRI)])
    tap.check('the ring is halted', r.info()['state'], ring.HALTED)
    tap.check('GET_FRAME says so', ring.failure(r.get), 'EPIPE')
    r.stop()
    tap.check('STOP takes the slot back', r.states(1), [ring.FREE])


def test_works_again(r):
    r.setup(ring.KERNEL, 4, 16 * PAGE)
    r.start()
    tap.check('with what it takes it streams', [d['seq'] for d in r.take(20)], list(range(20)))
    r.stop()
    tap.check('nothing was lost', [r.stats()[k] for k in ('lost_error', 'lost_device', 'bad_index')],
              [0, 0, 0])


def main():
    device = entropy_source()
    if not device:
        print('1..0 # SKIP needs an entropy source of virtio')
        return 0
    was_bound = os.path.exists(DRIVER + os.path.basename(device))
    if was_bound:
        write(DRIVER + 'unbind', os.path.basename(device))
    reload_for(device)
    for test in (test_gives_up, test_works_again):
        r = open_ring()
        test(r)
        r.close()
    subprocess.run(['rmmod', 'lidar_ring'], check=True)
    if was_bound:
        write(DRIVER + 'bind', os.path.basename(device))
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
