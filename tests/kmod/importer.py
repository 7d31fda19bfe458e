# SPDX-License-Identifier: Apache-2.0
"""importer - /dev/lidar_import of kmod/tests/lidar_import.c: a device that reads a dma-buf"""
import fcntl
import os
import struct

BIDIRECTIONAL, TO_DEVICE, FROM_DEVICE = range(3)
CRC = struct.Struct('<QQII')


class Importer:
    """A device; its calls are the driver's, errors are OSErrors."""

    def __init__(self):
        self.fd = os.open('/dev/lidar_import', os.O_RDWR | os.O_CLOEXEC)

    def close(self):
        os.close(self.fd)

    def call(self, number, value=0):
        return fcntl.ioctl(self.fd, 0xdd << 8 | number, value)

    def get(self, fd):
        self.call(0, fd)

    def attach(self, max_segment=1 << 16):
        self.call(1, max_segment)

    def map(self, direction=TO_DEVICE):
        """Return: how many segments."""
        return self.call(2, direction)

    def unmap(self):
        self.call(3)

    def detach(self):
        self.call(4)

    def vmap(self):
        self.call(5)

    def vunmap(self):
        self.call(6)

    def put(self):
        self.call(7)

    def begin(self):
        """The CPU is about to read."""
        self.call(8, FROM_DEVICE)

    def end(self):
        self.call(9, FROM_DEVICE)

    def crc(self, offset, size, as_cpu):
        argument = bytearray(CRC.pack(offset, size, as_cpu, 0))
        fcntl.ioctl(self.fd, 3 << 30 | CRC.size << 16 | 0xdd << 8 | 10, argument)
        return CRC.unpack(argument)[3]
