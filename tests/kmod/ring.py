# SPDX-License-Identifier: Apache-2.0
"""ring - /dev/lidarN and lidar_sim for tests, and TAP

The calls of uapi/lidar_ring.h by name; errors are OSErrors.  failure() turns one
into its name, so that a test can say what it expects.
"""
import contextlib
import errno
import fcntl
import mmap
import os
import struct

CONFIGFS = '/sys/kernel/config/lidar_sim'
KERNEL, USER = 1, 2
IDLE, CONFIGURED, STOPPED, STREAMING, HALTED, GONE = range(6)
QUEUE_ALL = 1
EXPORT_DATA, EXPORT_RING, EXPORT_SLOT = 1, 2, 3
FREE, QUEUED, FILLING, FULL, HELD = range(5)
SHORT, CLOCK_STEP = 1 << 6, 1 << 7

LAYOUT = struct.Struct('<5Q10I32x')
INFO = struct.Struct('<32s32s5Q5Ii64x')
STATS = struct.Struct('<16Q128x')
DESC = struct.Struct('<QIIQQQQIHHII')
SETUP = struct.Struct(f'<IIQ16x{LAYOUT.size}x')
REGISTER = struct.Struct('<4QI12x')
START = struct.Struct('<II24x')
GET_FRAME = struct.Struct(f'<q8x{DESC.size}x')
RELEASE_FRAME = struct.Struct('<Q8x')
EXPORT = struct.Struct('<IIQi12x')

STATS_NAMES = '''delivered delivered_bytes lost_no_slot lost_device lost_error lost_ready_full
    lost_stopped lost_lease refused_offset refused_state bad_index starved kicks copied_bytes
    leases_lost clock_steps'''.split()
DESC_NAMES = '''offset bytes flags seq first_byte_ns last_byte_ns device_ticks frame_id slice_index
    slice_count lost_before crc32c'''.split()


def request(number, size, direction):
    return direction << 30 | size << 16 | 0xdc << 8 | number


class Ring:
    """An open /dev/lidarN."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.control_bytes = self.slot_states = None  # where these are in the control page

    def close(self):
        os.close(self.fd)

    def call(self, number, argument=b'', direction=0):
        if not argument:
            return fcntl.ioctl(self.fd, request(number, 0, 0))
        argument = bytearray(argument)
        fcntl.ioctl(self.fd, request(number, len(argument), direction), argument)
        return argument

    def info(self):
        fields = INFO.unpack(self.call(0, bytes(INFO.size), 2))
        return {'state': fields[9], 'owner_pid': fields[12]}

    def setup(self, memory, slot_count, slot_bytes):
        setup = self.call(1, SETUP.pack(memory, slot_count, slot_bytes), 3)
        layout = LAYOUT.unpack(setup[-LAYOUT.size:])
        self.control_bytes, self.slot_states = layout[1], layout[14]

    def register(self, address, length, first, stride, count):
        self.call(2, REGISTER.pack(address, length, first, stride, count), 1)

    def start(self, lease_ms=0):
        self.call(3, START.pack(QUEUE_ALL, lease_ms), 1)

    def stop(self):
        self.call(4)

    def stats(self):
        return dict(zip(STATS_NAMES, STATS.unpack(self.call(5, bytes(STATS.size), 2))))

    def kick(self):
        self.call(6)

    def get(self, timeout_ms=5000):
        timeout_ns = timeout_ms * 1000000
        argument = self.call(7, GET_FRAME.pack(timeout_ns), 3)
        return dict(zip(DESC_NAMES, DESC.unpack(argument[16:])))

    def release(self, desc):
        self.call(8, RELEASE_FRAME.pack(desc['offset']), 1)

    def export(self, kind, offset=0):
        """Return: an fd."""
        return EXPORT.unpack(self.call(9, EXPORT.pack(kind, 0, offset, -1), 3))[3]

    def take(self, count):
        """Consume slices, giving each back at once."""
        descs = []
        for _ in range(count):
            descs.append(self.get())
            self.release(descs[-1])
        return descs

    def drain(self):
        """Give back what a stopped ring still holds."""
        with contextlib.suppress(OSError):
            while True:
                self.release(self.get(0))

    def states(self, slot_count):
        """Of the slots, as the control page tells."""
        with mmap.mmap(self.fd, self.control_bytes) as control:
            return list(control[self.slot_states:self.slot_states + slot_count])

    def map_data(self, length):
        return mmap.mmap(self.fd, length, prot=mmap.PROT_READ, offset=1 << 32)


class Sim:
    """A device of lidar_sim."""

    def __init__(self, name, **settings):
        self.name = name
        self.folder = f'{CONFIGFS}/{name}'
        os.mkdir(self.folder)
        for key, value in settings.items():
            self.set(key, value)
        self.set('live', 1)

    def set(self, key, value):
        with open(f'{self.folder}/{key}', 'w', encoding='ascii') as f:
            f.write(str(value))

    def get(self, key):
        with open(f'{self.folder}/{key}', encoding='ascii') as f:
            return f.read().strip()

    def path(self):
        return '/dev/' + self.get('device')

    def open(self):
        return Ring(self.path())

    def remove(self):
        os.rmdir(self.folder)


def failure(function, *arguments):
    """The name of the error it ends with, '' if it does not."""
    try:
        function(*arguments)
    except OSError as e:
        return errno.errorcode[e.errno]
    return ''


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def check(self, name, got, wanted):
        self.count += 1
        good = got == wanted
        self.failed += not good
        print(f'{"ok" if good else "not ok"} {self.count} - {name}', flush=True)
        if not good:
            print(f'# got {got!r}, wanted {wanted!r}', flush=True)

    def skip(self, name, reason):
        self.count += 1
        print(f'ok {self.count} - {name} # SKIP {reason}', flush=True)

    def end(self):
        print(f'1..{self.count}')
        return 1 if self.failed else 0


def count_pinned():
    """Pages that cannot be anybody else's, whoever else lets go of them."""
    # each CPU keeps some of its counts to itself until they are asked for
    with open('/proc/sys/vm/stat_refresh', encoding='ascii') as f:
        f.read()
    with open('/proc/vmstat', encoding='ascii') as f:
        counts = dict(line.split() for line in f)
    return int(counts['nr_foll_pin_acquired']) - int(counts['nr_foll_pin_released'])
