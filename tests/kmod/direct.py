#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lidard on a device of lidar_ring, in a guest: RouDi, lidard, readers, and the device's DMA.

    direct.py [CASE]...     the cases whose name holds one of these words

Outside, this starts the guest; there it makes devices of lidar_sim.  What a
device wrote is known by the word at the beginning of each page and by the CRC
the device computed, both checked by every reader.  The trials of a lidard that
goes down have a witness (witness.c): it takes the memory a dead lidard had, at
the first moment it can be had, and any byte that changes in it was written by
the device after the memory had got another owner.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
IN_GUEST = 'LIDARD_IN_GUEST' in os.environ
sys.path.insert(0, HERE if IN_GUEST else os.path.join(HERE, '..', 'system'))
import harness
import ouster
from harness import (Lidard, Process, Reader, Roudi, System, case, check, check_accounts, equal,
                     find_sensor, note, sensor, wait_for)

STAGED = ['tests/kmod/direct.py', 'tests/system/harness.py', 'tests/system/ouster.py',
          'tests/system/sandbox.py']
MODULES = ['lidar_ring', 'lidar_sim']
SIM = '/sys/kernel/config/lidar_sim'
TRACING = '/sys/kernel/tracing'
SLICE = 256 << 10
# what an emulated machine can follow: 20 slices a second
RATE = 20 * SLICE
LOANS = 16
harness.PROGRAMS.append('tests/system/witness')
TRACE = 'trace/lidard-trace'
if os.path.exists(f'{harness.BUILD}/{TRACE}'):
    harness.PROGRAMS.append(TRACE)


# ---- outside -------------------------------------------------------------------

def stage(folder):
    root = os.environ.get('LIDARD_SOURCE_ROOT') or os.path.join(HERE, '..', '..')
    for path in STAGED:
        shutil.copy(os.path.join(root, path), folder)
    for program in harness.PROGRAMS + ['meson-info/intro-buildoptions.json']:
        os.makedirs(os.path.dirname(f'{folder}/build/{program}'), exist_ok=True)
        shutil.copy(f'{harness.BUILD}/{program}', f'{folder}/build/{program}')


def run_guest(script, arguments, memory='3G', timeout=1500, modules=None, slower=1, more=()):
    """Run a staged script in a guest.

    modules: where those for another kernel are; slower: how many times it is slower than others;
    more: for tests/vm/guest. Return: exit status.
    """
    root = os.environ.get('LIDARD_SOURCE_ROOT') or os.path.join(HERE, '..', '..')
    options = [a for m in MODULES
               for a in ('--module', f'{modules or harness.BUILD + "/kmod"}/{m}.ko')]
    if os.path.isdir(harness.DATA):
        options += ['--share', harness.DATA]
    with tempfile.TemporaryDirectory(prefix='lidard-direct-') as folder:
        stage(folder)
        return subprocess.run([root + '/tests/vm/guest', '--memory', memory, '--timeout',
                               str(timeout), *options, *more, '--share', folder, '--', 'env',
                               f'LIDARD_BUILD_ROOT={folder}/build',
                               f'LIDARD_TEST_DATA={harness.DATA}',
                               f'LIDARD_TEST_SLOWER={slower}', 'python3', '-B',
                               f'{folder}/{script}', *arguments], check=False).returncode


def outside(script='direct.py', **more):
    """Run it again, in a guest, as run_guest()."""
    status = run_guest(script, more.pop('arguments', sys.argv[1:]), **more)
    if status == 77:
        print('1..0 # SKIP needs a virtual machine')
    sys.exit(status)


# ---- devices -------------------------------------------------------------------

def write(path, text):
    with open(path, 'w', encoding='ascii') as f:
        f.write(f'{text}\n')


def read(path):
    with open(path, encoding='ascii') as f:
        return f.read().strip()


class Sim:
    """A virtual LIDAR, for the length of a case."""
    all = []

    def __init__(self, name='sim', **settings):
        self.path = f'{SIM}/{name}'
        os.mkdir(self.path)
        Sim.all.append(self)
        for key, value in {'slice_bytes': SLICE, 'slices_per_frame': 8, 'rate_bytes_per_s': RATE,
                           'crc': 1, **settings}.items():
            write(f'{self.path}/{key}', value)
        self.plug()

    def plug(self):
        write(self.path + '/live', 1)
        name = wait_for(lambda: read(self.path + '/device'), 'the device to get a name')
        self.device = f'/dev/{name}'
        wait_for(lambda: os.path.exists(self.device), self.device)

    def unplug(self):
        write(self.path + '/unplug', 1)

    def set(self, key, value):
        write(f'{self.path}/{key}', value)

    def remove(self):
        write(self.path + '/live', 0)
        os.rmdir(self.path)


def clean_up():
    Process.all.sort(key=lambda p: p.name == 'roudi')
    harness.clean_up()
    while Sim.all:
        Sim.all.pop().remove()


def front(sim, **more):
    return sensor('front', source='device', device=sim.device, slice_bytes=SLICE, loans=LOANS,
                  subscriber_slices=300, crc='yes', **more)


def up(*sensors):
    """RouDi and lidard, as the service manager brings them up.

    An emulated RouDi on a busy machine may answer too late for lidard, which
    then ends, to be started again together with it.
    """
    system = System.__new__(System)
    system.users, system.environment = False, None
    harness.write_config(*sensors)
    system.roudi = Roudi()
    for _ in range(3):
        system.lidard = Lidard(ready=False)
        try:
            system.lidard.wait_for_line('ready: accepting subscriptions')
            return system
        except harness.Failed:
            equal(system.lidard.wait(0), 75, 'exit status of lidard')
            system.roudi.clear()
            system.roudi = Roudi()
    raise harness.Failed('lidard did not find a RouDi that answers')


def owner_state(sim):
    """Is anybody streaming? The state as sysfs shows it."""
    return read(f'/sys/class/lidar/{os.path.basename(sim.device)}/state')


# ---- streaming -----------------------------------------------------------------

READER = ['--check', '--crc', '--pattern', '--queue', 60, '--held', 4]


def stream(mode):
    sim = Sim()
    system = up(front(sim, device_mode=mode))
    readers = [Reader('front', *READER) for _ in range(3)]
    for reader in readers:
        reader.wait_slices(60)
    status = system.status()
    check_accounts(status)
    s = find_sensor(status, 'front')
    equal((s['source'], s['state'], s['model'], s['format']), ('device', 'streaming', 'lidar_sim', 2),
          'the sensor')
    lost = sum(s['dropped'].values())
    for reader in readers:
        final = reader.finish()
        equal((final['violations'], final['crc_wrong']), (0, 0), 'what the reader found')
        check(final['crc_checked'] >= 60, f'checked {final["crc_checked"]} slices')
        equal(final['skipped'], 0, 'slices a reader missed')
    note(f'{mode}: {s["produced"]} slices produced, {lost} lost, {s["copied_bytes"]} bytes copied, '
         f'{s["bytes"]} published')
    equal(lost, 0, 'slices lost')
    return system, sim, s


@case('direct: three readers get what the device wrote, and nothing is copied or lost')
def stream_direct():
    _, _, s = stream('direct')
    equal(s['copied_bytes'], 0, 'bytes copied')


@case('copy: the same, and every slice is copied once however many read it')
def stream_copy():
    _, _, s = stream('copy')
    equal(s['copied_bytes'], s['bytes'], 'bytes copied')


@case('a gap of two causes is counted under each: what the device drops while it starves')
def two_causes():
    sim = Sim()
    system = up(front(sim, device_mode='direct'))
    reader = Reader('front', *READER)
    reader.wait_slices(10)
    equal(sum(find_sensor(system.status(), 'front')['dropped'].values()), 0, 'slices lost before')
    lost = int(read(sim.path + '/lost'))
    # the device has nothing more to fill once lidard gives back no loan
    system.lidard.freeze()
    wait_for(lambda: int(read(sim.path + '/lost')) >= lost + 3, 'the device to starve')
    sim.set('drop', 5)
    wait_for(lambda: int(read(sim.path + '/lost')) >= lost + 12, 'it to drop some')
    system.lidard.thaw()
    reader.wait_slices(40)
    dropped = find_sensor(system.status(), 'front')['dropped']
    final = reader.finish()
    equal((final['violations'], final['crc_wrong']), (0, 0), 'what the reader found')
    note(f'dropped {dropped}, the reader misses {final["lost_upstream"]}')
    equal(dropped['device'], 5, 'lost in the device')
    equal(dropped['no_loan'], int(read(sim.path + '/lost')) - lost - 5, 'lost for want of a loan')
    equal(sum(dropped.values()), final['lost_upstream'], 'all that was lost')


@case('a step of the sensor\'s clock is counted, and said')
def clock_step():
    sim = Sim()
    system = up(front(sim))
    Reader('front', *READER).wait_slices(10)
    equal(find_sensor(system.status(), 'front')['clock_steps'], 0, 'steps before')
    sim.set('clock_step_ticks', -50000000)
    wait_for(lambda: find_sensor(system.status(), 'front')['clock_steps'] == 1, 'the step to be counted')
    status, said = harness.run(f'{harness.BIN}/lidarctl', 'status', '--socket', harness.SOCKET)
    check(status == 0 and "clock       the sensor's, steps: 1" in said, f'it is not said: {said}')


@case('auto is direct where it can be')
def auto_is_direct():
    sim = Sim()
    system = up(front(sim))
    Reader('front', *READER).wait_slices(10)
    equal(find_sensor(system.status(), 'front')['copied_bytes'], 0, 'bytes copied')


@case('auto copies where memory may not be pinned, and the log says why')
def auto_copies():
    sim = Sim()
    harness.write_config(front(sim))
    Roudi()
    lidard = Process('lidard', ['prlimit', '--memlock=65536:65536', 'setpriv',
                                '--bounding-set=-ipc_lock', f'{harness.BIN}/lidard', '-c',
                                harness.CONFIG])
    lidard.wait_for_line('ready: accepting subscriptions')
    reader = Reader('front', *READER)
    reader.wait_slices(10)
    equal(reader.finish()['violations'], 0, 'violations')
    s = find_sensor(harness.get_status(), 'front')
    equal(s['copied_bytes'], s['bytes'], 'bytes copied')
    check('copying every slice (device_mode = auto): may not pin' in lidard.errors(),
          'the log says why: ' + lidard.errors())
    check('LimitMEMLOCK=' in lidard.errors(), 'the log says what to change')


# ---- the same memory -------------------------------------------------------------

class Trace:
    """Which bus address the device was given for which slice."""

    def __enter__(self):
        # the first segment's dma_address, in the scatterlist the DMA controller is handed
        write(TRACING + '/kprobe_events',
              'p:lidard_test/prepared lidar_sim:prep_slave_sg address=+16(%si):x64')
        for event in ('lidar/slice_begin', 'lidar/slice_done', 'lidard_test/prepared'):
            write(f'{TRACING}/events/{event}/enable', 1)
        return self

    def __exit__(self, *_):
        for event in ('lidar/slice_begin', 'lidar/slice_done', 'lidard_test/prepared'):
            write(f'{TRACING}/events/{event}/enable', 0)
        write(TRACING + '/kprobe_events', '')
        write(TRACING + '/trace', '')

    def addresses(self):
        """Bus address by seq."""
        begun, of_slot, found = {}, {}, {}
        with open(TRACING + '/trace', encoding='ascii') as f:
            for line in f:
                task = line.split('[')[0].strip()
                slot = re.search(r'slot=(\d+)', line)
                if 'slice_begin' in line:
                    begun[task] = slot[1]
                elif 'prepared' in line and task in begun:
                    of_slot[begun.pop(task)] = int(re.search(r'address=0x([0-9a-f]+)', line)[1], 16)
                elif 'slice_done' in line and slot[1] in of_slot:
                    found[int(re.search(r'seq=(\d+)', line)[1])] = of_slot.pop(slot[1])
        return found


@case('the pages the device is given are the pages the readers map')
def same_pages():
    if not os.path.exists(TRACING + '/events/lidar'):
        subprocess.run(['mount', '-t', 'tracefs', 'none', TRACING], check=True)
    sim = Sim()
    up(front(sim, device_mode='direct'))
    with Trace() as trace:
        readers = [Reader('front', *READER, '--pages') for _ in range(2)]
        for reader in readers:
            reader.wait_slices(40)
        addresses = trace.addresses()
    for reader in readers:
        pages = {e['seq']: e['frame'] for e in reader.events('page')}
        both = [seq for seq in pages if seq in addresses]
        check(len(both) >= 30, f'{len(both)} slices seen by the device and by the reader')
        for seq in both:
            equal(pages[seq] << 12, addresses[seq], f'address of slice {seq}')
        note(f'{len(both)} slices, {len({pages[s] for s in both})} different places: the page '
             f'behind the bus address is the page behind the reader\'s mapping')


# ---- late interrupts ----------------------------------------------------------------

def watch(late_ms):
    """A lidard-trace, with this threshold."""
    if TRACE not in harness.PROGRAMS:
        raise harness.Skip('lidard-trace is not built')
    if not os.path.ismount('/sys/fs/bpf'):
        subprocess.run(['mount', '-t', 'bpf', 'none', '/sys/fs/bpf'], check=True)
    trace = Process('trace', [f'{harness.BIN}/lidard-trace', '--clear', '--late', str(late_ms),
                              '--daemon', f'{harness.BIN}/lidard', '--library',
                              f'{harness.BIN}/liblidard.so.0'])
    trace.wait_for_line('watching ')
    return trace


def latency(*options):
    return harness.run(f'{harness.BIN}/lidarctl', 'latency', '--socket', harness.SOCKET, *options)


def outliers():
    status, said = latency('--outliers', '--json')
    equal(status, 0, f'exit status: {said}')
    return [o for o in json.loads(said)['outliers'] if o['client'] == 'test_reader']


def blame_interrupts(sim, reader):
    """Return: the number of the last outlier."""
    sim.set('late_irq_us', 100000)
    reader.wait_slices(15)
    sim.set('late_irq_us', 0)
    found = outliers()
    late = [o for o in found if o['parts_ns']['interrupt'] >= 100e6]
    blamed = [o['blame'] for o in late]
    note(f'{len(late)} outliers with a late interrupt, blamed: {set(blamed)}')
    check(len(late) >= 10, f'{len(late)} outliers with a late interrupt: {found}')
    check(blamed.count('interrupt') >= 0.8 * len(blamed), f'blamed: {blamed}')
    return found[-1]['number']


def blame_lidard(system, reader, last):
    """Interrupts come in time, and nobody takes what they tell of."""
    system.lidard.freeze()
    time.sleep(0.5)
    system.lidard.thaw()
    reader.wait_slices(10)
    blamed = [o['blame'] for o in outliers() if o['number'] > last + 2]
    check(blamed.count('daemon') >= 3, f'blamed while lidard was stopped: {blamed}')
    check('interrupt' not in blamed, f'blamed while lidard was stopped: {blamed}')


def selftest_device(sim):
    sim.set('late_irq_us', 7)
    options = ('--selftest', '--sensor', 'front', '--delay', '60')
    for _ in range(15):  # an emulated machine is late by itself, for minutes where others use it
        status, said = latency(*options)
        if status == 0:
            break
    equal(status, 0, f'self-test: {said}')
    for by, stage in (('stamps', 'ready'), ('bpf', 'ready'), ('bpf', 'interrupt')):
        check(re.search(rf'^late interrupt +{by} +{stage} .*expected +60.000 ms: ok$', said, re.M),
              f'{stage} by {by}: {said}')
    equal(read(sim.path + '/late_irq_us'), '7', 'late_irq_us afterwards')
    again = Process('selftest', [f'{harness.BIN}/lidarctl', 'latency', '--socket', harness.SOCKET,
                                 *options])
    wait_for(lambda: read(sim.path + '/late_irq_us') == '60000', 'interrupts to be late')
    again.signal(signal.SIGINT)
    equal(again.wait(), 1, 'exit status of a self-test that is interrupted')
    equal(read(sim.path + '/late_irq_us'), '7', 'late_irq_us after a signal')


@case('a late interrupt is blamed, and not a late lidard; the self-test delays some, and puts back')
def late_interrupts():
    # BPF is work enough for an emulated machine: small slices, and nobody looks into them
    sim = Sim(slice_bytes=SLICE // 4, rate_bytes_per_s=RATE // 4, crc=0)
    watch(60)
    system = up(sensor('front', source='device', device=sim.device, device_mode='direct',
                       slice_bytes=SLICE // 4, loans=LOANS, subscriber_slices=300))
    reader = Reader('front', '--queue', 60, '--held', 4)
    reader.wait_slices(10)
    last = blame_interrupts(sim, reader)
    blame_lidard(system, reader, last)
    reader.finish()
    selftest_device(sim)


# ---- devices that come and go ------------------------------------------------------

@case('a device that is absent at the start is a degraded sensor; when it comes, it streams')
def absent():
    system = up(sensor('front', source='device', device='/dev/lidar0', slice_bytes=SLICE,
                           loans=LOANS, subscriber_slices=300))
    status = system.status()
    equal((status['degraded'], find_sensor(status, 'front')['state']), (True, 'backoff'), 'status')
    check('there is no /dev/lidar0' in find_sensor(status, 'front')['error'], 'the error is said')
    reader = Reader('front', *READER)
    equal(Sim().device, '/dev/lidar0', 'the device')
    reader.wait_slices(10)
    equal(reader.finish()['violations'], 0, 'violations')
    equal(system.status()['degraded'], False, 'degraded')


def unplugged(mode):
    sim = Sim()
    system = up(front(sim, device_mode=mode))
    reader = Reader('front', *READER)
    for _ in range(3):
        reader.wait_slices(10)
        sim.unplug()
        wait_for(lambda: find_sensor(system.status(), 'front')['state'] == 'backoff',
                 'the sensor to notice')
        sim.set('live', 0)
        sim.plug()
        reader.wait_slices(10)
    check_accounts(system.status())
    final = reader.finish()
    equal((final['violations'], final['crc_wrong'], final['incarnations']), (0, 0, 4),
          'what the reader found')
    check('is gone; retrying' in system.lidard.errors(), 'the log says it')


@case('direct: a device that is unplugged while it streams, three times')
def unplug_direct():
    unplugged('direct')


@case('copy: the same')
def unplug_copy():
    unplugged('copy')


# ---- packets ------------------------------------------------------------------------

METADATA = harness.HERE + '/made-up.json'
SLICES = 4  # of a frame
PACKETS = ouster.COLUMNS // ouster.COLUMNS_PER_PACKET // SLICES
POINTS = ouster.POINTS // SLICES
MM = POINTS // ouster.BEAMS * sum(ouster.range_mm(b) for b in range(ouster.BEAMS))


def feed(frames):
    """Write frames of packets, slice by slice, as fast as the device takes them."""
    with open('/dev/lidar_sim_sim', 'wb', buffering=0) as f:
        for frame in range(1, frames + 1):
            for first in range(0, PACKETS * SLICES, PACKETS):
                data = b''
                for place in range(first, first + PACKETS):
                    packet = ouster.lidar_packet(frame, place)
                    data += len(packet).to_bytes(4, 'little') + packet
                    data += bytes(-len(data) % 8)
                equal(f.write(data), len(data), 'bytes of a slice written')


def packets(**more):
    sim = Sim(format='packets', source='feed', slices_per_frame=SLICES, rate_bytes_per_s=4 << 20)
    wait_for(lambda: os.path.exists('/dev/lidar_sim_sim'), 'the device to be fed')
    ouster.write_metadata(METADATA)
    return up(front(sim, metadata=METADATA, **more))


@case('packets are published as they are, and decoded by the reader')
def packets_raw():
    system = packets(device_mode='direct')
    reader = Reader('front', '--crc', '--decode', '--queue', 100, '--held', 4)
    feed(10)
    wait_for(lambda: reader.stats()['slices'] == 10 * SLICES, 'ten frames')
    s = find_sensor(system.status(), 'front')
    equal((s['format'], s['copied_bytes'], sum(s['dropped'].values())), (1, 0, 0), 'the sensor')
    final = reader.finish()
    equal((final['violations'], final['crc_wrong']), (0, 0), 'what the reader found')
    equal((final['decoded_points'], final['decoded_mm']), (10 * SLICES * POINTS, 10 * SLICES * MM),
          'points decoded, and the sum of their ranges')


@case('packets are decoded by lidard, a copy that is counted')
def packets_decoded():
    system = packets(device_packets='decode')
    reader = Reader('front', '--check', '--crc', '--queue', 100, '--held', 4)
    feed(10)
    # the last frame is whole when its last packet is there
    wait_for(lambda: find_sensor(system.status(), 'front')['frames'] == 10, 'ten frames')
    s = find_sensor(system.status(), 'front')
    equal((s['format'], s['partial_frames'], s['packets'], s['bad_packets'], s['missing_columns']),
          (2, 0, 10 * SLICES * PACKETS, 0, 0), 'the sensor')
    equal(s['copied_bytes'], s['bytes'], 'bytes copied')
    equal(s['bytes'], 10 * ouster.POINTS * 32, 'bytes published')
    wait_for(lambda: reader.stats()['points'] == 10 * ouster.POINTS, 'all points')
    equal(reader.finish()['violations'], 0, 'violations')


# ---- memory that changes its owner ----------------------------------------------------

class Witness(Process):
    def __init__(self, name, seconds=4):
        super().__init__('witness', [f'{harness.BIN}/witness', name, str(SLICE), str(seconds)])
        self.wait_for_line('ready')

    def finish(self):
        """Return: (chunks it had, bytes that changed in them)."""
        equal(self.wait(), 0, 'exit status of the witness')
        final = json.loads(self.output().splitlines()[-1])
        return final['chunks'], final['written']


def streaming():
    """Direct, and the DMA is running. Return: (device, system)."""
    sim = Sim()
    system = up(front(sim, device_mode='direct'))
    Reader('front', '--check', '--queue', 60, '--held', 4).wait_slices(2 * LOANS)
    # what is queued is enough for 8 s: left alone, the device would write all that time
    sim.set('rate_bytes_per_s', 2 * SLICE)
    return sim, system


def wait_for_lock():
    """As a successor: lidard's lock is free when its predecessor is no more."""
    with open('/run/lidard/lock', 'rb') as f:
        fcntl.flock(f, fcntl.LOCK_EX)


def succeed(least, what):
    """Become the dead lidard's successor, and watch what it had."""
    started = time.monotonic()
    wait_for_lock()
    waited = time.monotonic() - started
    chunks, written = Witness('lidard').finish()
    note(f'{what}: lock free after {waited * 1e3:.0f} ms, {chunks} chunks watched for 4 s, '
         f'{written} bytes written')
    check(chunks >= least, f'the witness had {chunks} chunks')
    equal(written, 0, 'bytes written after the memory had changed its owner')


@case('the witness sees it when DMA goes on: lidard frozen and robbed of its name')
def control():
    _, system = streaming()
    system.lidard.freeze()
    # what nobody may do: RouDi then gives the loans of a living lidard away
    os.unlink('/tmp/lidard.lock')
    chunks, written = Witness('lidard').finish()
    note(f'frozen and robbed: {chunks} chunks watched, {written} bytes written')
    check(written > 0, 'the witness saw nothing, so it proves nothing')


@case('kill -9 of lidard')
def killed():
    _, system = streaming()
    system.lidard.signal(signal.SIGKILL)
    succeed(200, 'kill -9')
    system.lidard.wait()


@case('lidard stopped by SIGSTOP keeps what it has')
def frozen():
    sim, system = streaming()
    system.lidard.freeze()
    chunks, written = Witness('somebody').finish()
    note(f'SIGSTOP: {chunks} chunks watched for 4 s, {written} bytes written')
    check(chunks >= 200, f'the witness had {chunks} chunks')
    equal(written, 0, 'bytes written into what lidard does not own')
    system.lidard.thaw()
    reader = Reader('front', *READER)
    reader.wait_slices(10)
    equal(reader.finish()['violations'], 0, 'violations after it went on')
    equal(owner_state(sim), 'streaming', 'the device')


@contextlib.contextmanager
def slow_core_dumps(seconds):
    before = read('/proc/sys/kernel/core_pattern')
    # the kernel runs it outside of our namespaces
    outside_helper = f'{os.path.dirname(harness.BUILD)}/slow-dump'
    write(outside_helper, f'#!/bin/sh\nsleep {seconds}\ncat > /dev/null')
    os.chmod(outside_helper, 0o755)
    write('/proc/sys/kernel/core_pattern', f'|{outside_helper}')
    try:
        yield
    finally:
        write('/proc/sys/kernel/core_pattern', before)


@case('a crash of lidard whose core dump takes 5 s')
def crashed():
    _, system = streaming()
    with slow_core_dumps(5):
        started = time.monotonic()
        system.lidard.signal(signal.SIGSEGV)
        # meanwhile whoever is not the successor gets nothing that it had
        chunks, written = Witness('somebody', 2).finish()
        equal(written, 0, 'bytes written while it dumped core')
        check(chunks >= 200, f'the witness had {chunks} chunks')
        succeed(LOANS, 'crash with a slow core dump, the rest')
        check(time.monotonic() - started > 4, 'the core dump did not take its time')
    system.lidard.wait()


def pidfd_getfd(process, fd):
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(process.pid)
    found = libc.syscall(438, pidfd, fd, 0)
    os.close(pidfd)
    check(found >= 0, f'pidfd_getfd: {os.strerror(ctypes.get_errno())}')
    return found


def device_fd(process, device):
    folder = f'/proc/{process.pid}/fd'
    return next(int(fd) for fd in os.listdir(folder)
                if os.readlink(f'{folder}/{fd}') == device)


@case('kill -9 of lidard while another process holds the file of its device')
def inherited():
    sim, system = streaming()
    held = pidfd_getfd(system.lidard, device_fd(system.lidard, sim.device))
    try:
        system.lidard.signal(signal.SIGKILL)
        succeed(200, 'the file held elsewhere')
        note(f'the device is {owner_state(sim)}')
        check(owner_state(sim) != 'streaming', 'the device still streams')
    finally:
        os.close(held)
    system.lidard.wait()
    wait_for(lambda: owner_state(sim) == 'idle', 'the device to be free')


@case('kill -9 of RouDi: lidard ends, and what the next RouDi has is not written by the old one')
def broker_killed():
    sim, system = streaming()
    system.roudi.clear()
    system.roudi = Roudi()
    chunks, written = Witness('somebody').finish()
    note(f'kill -9 of RouDi: {chunks} chunks watched for 4 s, {written} bytes written')
    check(chunks >= 200, f'the witness had {chunks} chunks')
    equal(written, 0, 'bytes written into the memory of the next RouDi')
    equal(system.lidard.wait(), 75, 'exit status of lidard')
    wait_for(lambda: owner_state(sim) == 'idle', 'the device to be free')


@case('kill -9 of lidard, ten times: the next one streams, readers resume in the same process')
def many_kills():
    sim = Sim()
    system = up(front(sim, device_mode='direct'))
    reader = Reader('front', *READER)
    for _ in range(10):
        reader.wait_slices(5)
        system.lidard.kill()
        system.succeed()
    reader.wait_slices(5)
    final = reader.finish()
    equal((final['violations'], final['crc_wrong']), (0, 0), 'what the reader found')
    check(final['incarnations'] >= 11, f'{final["incarnations"]} incarnations')
    check_accounts(system.status())


def prepare():
    if not os.path.isdir(SIM):
        subprocess.run(['mount', '-t', 'configfs', 'none', '/sys/kernel/config'], check=True)
    reason = harness.sandbox.enter()
    if reason:
        print(f'1..0 # SKIP {reason}')
        sys.exit(0)
    # the module's own: a device's memory is pinned
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    harness.install_programs()


def main():
    if not IN_GUEST:
        return outside()
    prepare()
    return harness.run_cases(clean_up)


if __name__ == '__main__':
    main()
