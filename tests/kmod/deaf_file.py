# SPDX-License-Identifier: Apache-2.0
"""deaf_file - a file whose pages never come: a FUSE file system that answers all but READ

Whoever touches a mapping of it waits until the file system is closed.  As root.
"""
import ctypes
import os
import stat
import struct
import subprocess
import tempfile
import threading

LOOKUP, GETATTR, OPEN, READ, INIT, FLUSH, RELEASE = 1, 3, 14, 15, 26, 25, 18
SILENT = (2, READ, 42)  # FORGET and BATCH_FORGET want no answer, READ gets none
ENOSYS = 38
HEADER = struct.Struct('<IIQQIIII')
ROOT, FILE = 1, 2


def attributes(node, size):
    mode = stat.S_IFDIR | 0o755 if node == ROOT else stat.S_IFREG | 0o600
    return struct.pack('<6Q10I', node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


class DeafFile:
    def __init__(self, size):
        self.size = size
        self.folder = tempfile.mkdtemp()
        subprocess.run(['modprobe', '-q', 'fuse'], check=False)
        self.fd = os.open('/dev/fuse', os.O_RDWR | os.O_CLOEXEC)
        options = f'fd={self.fd},rootmode=40000,user_id=0,group_id=0'.encode()
        if ctypes.CDLL(None, use_errno=True).mount(b'deaf', self.folder.encode(), b'fuse', 0, options):
            raise OSError(ctypes.get_errno(), 'mount')
        self.asked = threading.Event()  # for a page
        threading.Thread(target=self.serve, daemon=True).start()
        self.path = self.folder + '/file'

    def answer(self, opcode, node):
        if opcode == INIT:
            return struct.pack('<IIIIHHIIHH8I', 7, 31, 4096, 0, 1, 1, 4096, 1, 0, 0, *[0] * 8)[:64]
        if opcode == LOOKUP:
            return struct.pack('<QQQQII', FILE, 0, 3600, 3600, 0, 0) + attributes(FILE, self.size)
        if opcode == GETATTR:
            return struct.pack('<QII', 3600, 0, 0) + attributes(node, self.size)
        if opcode == OPEN:
            return bytes(16)
        return b'' if opcode in (FLUSH, RELEASE) else None

    def serve(self):
        while True:
            try:
                request = os.read(self.fd, 1 << 17)
            except OSError:
                return
            _, opcode, unique, node, *_ = HEADER.unpack(request[:HEADER.size])
            if opcode == READ:
                self.asked.set()
            if opcode in SILENT:
                continue
            data = self.answer(opcode, node)
            error = -ENOSYS if data is None else 0
            os.write(self.fd, struct.pack('<IiQ', 16 + len(data or b''), error, unique) + (data or b''))

    def close(self):
        """Who waits gets an error."""
        subprocess.run(['umount', '-f', '-l', self.folder], check=True)
        os.close(self.fd)
        os.rmdir(self.folder)
