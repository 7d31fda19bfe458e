#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lidarctl demo, and the other subcommands against the system it runs.

The demo makes a corner of the machine of its own, so this needs no other.
"""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness import ABSENT, DATA, is_sanitized

BUILD = os.environ.get('LIDARD_BUILD_ROOT', 'build')
LIDARCTL = os.path.join(BUILD, 'tools', 'lidarctl')


class Skip(Exception):
    pass


def run(*words, seconds=90):
    return subprocess.run([LIDARCTL, *words], capture_output=True, text=True, timeout=seconds)


def demo(*words, seconds=90):
    done = run('demo', '--json', *words, seconds=seconds)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ''
    assert last, done.stderr[-2000:]
    return done.returncode, json.loads(last), done.stderr


def check_accounts(report):
    sensor = report['sensors'][0]
    assert sensor['produced'] == sensor['published'] + sum(sensor['dropped'].values()), sensor
    for s in report['subscribers']:
        assert s['published'] == s['received'] + sum(s['skipped'].values()) + s['waiting'], s
        assert s['received'] > 0, s


def three_clients():
    status, report, text = demo('--seconds', '2', '--rate', '50', '--record-bytes', '64M')
    check_accounts(report)
    assert [s['role'] for s in report['subscribers']] == ['perception', 'perception', 'recording']
    lost = [sum(s['skipped'].values()) for s in report['subscribers']]
    assert status == (0 if report['ok'] else 1), status
    assert report['ok'] or sum(lost) or sum(report['sensors'][0]['dropped'].values()), text
    assert report['subscribers'][2]['kept_frames'] > 0, report['subscribers'][2]


def small_slices():
    _, report, _ = demo('--seconds', '2', '--rate', '20', '--slice-bytes', '64K',
                        '--subscribers', '8', '--record-bytes', '64M')
    check_accounts(report)
    assert len(report['subscribers']) == 8


def recordings():
    captures = sorted(glob.glob(os.path.join(DATA, 'expected', 'ouster_*.json')))
    if not captures:
        raise Skip(ABSENT)
    for path in captures:
        with open(path, encoding='utf-8') as f:
            expected = json.load(f)
        folder = os.path.join(DATA, 'ouster')
        status, report, text = demo('--replay', os.path.join(folder, expected['capture']),
                                    '--metadata', os.path.join(folder, expected['metadata']),
                                    '--once', '--subscribers', '2')
        assert status == 0 and report['ok'], text
        check_accounts(report)
        found = {f['frame_id']: f for f in report['frames']}
        for frame in expected['frames']:
            compare(expected['capture'], found[frame['frame_id']], frame)


def compare(name, found, expected):
    assert found['points'] == expected['points_nonzero_range'], (name, found)
    assert found['second_return_points'] == expected.get('points_nonzero_range2', 0), (name, found)
    for ours, theirs in (('x', 'x'), ('y', 'y'), ('z', 'z'), ('range', 'range_m')):
        for what in ('min', 'max', 'mean'):
            difference = abs(found[ours][what] - expected[theirs][what])
            assert difference < 1e-3, (name, ours, what, found[ours], expected[theirs])


def sensor_that_fails():
    if not DATA or not os.path.exists(os.path.join(DATA, 'README.md')):
        raise Skip(ABSENT)
    status, report, text = demo('--replay', os.path.join(DATA, 'README.md'), '--once')
    assert status == 1 and report == {'ok': False}, report
    assert 'the sensor fails' in text, text


class Running:
    """A demo, and a way to run lidarctl inside."""

    def __enter__(self):
        self.process = subprocess.Popen([LIDARCTL, 'demo', '--seconds', '60', '--rate', '20',
                                         '--slice-bytes', '64K', '--subscribers', '1'],
                                        stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith('streaming'):
                return self
        raise AssertionError('the demo did not start')

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.output = self.process.communicate(timeout=30)[0]

    def lidarctl(self, *words):
        return subprocess.run(['nsenter', '-t', str(self.process.pid), '-m', '-i', LIDARCTL, *words],
                              capture_output=True, text=True, timeout=30)


def subcommands():
    folder = tempfile.mkdtemp(dir='/var/tmp')
    try:
        with Running() as running:
            look(running)
            record(running, folder)
        assert 'ACCOUNT' in running.output, running.output
    finally:
        shutil.rmtree(folder)


def look(running):
    done = running.lidarctl('list')
    assert done.returncode == 0 and 'streaming' in done.stdout, done
    done = running.lidarctl('status')
    assert done.returncode == 0 and 'perception1' in done.stdout, done
    assert 'VIOLATED' not in done.stdout
    done = running.lidarctl('status', '--json')
    assert json.loads(done.stdout)['status']['sensors'][0]['name'] == 'demo'
    done = running.lidarctl('top', '--batch', '--count', '1', '--interval', '0.3')
    assert done.returncode == 0 and 'perception1' in done.stdout and '\033' not in done.stdout, done
    done = running.lidarctl('echo', 'demo', '--frames', '2', '--json')
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(frames) == 2 and not any(f['partial'] for f in frames), done
    assert frames[1]['frame_id'] == frames[0]['frame_id'] + 1
    done = running.lidarctl('echo', 'rear')
    assert done.returncode == 1 and 'rear' in done.stderr, done


def record(running, folder):
    done = running.lidarctl('record', 'demo', '--frames', '2', '--output', folder)
    assert done.returncode == 0, done
    files = sorted(glob.glob(folder + '/*.pcd'))
    assert len(files) == 2, files
    with open(files[0], 'rb') as f:
        header = f.read(512)
    points = int(header.split(b'\nPOINTS ')[1].split(b'\n')[0])
    assert header.endswith(b'\nDATA binary\n') and os.path.getsize(files[0]) == 512 + 32 * points
    path = folder + '/a.lidard'
    done = running.lidarctl('record', 'demo', '--format', 'raw', '--max-bytes', '1M', '--output', path)
    assert done.returncode == 0 and 0 < os.path.getsize(path) <= 1 << 20, done
    done = running.lidarctl('record', 'demo', '--format', 'raw', '--max-bytes', '9000G',
                            '--output', folder + '/b')
    assert done.returncode == 1 and 'the disk is full' in done.stderr, done
    assert not os.path.exists(folder + '/b')


def killed():
    with Running() as running:
        children = subprocess.run(['pgrep', '-P', str(running.process.pid)], capture_output=True,
                                  text=True, check=True).stdout.split()
        running.process.kill()
        running.process.wait()
        for _ in range(50):
            left = [c for c in children if is_running(c)]
            if not left:
                return
            time.sleep(0.1)
        raise AssertionError(f'still there: {left}')


def is_running(pid):
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8') as f:
            return f.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except FileNotFoundError:
        return False


def not_running():
    done = run('status', '--socket', '/nonexistent/control')
    assert done.returncode == 1
    assert done.stderr == ('lidarctl: cannot connect to /nonexistent/control: lidard is not running '
                           '(start it: systemctl start lidard)\n'), done.stderr


def usage():
    for words in ([], ['frob'], ['list', '--frob'], ['echo'], ['demo', '--once'],
                  ['record', 'a', '--format', 'x'], ['demo', '--slice-bytes', '1']):
        assert run(*words).returncode == 2, words
    for name in ('list', 'status', 'top', 'echo', 'record', 'demo'):
        done = run(name, '--help')
        assert done.returncode == 0 and '--socket' in done.stdout, name


CASES = [
    ('a mistake on the command line is exit status 2', usage, False),
    ('without lidard the message says how to start it', not_running, False),
    ('three clients, and every account adds up', three_clients, True),
    ('eight subscribers of small slices', small_slices, True),
    ('recordings come through point by point', recordings, True),
    ('a sensor that fails ends the demo with its reason', sensor_that_fails, True),
    ('list, status, top, echo and record', subcommands, True),
    ('a killed demo leaves no process behind', killed, True),
]


def why_not_demo():
    if os.geteuid() != 0:
        return 'needs root'
    if is_sanitized():
        return 'a sanitized build is too slow for it'
    if subprocess.run(['unshare', '--mount', '--ipc', 'true'], capture_output=True).returncode:
        return 'needs namespaces of its own'
    return None


def main():
    reason = why_not_demo()
    failed = 0
    print(f'1..{len(CASES)}', flush=True)
    for number, (name, function, needs_demo) in enumerate(CASES, 1):
        verdict, more = 'ok', ''
        try:
            if needs_demo and reason:
                raise Skip(reason)
            function()
        except Skip as skip:
            more = f' # SKIP {skip}'
        except Exception as e:
            verdict = 'not ok'
            failed += 1
            for line in f'{type(e).__name__}: {e}'.splitlines():
                print('# ' + line)
        print(f'{verdict} {number} - {name}{more}', flush=True)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
