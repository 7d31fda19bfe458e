#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may read, and what is said to those who may not: never by a crash.

iceoryx maps nothing for a user it finds in no group of the segment and crashes
at the first slice; what it cannot open ends the process.  Each case is a
process that may use the control socket and yet not the memory.
"""
import contextlib
import os

from harness import (BIN, SOCKET, Process, Reader, Reclaimer, Skip, System, case, check, equal,
                     is_sanitized, main, run, sensor, wait_for)

# a mount namespace of its own, changed by the script, in which the rest runs
PRIVATE = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c']
# the directories stay: the build may lie in one of them
OWN_TMP = ('mkdir -p /run/here && mount --rbind /tmp /run/here && '
           'mount -t tmpfs none /tmp && chmod 1777 /tmp && '
           'for d in /run/here/*/; do mkdir "/tmp/${d#/run/here/}" && '
           'mount --rbind "$d" "/tmp/${d#/run/here/}"; done 2> /dev/null; ')
# somebody else listens there, as long as the reader lives
OTHER_ROUDI = ('exec python3 -c "import os, socket, sys; s = socket.socket(1, 2); '
               's.bind(\'/tmp/roudi\'); s.set_inheritable(True); '
               'os.execvp(sys.argv[1], sys.argv[1:])" "$@"')


def refused(system, errno, *words, launcher=(), user=None, undo=None):
    """A reader that is refused so."""
    argv = [f'{BIN}/test_reader', '--socket', SOCKET, 'front']
    reader = Process('reader', argv, launcher=launcher, user=user)
    equal(reader.wait(), 1, f'exit status ({reader.output()} {reader.errors()})')
    error = Reader.events(reader, 'error')[0]
    equal((error['call'], error['errno']), ('subscribe', errno), 'error')
    for word in words:
        check(word in error['text'], f'"{word}" is not in: {error["text"]}')
    equal(reader.errors(), '', 'what it wrote to stderr')
    if undo:
        undo()
    # lidard has nothing left of it
    with Reclaimer() if system.users else contextlib.nullcontext():
        wait_for(lambda: not os.listdir('/run/lidard/dead') and
                 not os.listdir('/run/lidard/clients'), 'the reader to be forgotten')


def setpriv(uid, gid):
    return ['setpriv', f'--reuid={uid}', f'--regid={gid}', '--clear-groups']


def rewrite(path, change):
    """Change the text of a file. Return: what it was."""
    with open(path, encoding='utf-8') as f:
        old = f.read()
    with open(path, 'w', encoding='utf-8') as f:
        f.write(change(old))
    return old


@case('a user in neither group is told which to join, and reads once in it')
def not_a_member():
    system = System(sensor('front'), users=True)
    refused(system, 'EACCES', 'user root (uid 0)', 'group lidar,', 'usermod -aG lidar root',
            'log in again')
    for command in ('echo', 'record'):
        status, text = run(f'{BIN}/lidarctl', command, 'front')
        equal(status, 1, f'lidarctl {command}: {text}')
        check('usermod -aG lidar root' in text, text)
    old = rewrite('/etc/group', lambda x: x.replace('lidar-reader\n', 'lidar-reader,root\n'))
    try:
        reader = Reader('front', '--check')
        reader.wait_slices(5)
        reader.finish()
    finally:
        rewrite('/etc/group', lambda _: old)


@case('members of the readers\' and of the writers\' group read')
def members():
    System(sensor('front'), users=True)
    for user in ('lidar-reader', 'lidard'):
        reader = Reader('front', '--check', user=user)
        reader.wait_slices(5)
        reader.finish()


@case('a user without an entry in the user database is refused')
def no_user():
    system = System(sensor('front'), users=True)
    refused(system, 'EACCES', 'user id 61999', 'user database', launcher=setpriv(61999, 61010))


@case('a writers\' group without a name here is refused')
def no_group_name():
    system = System(sensor('front'), users=True)
    script = ('sed /^lidard:/d /etc/group > /run/group && mount --bind /run/group /etc/group && '
              'exec setpriv --reuid=61002 --regid=61010 --clear-groups "$@"')
    refused(system, 'EACCES', 'group id 61000 (lidard)', 'group database',
            launcher=[*PRIVATE, script, 'sh'])


@case('memory that may not be opened is refused')
def not_permitted():
    system = System(sensor('front'), users=True)
    mode = os.stat('/dev/shm/lidard').st_mode
    os.chmod('/dev/shm/lidard', 0)
    refused(system, 'EACCES', '/dev/shm/lidard', 'log in again', user='lidar-reader',
            undo=lambda: os.chmod('/dev/shm/lidard', mode))


@case('another /dev/shm is noticed, empty or not')
def other_memory():
    system = System(sensor('front'))
    script = 'mount -t tmpfs none /dev/shm && {} exec "$@"'
    refused(system, 'EXDEV', '/dev/shm of its own', launcher=[*PRIVATE, script.format(''), 'sh'])
    refused(system, 'EXDEV', 'not the one lidard uses',
            launcher=[*PRIVATE, script.format('echo > /dev/shm/iceoryx_mgmt &&'), 'sh'])


@case('another /tmp is noticed, with a RouDi of its own or without')
def other_tmp():
    system = System(sensor('front'))
    refused(system, 'ECONNREFUSED', '/tmp of its own',
            launcher=[*PRIVATE, OWN_TMP + 'exec "$@"', 'sh'])
    refused(system, 'EXDEV', 'not the one lidard uses',
            launcher=[*PRIVATE, OWN_TMP + OTHER_ROUDI, 'sh'])


@case('memory that does not fit into the address space is refused')
def no_address_space():
    if is_sanitized():
        raise Skip('a sanitizer needs the address space')
    system = System(sensor('front', slice_bytes='1M', subscriber_slices=512))
    # the segment alone is larger
    refused(system, 'ENOMEM', 'cannot map', launcher=['prlimit', '--as=500000000'])


@case('a subscription may be as large as the limits say')
def largest():
    System(sensor('front', subscriber_slices=511, slice_bytes='16K'))
    reader = Reader('front', '--check', '--queue', 256, '--held', 255, '--keep', 255)
    wait_for(lambda: reader.stats()['kept'] == 255, '255 slices to be held')
    reader.finish()


@case('more readers than iceoryx serves are refused, and those within the limit all read')
def crowd():
    keys = {'subscriber_slices': 4000, 'slice_bytes': '4K', 'sim_beams': 1, 'sim_columns': 128}
    system = System(sensor('front', **keys))
    crowds = [Process('crowd', [f'{BIN}/client_roles', 'crowd'],
                      environment={'LIDARD_SOCKET': SOCKET}) for _ in range(4)]
    limit = 'too many subscriptions of one sensor: 240 is the limit'
    wait_for(lambda: any(limit in c.output() for c in crowds), 'one to be refused')

    def look():
        return all(s['received'] > 0 for s in system.status()['subscribers'])
    wait_for(look, 'all of them to read')
    equal(len(system.status()['subscribers']), 240, 'subscriptions')


@case('a reader keeps reading while its sensor is away, and again when it is back')
def sensor_removed():
    system = System(sensor('front'), sensor('rear'))
    front, rear = Reader('front', '--check', '--patient'), Reader('rear', '--check')
    front.wait_slices(5)
    system.reload(sensor('rear'))
    front.wait_event('error')
    equal(front.events('error')[0]['errno'], 'ENOENT', 'error')
    rear.wait_slices(5)
    system.reload(sensor('front'), sensor('rear'))
    front.wait_event('resumed')
    front.wait_slices(5)
    rear.wait_slices(5)
    for reader in (front, rear):
        reader.finish()
    wait_for(lambda: not system.status()['subscribers'], 'the readers to be gone')


if __name__ == '__main__':
    main()
