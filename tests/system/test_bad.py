#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong around lidard, and what it says then: clearly, and to the right one."""
import contextlib
import fcntl
import glob
import os
import re
import shutil
import signal
import socket
import time

import harness
import ouster
import sandbox
from harness import (BIN, CONFIG, DEADLINE, HERE, SOCKET, Lidard, Reader, Roudi, System,
                     case, check, check_accounts, equal, find_sensor, get_status,
                     lidard, main, note, run, sensor, wait_for, write_config)

CAPTURE = HERE + '/bad.pcap'
METADATA = HERE + '/bad.json'


def says(text, *words):
    for word in words:
        check(word in text, f'"{word}" is not in: {text[-500:]}')


# ---- RouDi and shared memory ---------------------------------------------------

@case('no RouDi: lidard says what to start')
def no_roudi():
    write_config(sensor('front'))
    status, text = lidard()
    equal(status, 1, 'exit status')
    says(text, 'RouDi is not running', 'lidard-roudi.service', '--print-roudi-config')
    status, text = run(f'{BIN}/lidard', '--wait-roudi=1')
    equal(status, 1, 'exit status of --wait-roudi')
    says(text, 'RouDi is not running')
    for wrong in ('abc', '1s', '0', '-1', '', '86401', '99999999999999999999'):
        status, text = run(f'{BIN}/lidard', f'--wait-roudi={wrong}')
        equal((status, text), (2, f"lidard: --wait-roudi: '{wrong}' is not a number of seconds "
                                  'from 1 to 86400\n'), f'--wait-roudi={wrong}')
    status, text = run(f'{BIN}/lidard', '--probe-roudi')
    equal(status, 1, 'exit status of --probe-roudi')


@case('no lidard: a reader and lidarctl say so')
def no_lidard():
    reader = Reader('front', connected=False)
    equal(reader.wait(), 1, 'exit status')
    equal(reader.events('error')[0]['errno'], 'ENOENT', 'error')
    status, text = run(f'{BIN}/lidarctl', 'status')
    equal(status, 1, 'exit status of lidarctl')
    says(text, 'lidard')


@case('a transport of another version is refused, the same way however often')
def other_version():
    System(sensor('front'))
    folder = f'{HERE}/updated'
    os.mkdir(folder)
    shutil.copy(f'{BIN}/liblidard.so.0', folder)
    shutil.copy(f'{harness.BUILD}/tests/system/other-version.so', f'{folder}/liblidard-iox.so')
    # more often than a process has namespaces
    status, text = run(f'{BIN}/client_roles', 'try', '24',
                       environment={'LIDARD_SOCKET': SOCKET, 'LD_LIBRARY_PATH': folder})
    equal(status, 0, 'exit status: ' + text)
    equal(text.count('belongs to another version of liblidard'), 24, 'refusals: ' + text)


@case('RouDi\'s pools too small: lidard ends with 78 and says what to change')
def small_pools():
    write_config(sensor('front', subscriber_slices=64))
    config = f'{HERE}/small.toml'
    status, text = lidard('--print-roudi-config')
    equal(status, 0, '--print-roudi-config')
    text = text[text.index('# Pools'):]
    for what, changed in (('count', text.replace('count = ', 'count = 2 #')),
                          ('size', text.replace('size = ', 'size = 12248 #'))):
        with open(config, 'w', encoding='utf-8') as f:
            f.write(changed)
        roudi = Roudi(config=changed)
        status, said = lidard()
        equal(status, 78, f'exit status with a wrong {what}')
        says(said, 'RouDi', what, '--print-roudi-config')
        roudi.clear()


@case('a full /dev/shm: lidard --check warns, RouDi dies and --wait-roudi tells')
def full_shm():
    sandbox.resize_shm('100m')
    try:
        write_config(sensor('front', slice_bytes='1M', subscriber_slices=200))
        status, text = lidard('--check')
        equal(status, 0, 'exit status of --check')
        says(text, 'warning', '/dev/shm has 100 MiB', 'subscriber_slices')
        status, text = lidard('--print-roudi-config')
        roudi = Roudi(config=text[text.index('# Pools'):], wait=False)
        check(roudi.wait() != 0, 'RouDi lives')
        status, text = run(f'{BIN}/lidard', '--wait-roudi=1')
        equal(status, 1, 'exit status of --wait-roudi')
        says(text, 'RouDi is not running')
    finally:
        sandbox.resize_shm('2g')


@case('a pool over 4 GiB is refused: iceoryx would let its chunks overlap')
def huge_pool():
    write_config(sensor('front', slice_bytes='64M', subscriber_slices=100, sim_beams=128))
    for option in (['--check'], ['--print-roudi-config'], []):
        status, text = lidard(*option)
        equal(status, 78, f'exit status of lidard {option}')
        says(text, 'front', '4 GiB', 'subscriber_slices')


@case('a second lidard ends and names the first, which streams on')
def second_lidard():
    system = System(sensor('front'))
    reader = Reader('front', '--check')
    status, text = lidard()
    equal(status, 1, 'exit status')
    says(text, 'another lidard is running', str(system.lidard.pid))
    reader.wait_slices(20)
    final = reader.finish()
    equal((final['violations'], final['skipped'], final['restarts']), (0, 0, 0), 'the reader')


@case('what a child of a killed lidard still locks for a moment is waited for')
def lock_of_a_child():
    system = System(sensor('front'))
    lock = os.readlink(next(path for path in glob.glob(f'/proc/{system.lidard.pid}/fd/*')
                            if os.readlink(path).endswith('/lock')))
    system.lidard.kill()
    with open(lock, 'rb') as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        successor = Lidard(False, ready=False)
        time.sleep(0.5)
        check(successor.is_alive(), 'it did not wait: ' + successor.errors())
    successor.wait_for_line('ready: accepting subscriptions')


@case('a name that another process holds is waited for, then named; lidard ends with 1')
def name_is_taken():
    system = System(sensor('front'))
    system.lidard.kill()
    with open('/tmp/lidard.lock', 'rb') as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        status, text = lidard()
        equal(status, 1, 'exit status')
        says(text, 'registered with RouDi as lidard', '/tmp/lidard.lock')
        successor = Lidard(False, ready=False)
        time.sleep(0.5)
    successor.wait_for_line('ready: accepting subscriptions')
    for name in os.listdir(f'/proc/{successor.pid}/fd'):
        with open(f'/proc/{successor.pid}/fdinfo/{name}', encoding='ascii') as info:
            flags = next(int(x.split()[1], 8) for x in info if x.startswith('flags:'))
        check(int(name) <= 2 or flags & os.O_CLOEXEC, f'children inherit descriptor {name}')


# ---- configuration ---------------------------------------------------------------

@case('mistakes in the configuration: 78, with file, line and what would be right')
def mistakes():
    for extra, words in (
            ('[sensor rear]\nslice_byte = 1M\n', ['slice_byte', 'unknown key']),
            ('[sensor rear]\nslice_bytes = huge\n', ['slice_bytes = huge', '4K to 64M']),
            ('[sensor rear]\nloans = 1\n', ['loans = 1', '2 to 256']),
            ('[sensor rear]\nloans = 8\nloans = 9\n', ['loans', 'given in line']),
            ('[sensor Rear]\n', ['Rear', 'a-z']),
            ('[sensor rear]\nsource = lidar\n', ['source = lidar', 'sim, replay, device or udp']),
            ('[pool]\n', ['[pool]', 'unknown section']),
            ('nonsense\n', ['nonsense'])):
        write_config(sensor('front'), extra=extra)
        line = 1 + open(CONFIG, encoding='utf-8').read().rstrip('\n').count('\n')
        for options in (['--check'], []):
            status, text = lidard(*options)
            equal(status, 78, f'exit status for {extra!r}')
            says(text, f'{CONFIG}:{line}:', *words)


@case('what only the sensor can tell is found by --check, too')
def frame_too_fine():
    write_config(sensor('front', sim_beams=128, slice_bytes='16K'))
    for options in (['--check'], []):
        status, text = lidard(*options)
        equal(status, 78, f'exit status of lidard {options}')
        says(text, 'front', 'slice_bytes', '100')


# ---- clients -----------------------------------------------------------------------

@case('a reservation too large is refused, naming the key; a smaller one fits')
def reservation():
    System(sensor('front', subscriber_slices=40, queue=8, held=8))
    reader = Reader('front', '--queue', 32, '--held', 16, connected=False)
    equal(reader.wait(), 1, 'exit status')
    error = reader.events('error')[0]
    equal(error['errno'], 'ENOSPC', 'error')
    says(error['text'], 'subscriber_slices = 40', '48', '[sensor front]')
    reader = Reader('front', '--queue', 32, '--held', 8, '--check')
    reader.wait_slices(10)
    equal(reader.finish()['violations'], 0, 'violations')


@case('an unknown sensor is refused')
def unknown_sensor():
    System(sensor('front'))
    reader = Reader('rear', connected=False)
    equal(reader.wait(), 1, 'exit status')
    error = reader.events('error')[0]
    equal(error['errno'], 'ENOENT', 'error')
    says(error['text'], 'rear')


@case('a user outside the readers\' group is refused with EACCES, by library and lidarctl')
def wrong_group():
    system = System(sensor('front', crc='yes'), users=True)
    reader = Reader('front', user='lidar-guest', connected=False)
    equal(reader.wait(), 1, 'exit status')
    equal(reader.events('error')[0]['errno'], 'EACCES', 'error')
    status, text = run(f'{BIN}/lidarctl', 'status', user='lidar-guest')
    equal(status, 1, 'exit status of lidarctl')
    says(text, 'group')
    member = Reader('front', '--check', '--crc', user='lidar-reader')
    member.wait_slices(20)
    check_accounts(system.status())
    equal(member.finish()['violations'], 0, 'violations')


@case('a reader that writes into a payload dies of SIGSEGV; the data stays right')
def write_payload():
    System(sensor('front', crc='yes', subscriber_slices=500), users=True)
    steady = Reader('front', '--check', '--crc', '--queue', 200, user='lidar-reader')
    for _ in range(3):
        # for AddressSanitizer this would be a mistake to report
        options = os.environ.get('ASAN_OPTIONS', 'detect_leaks=0') + ':handle_segv=0'
        vandal = Reader('front', '--write', user='lidar-reader', connected=False,
                        environment={'ASAN_OPTIONS': options})
        equal(vandal.wait(), -signal.SIGSEGV, 'exit status')
        vandal.wait_event('writing') if vandal.is_alive() else \
            check(vandal.events('writing'), 'it never wrote: ' + vandal.output()[-200:])
    steady.wait_slices(50)
    final = steady.finish()
    for what in ('violations', 'crc_wrong', 'skipped'):
        equal(final[what], 0, what)


# ---- sensors -------------------------------------------------------------------------

def replay(name, **keys):
    return sensor(name, **{'source': 'replay', 'replay_file': CAPTURE, 'metadata': METADATA, **keys})


def garbage(path, size):
    with open(path, 'wb') as f:
        f.write(bytes((i * 2654435761 >> 7) & 0xff for i in range(size)))


@case('a sensor that cannot start is degraded and says why; another streams on')
def broken_sensors():
    ouster.write_capture(CAPTURE, 3)
    ouster.write_metadata(METADATA)
    ouster.write_metadata(HERE + '/other.json', beams=32)
    garbage(HERE + '/garbage.pcap', 100000)
    with open(HERE + '/empty.pcap', 'wb'):
        pass
    with open(CAPTURE, 'rb') as f, open(HERE + '/header.pcap', 'wb') as g:
        g.write(f.read(20))
    with open(HERE + '/broken.json', 'w', encoding='utf-8') as f:
        f.write('{"beam_altitude_angles": [')
    system = System(
        sensor('good', crc='yes'),
        replay('missing', replay_file='/nonexistent/a.pcap'),
        replay('garbage', replay_file=HERE + '/garbage.pcap'),
        replay('empty', replay_file=HERE + '/empty.pcap'),
        replay('header', replay_file=HERE + '/header.pcap'),
        replay('nometa', metadata='/nonexistent/a.json'),
        replay('badmeta', metadata=HERE + '/broken.json'),
        replay('othermeta', metadata=HERE + '/other.json'))
    reader = Reader('good', '--check', '--crc', '--queue', 200)
    reader.wait_slices(200)
    status = system.status()
    equal(status['degraded'], True, 'degraded')
    wrong = {'missing': ['/nonexistent/a.pcap'], 'garbage': ['garbage.pcap'],
             'empty': ['empty.pcap'], 'header': ['header.pcap'], 'nometa': ['/nonexistent/a.json'],
             'badmeta': ['broken.json'], 'othermeta': []}
    for name, words in wrong.items():
        s = wait_for(lambda n=name: (lambda x: x if x['error'] else None)(
            find_sensor(get_status(), n)), f'an error of sensor {name}', 20)
        says(s['error'], *words)
        check(s['state'] in ('backoff', 'starting'), f'{name}: state {s["state"]}')
        equal(s['published'], 0, f'{name}: published')
    equal(find_sensor(system.status(), 'good')['restarts'], 0, 'restarts of the good one')
    final = reader.finish()
    for what in ('violations', 'crc_wrong', 'skipped', 'lost', 'restarts'):
        equal(final[what], 0, what)
    note('othermeta: ' + find_sensor(get_status(), 'othermeta')['error'])


@case('a replay that no decoder could decode is a mistake of the configuration')
def impossible_replays():
    for keys, words in (({'decoder': 'nobody'}, ['sensor front', '"nobody"', 'there is: ouster']),
                        ({'metadata': ''}, ['sensor front', 'metadata = FILE'])):
        write_config(replay('front', **keys))
        for how in (['--check'], []):
            status, text = lidard(*how)
            check(status != 0, f'lidard {how} with {keys} took it')
            says(text, *words)


@case('echo and record of a silent sensor say its state and error; record, that room is too little')
def says_why_nothing_came():
    System(sensor('front'), sensor('absent', source='replay', replay_file=HERE + '/none.pcap',
                                   metadata=HERE + '/none.json'))
    for command in (['echo'], ['record', '--output', HERE]):
        status, text = run(f'{BIN}/lidarctl', *command, 'absent', '--timeout', '0.5')
        equal(status, 1, f'exit status of {command}')
        says(text, 'no data from absent for 0.5 s: its state is ', '/none.')
        check('sensor absent' not in text, 'its name twice: ' + text)
    record = [f'{BIN}/lidarctl', 'record', 'front', '--max-bytes', '4096']
    status, text = run(*record, '--output', HERE)
    equal(status, 1, 'exit status with too little for a frame')
    # 32 beams of 1024 columns
    says(text, f'a frame of front needs {32 * 1024 * 32} bytes, --max-bytes is 4096',
         'recorded 0 frames, 0 slices')
    status, text = run(*record, '--format', 'raw', '--output', HERE + '/front.lidard')
    equal(status, 1, 'exit status with too little for a slice')
    says(text, 'a slice of front needs 6', '--max-bytes is 4096')
    equal([n for n in os.listdir(HERE) if n.endswith(('.pcd', '.part', '.lidard'))], [], 'files')


@case('a sensor whose capture appears later starts by itself')
def late_capture():
    if os.path.exists(CAPTURE):
        os.unlink(CAPTURE)
    ouster.write_metadata(METADATA)
    system = System(replay('front'))
    wait_for(lambda: find_sensor(system.status(), 'front')['state'] == 'backoff', 'a failure')
    reader = Reader('front', '--check', connected=False)
    reader.wait_event('subscribed')
    ouster.write_capture(CAPTURE + '.new', 3)
    os.rename(CAPTURE + '.new', CAPTURE)
    reader.wait_slices(10)
    s = find_sensor(system.status(), 'front')
    equal((s['state'], s['error']), ('streaming', ''), 'state and error')
    equal(reader.finish()['violations'], 0, 'violations')


# ---- reload --------------------------------------------------------------------------

def reloaded(system, what):
    """Send SIGHUP and wait for lidard to say so."""
    before = system.lidard.errors()
    system.lidard.signal(signal.SIGHUP)
    wait_for(lambda: what in system.lidard.errors()[len(before):], f'lidard to say "{what}"')


@case('SIGHUP adds, changes and removes sensors; one that did not change streams without a gap')
def reload_sensors():
    spare = sensor('spare', subscriber_slices=1000)
    system = System(sensor('front', crc='yes'), sensor('rear'), spare)
    steady = Reader('front', '--check', '--crc', '--queue', 200)
    rear = Reader('rear', '--check', '--patient')
    rear.wait_slices(5)
    # added: left; removed: spare, whose memory the new one takes
    write_config(sensor('front', crc='yes'), sensor('rear'), sensor('left'))
    reloaded(system, 'left: offered')
    equal([s['name'] for s in system.status()['sensors']], ['front', 'rear', 'left'], 'sensors')
    left = Reader('left', '--check')
    left.wait_slices(5)
    equal(left.finish()['violations'], 0, 'violations')
    # changed: rear
    write_config(sensor('front', crc='yes'), sensor('rear', sim_hz=5), sensor('left'))
    reloaded(system, 'rear: configured anew')
    rear.wait_event('resumed')
    rear.wait_slices(5)
    # removed: rear, left
    write_config(sensor('front', crc='yes'))
    reloaded(system, 'rear: removed')
    equal([s['name'] for s in system.status()['sensors']], ['front'], 'sensors')
    equal(rear.wait_event('error')['errno'], 'ENOENT', 'error of the reader of a removed sensor')
    steady.wait_slices(20)
    final = steady.finish()
    for what in ('violations', 'crc_wrong', 'skipped', 'lost', 'restarts'):
        equal(final[what], 0, what)
    equal(rear.finish()['violations'], 0, 'violations')


@case('SIGHUP with a broken configuration keeps the old one, and says what is wrong')
def reload_broken():
    system = System(sensor('front'), sensor('rear'))
    steady = Reader('front', '--check', '--queue', 200)
    rear = Reader('rear', '--check')
    for broken, words in (
            (lambda: write_config(sensor('front'), extra='[sensor x]\nloans = x\n'), 'loans = x'),
            (lambda: write_config(sensor('front', slice_bytes='1M'), sensor('rear')), 'no pool'),
            (lambda: write_config(sensor('front', subscriber_slices=5000)), 'count'),
            (lambda: write_config(sensor('front'), sensor('rear', sim_beams=1024)), 'slices'),
            (lambda: os.unlink(CONFIG), CONFIG)):
        broken()
        reloaded(system, 'the configuration stays as it was')
        says(system.lidard.errors(), words)
        equal([s['name'] for s in system.status()['sensors']], ['front', 'rear'], 'sensors')
    for r in (steady, rear):
        r.wait_slices(10)
        final = r.finish()
        for what in ('violations', 'skipped', 'lost', 'restarts'):
            equal(final[what], 0, what)


# ---- the service manager ---------------------------------------------------------------

class NotifySocket:
    """The other end of sd_notify()."""

    def __init__(self):
        self.path = HERE + '/notify'
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.lines = []

    def read(self):
        while True:
            try:
                self.lines += self.socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return self.lines

    def wait(self, start, after=0):
        wait_for(lambda: any(line.startswith(start) for line in self.read()[after:]),
                 f'a notification {start}')


@case('the service manager is told: ready, status, watchdog, reload, stopping')
def notify():
    manager = NotifySocket()
    system = System(sensor('front'), environment={'NOTIFY_SOCKET': manager.path,
                                                  'WATCHDOG_USEC': '20000000'})
    for what in ('READY=1', 'STATUS=', 'WATCHDOG=1'):
        manager.wait(what)
    ready = manager.lines.index('READY=1')
    check('WATCHDOG=1' not in manager.lines[:ready], 'a watchdog before it is ready')
    reader = Reader('front')
    manager.wait('STATUS=1 of 1 sensors')
    wait_for(lambda: any('1 subscriber' in line for line in manager.read()), 'the subscriber')
    for broken in (False, True):
        after = len(manager.read())
        if broken:
            write_config(extra='[nonsense]\n')
        system.lidard.signal(signal.SIGHUP)
        manager.wait('RELOADING=1', after)
        manager.wait('MONOTONIC_USEC=', after)
        at = manager.lines.index('RELOADING=1', after)
        manager.wait('READY=1', at)
    after = len(manager.read())
    equal(system.lidard.terminate(5), 0, 'exit status')
    manager.wait('STOPPING=1', after)
    reader.kill()


def timer_intervals(process):
    """Of its periodic timers, ns."""
    found = set()
    for path in glob.glob(f'/proc/{process.pid}/fdinfo/*'):
        with contextlib.suppress(FileNotFoundError), open(path, encoding='utf-8') as info:
            found |= {int(seconds) * 10**9 + int(ns) for seconds, ns in
                      re.findall(r'it_interval: \((\d+), (\d+)\)', info.read())}
    return found - {0}


@case('the watchdog is told often enough, however short its time')
def short_watchdog():
    manager = NotifySocket()
    system = System(sensor('front'))
    for usec, interval_ns in ((20_000_000, 10**9), (2_000_000, 500_000_000),
                              (400_000, 100_000_000)):
        equal(system.lidard.terminate(5), 0, 'exit status')
        after = len(manager.read())
        system.environment = {'NOTIFY_SOCKET': manager.path, 'WATCHDOG_USEC': str(usec)}
        system.restart_lidard()
        manager.wait('WATCHDOG=1', after)
        equal(timer_intervals(system.lidard), {interval_ns}, f'timers with a watchdog of {usec} us')


@case('an abnormal client of the control socket harms nobody')
def odd_clients():
    system = System(sensor('front'))
    steady = Reader('front', '--check', '--queue', 200)
    held = []
    for data in (b'\0', b'{}\0', b'garbage\0', b'{"method": 7}\0', b'[' * 100000 + b'\0',
                 b'{"method": "io.lidard.Nothing"}\0', b'x' * 2_000_000,
                 b'{"method": "io.lidard.Subscribe", "parameters": {"sensor": "front", '
                 b'"queue": -1, "held": 99999999999999999999, "policy": 7}}\0',
                 b'{"method": "io.lidard.GetStatus"'):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(DEADLINE)
        s.connect(SOCKET)
        try:
            s.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        held.append(s)
    steady.wait_slices(50)
    # somebody who asks and never reads
    deaf = socket.socket(socket.AF_UNIX)
    deaf.connect(SOCKET)
    deaf.setblocking(False)
    try:
        for _ in range(100000):
            deaf.send(b'{"method": "io.lidard.GetStatus"}\0')
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        pass
    steady.wait_slices(50)
    check(system.lidard.is_alive(), 'lidard ended')
    check_accounts(system.status())
    for s in [*held, deaf]:
        s.close()
    final = steady.finish()
    for what in ('violations', 'skipped', 'restarts'):
        equal(final[what], 0, what)


if __name__ == '__main__':
    main()
