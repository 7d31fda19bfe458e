#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A sensor at its rate, by DMA into shared memory, to three subscribers that check it.

    test_sensor_rate.py [SECONDS [TRIAL]...]    SECONDS for each (3)

A TRIAL is KIB:MB_PER_S:MODE:CHECK[:DEVICE], as 1024:500:direct:words. A process of the
host (vhost-lidar) is the device of a guest; there lidard gives its loans to lidar_ring
(direct) or copies (copy), and each of three readers looks at the word at the start of
every page (words), or at those and the CRC-32C of every slice (crc).

With the DEVICE sim it is lidar_sim, in a guest of one processor that does an instruction
in each nanosecond of its own clock, be this machine as slow and busy as it likes: what
is lost there, a processor of 1 GHz would lose. It takes five times as long.

What is wrong, or is lost and not counted, fails. How much a machine can carry without
loss is its own affair: losses are printed, by cause, and fail only with
LIDARD_NO_LOSS=1 in the environment.
"""
import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
IN_GUEST = 'LIDARD_IN_GUEST' in os.environ
if not IN_GUEST:
    sys.path.insert(0, os.path.join(HERE, '..', 'kmod'))
import direct
import harness
from harness import (Failed, Process, Reader, check, check_accounts, equal, find_sensor,
                     find_subscriber, note, sensor)

SECONDS = 3
TRIALS = ['64:50:direct:words', '1024:60:copy:crc']
MEMORY = '6G'


class Trial:
    def __init__(self, text):
        kib, rate, self.mode, self.check, *device = text.split(':')
        self.has_sim = device == ['sim']
        self.text, self.slice_bytes, self.mb_per_s = text, int(kib) << 10, int(rate)
        # of the sensor's time: 50 ms in the device, a quarter of a second in each queue
        per_s = self.mb_per_s * 1e6 / self.slice_bytes
        self.loans = int(min(max(4, per_s / 20), 250))
        self.queue = int(min(max(2, per_s / 4), 250))
        self.held = 2
        # nobody would have thousands of interrupts and wake-ups a second
        self.interrupts = ['--interrupt-us', '1000'] if per_s > 1000 else []
        self.waits = ['--wait', 'poll', '--nap', 5] if per_s > 1000 else []

    def subscriber_slices(self):
        return 3 * (self.queue + self.held) + 1


# ---- in the guest ----------------------------------------------------------------

def reader_of(trial):
    crc = ['--crc'] if trial.check == 'crc' else []
    return Reader('front', '--pattern', '--check', *crc, *trial.waits, '--queue', trial.queue,
                  '--held', trial.held, '--stats-ms', 1000)


def inspect(trial, reader):
    final = reader.finish()
    equal((final['violations'], final['crc_wrong']), (0, 0), 'what the reader found wrong')
    if trial.check == 'crc':
        equal(final['crc_checked'], final['slices'], 'slices with a CRC')
    check(final['slices'] > 0, 'slices arrive')


def get_lost(status, readers):
    """By cause: before the readers, and by them."""
    lost = collections.Counter(find_sensor(status, 'front')['dropped'])
    for reader in readers:
        lost += collections.Counter(find_subscriber(status, reader)['total_skipped'])
    return lost


def stream(trial, seconds):
    """Return: how many slices were lost."""
    path = '/dev/lidar0'
    if trial.has_sim:
        path = direct.Sim(slice_bytes=trial.slice_bytes, pattern='words',
                          crc=int(trial.check == 'crc'),
                          rate_bytes_per_s=int(trial.mb_per_s * 1e6)).device
    system = direct.up(sensor('front', source='device', device=path, loans=trial.loans,
                              device_mode=trial.mode, device_format='xyzirt',
                              slice_bytes=trial.slice_bytes, queue=trial.queue, held=trial.held,
                              subscriber_slices=trial.subscriber_slices()))
    # as lidard.service has it
    os.setpriority(os.PRIO_PROCESS, system.lidard.pid, -10)
    os.sched_setscheduler(system.lidard.pid, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    readers = [reader_of(trial) for _ in range(3)]
    # what was lost while the programs were loaded is not the stream's
    for reader in readers:
        reader.wait_slices(trial.queue)
    begin, before = time.monotonic(), system.status()
    time.sleep(seconds)
    status, took = system.status(), time.monotonic() - begin
    check_accounts(status)
    first, last = find_sensor(before, 'front'), find_sensor(status, 'front')
    equal(last['state'], 'streaming', 'the sensor')
    equal(last['copied_bytes'], 0 if trial.mode == 'direct' else last['bytes'], 'bytes copied')
    lost = get_lost(status, readers) - get_lost(before, readers)
    for reader in readers:
        inspect(trial, reader)
    note(f'{trial.text}: {(last["bytes"] - first["bytes"]) / took / 1e6:.0f} MB/s for {took:.0f} s, '
         f'{last["produced"] - first["produced"]} slices, lost {dict(lost) or "nothing"}')
    return lost.total()


def inside(text, seconds, no_loss):
    direct.prepare()
    if Trial(text).has_sim:
        # while nobody has work the guest's clock is the host's, and leaps if that is late
        Process('never-idle', ['chrt', '--idle', '0', 'sh', '-c', 'while :; do :; done'])
    try:
        lost = stream(Trial(text), float(seconds))
        check(no_loss != '1' or not lost, f'{lost} slices lost')
    except Failed as failed:
        for process in harness.Process.all:
            process.show()
        sys.exit(f'{text}: {failed}')
    finally:
        direct.clean_up()


# ---- on the host -----------------------------------------------------------------

def device(folder, trial):
    """Start the process that is the device. Return: it, and what QEMU must know of it."""
    path = f'{folder}/lidar'
    process = subprocess.Popen([f'{harness.BUILD}/tests/vm/vhost-lidar', '--socket', path, '--rate',
                                str(trial.mb_per_s), '--slice-bytes', str(trial.slice_bytes),
                                *trial.interrupts,
                                *(['--crc'] if trial.check == 'crc' else [])],
                               stdout=subprocess.PIPE, text=True)
    harness.wait_for(lambda: os.path.exists(path), 'vhost-lidar to listen')
    arguments = ['-object', f'memory-backend-memfd,id=shared,size={MEMORY},share=on',
                 '-numa', 'node,memdev=shared', '-chardev', f'socket,id=lidar,path={path}',
                 '-device', 'vhost-user-fs-pci,chardev=lidar,tag=lidar:0,queue-size=256']
    return process, [f'--qemu-arg={a}' for a in arguments]


def run_sim_trial(text, seconds, no_loss):
    return direct.run_guest('test_sensor_rate.py', [text, str(seconds), no_loss], MEMORY,
                            timeout=600 + 100 * seconds, more=['--count-instructions'])


def run_trial(text, seconds):
    """Return: exit status of the guest."""
    no_loss = os.environ.get('LIDARD_NO_LOSS', '')
    if Trial(text).has_sim:
        return run_sim_trial(text, seconds, no_loss)
    with tempfile.TemporaryDirectory(prefix='lidard-rate-') as folder:
        process, arguments = device(folder, Trial(text))
        try:
            status = direct.run_guest('test_sensor_rate.py', [text, str(seconds), no_loss], MEMORY,
                                      more=arguments)
        finally:
            process.send_signal(signal.SIGTERM)
            account = process.communicate()[0]
    if status == 0:
        produced = json.loads(account)
        note(f'device: {produced["delivered"]} delivered of {produced["produced"]}')
    return status


def outside(seconds, trials):
    print(f'TAP version 13\n1..{len(trials)}', flush=True)
    bad = 0
    for number, text in enumerate(trials, 1):
        status = run_trial(text, seconds)
        if status == 77:
            print(f'ok {number} - {text} # SKIP needs a virtual machine', flush=True)
            continue
        bad += status != 0
        print(f'{"not " if status else ""}ok {number} - {text}', flush=True)
    sys.exit(bad != 0)


if __name__ == '__main__':
    direct.STAGED.append('tests/vm/test_sensor_rate.py')
    if IN_GUEST:
        inside(*sys.argv[1:])
    else:
        outside(float(sys.argv[1]) if sys.argv[1:] else SECONDS, sys.argv[2:] or TRIALS)
