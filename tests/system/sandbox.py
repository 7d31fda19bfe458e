# SPDX-License-Identifier: Apache-2.0
"""A machine of its own for a test: nothing it does meets a RouDi or a lidard outside.

iceoryx knows one RouDi a machine, by fixed names: /tmp/roudi, files in
/dev/shm, locks in /tmp.  So a test program runs itself again in private mount,
IPC and PID namespaces.  There /dev/shm is an empty tmpfs, and /tmp and /run
are empty but for what they held outside (the tree may be checked out below
/tmp), without the traces of any RouDi or lidard.  The PID namespace ends with
the test, and with it every process it started, however it ended.

/etc/passwd and /etc/group are covered by copies that have lidard's users.
"""
import ctypes
import fcntl
import os
import socket
import stat
import struct
import subprocess
import sys

MARK = 'LIDARD_TEST_SANDBOX'
UNSHARE = ['unshare', '--mount', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc',
           '--propagation', 'private']

MS_NOSUID, MS_NODEV, MS_BIND, MS_REMOUNT, MS_REC = 2, 4, 4096, 32, 16384

# name: (uid, gid, groups); above the ids of people, below nobody's
USERS = {
    'lidard': (61000, 61000, ['lidar']),
    'lidard-roudi': (61001, 61001, ['lidar']),
    'lidar-reader': (61002, 61002, ['lidar']),
    'lidar-guest': (61003, 61003, []),
}
GROUPS = {'lidar': 61010}

libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind=None, flags=0, data=None):
    def text(value):
        return os.fsencode(value) if value is not None else None
    if libc.mount(text(source), text(target), text(kind), ctypes.c_ulong(flags), text(data)) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), target)


def why_not():
    """Why this machine cannot make a sandbox; None if it can."""
    if os.geteuid() != 0:
        return 'needs root for namespaces of its own'
    done = subprocess.run([*UNSHARE, 'true'], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode:
        return f'needs namespaces of its own ({done.stderr.decode().strip()})'
    return None


def enter():
    """Run the program again inside; returns there only. Outside: says why not, or ends."""
    if MARK not in os.environ:
        reason = why_not()
        if reason:
            return reason
        os.environ[MARK] = '1'
        os.execvp('unshare', [*UNSHARE, sys.executable, *sys.argv])
    renew('/tmp', 'mode=1777')
    renew('/run', 'mode=0755')
    mount('lidard-test', '/dev/shm', 'tmpfs', MS_NOSUID | MS_NODEV, 'mode=1777,size=2g')
    os.mkdir('/tmp/lidard-test', 0o755)
    cover('/etc/passwd', {n: f'{n}:x:{u}:{g}::/:/usr/sbin/nologin'
                          for n, (u, g, _) in USERS.items()})
    groups = {n: f'{n}:x:{g}:' for n, (_, g, _) in USERS.items()}
    for name, gid in GROUPS.items():
        groups[name] = f'{name}:x:{gid}:' + ','.join(n for n in USERS if name in USERS[n][2])
    cover('/etc/group', groups)
    return None


def belongs_to_iceoryx(folder, name):
    """A socket or a lock: it has one of each for the broker and for every application."""
    return name.endswith('.lock') or stat.S_ISSOCK(os.lstat(os.path.join(folder, name)).st_mode)


def is_left_out(old, path, name):
    """What iceoryx, an installed lidard or we ourselves keep there."""
    return (name == 'lidard-test' or path == '/run' and name.startswith('lidard') or
            belongs_to_iceoryx(f'/proc/self/fd/{old}', name))


def renew(path, options):
    """A fresh tmpfs over path, with what was in it bound back."""
    old = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    names = os.listdir(old)
    mount('lidard-test', path, 'tmpfs', MS_NOSUID | MS_NODEV, options)
    for name in names:
        try:
            if is_left_out(old, path, name):
                continue
            bind_back(old, path, name)
        except OSError:
            pass  # gone meanwhile, or of no use to us
    os.close(old)


def bind_back(old, path, name):
    target = os.path.join(path, name)
    if os.path.islink(f'/proc/self/fd/{old}/{name}'):
        os.symlink(os.readlink(name, dir_fd=old), target)
        return
    if os.path.isdir(f'/proc/self/fd/{old}/{name}'):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
    # only the descriptor still leads to the old directory
    mount(f'/proc/self/fd/{old}/{name}', target, None, MS_BIND | MS_REC)


def cover(path, entries):
    with open(path, encoding='utf-8') as f:
        others = [line for line in f.read().splitlines() if line.split(':')[0] not in entries]
    copy = '/tmp/lidard-test/' + os.path.basename(path)
    with open(copy, 'w', encoding='utf-8') as f:
        f.write('\n'.join([*entries.values(), *others]) + '\n')
    os.chmod(copy, 0o644)
    mount(copy, path, None, MS_BIND)


def resize_shm(size):
    mount('lidard-test', '/dev/shm', None, MS_REMOUNT | MS_NOSUID | MS_NODEV,
          f'mode=1777,size={size}')


def own_network():
    """A namespace with nothing in it but loopback."""
    clone_newnet, siocsifflags, up = 0x40000000, 0x8914, 1
    if libc.unshare(clone_newnet) < 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, siocsifflags, struct.pack('16sh14x', b'lo', up))
