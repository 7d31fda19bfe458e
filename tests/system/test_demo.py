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
import socket
import subprocess
import sys
import tempfile
import time

from harness import ABSENT, DATA, is_sanitized

BUILD = os.environ.get('LIDARD_BUILD_ROOT', 'build')
LIDARCTL = os.path.join(BUILD, 'tools', 'lidarctl')
SCRIPT = os.path.join(os.environ.get('LIDARD_SOURCE_ROOT', '.'), 'demo')


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
    status, report, text = demo('--seconds', '2', '--rate', '50', '--record-bytes', '64M',
                                '--no-hint')
    assert 'streaming\n' in text and 'nsenter' not in text, text
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


def frames_as_text():
    """What --once promises without --json, too."""
    captures = sorted(glob.glob(os.path.join(DATA, 'expected', 'ouster_*.json')))
    if not captures:
        raise Skip(ABSENT)
    with open(captures[0], encoding='utf-8') as f:
        expected = json.load(f)
    folder = os.path.join(DATA, 'ouster')
    done = run('demo', '--replay', os.path.join(folder, expected['capture']), '--metadata',
               os.path.join(folder, expected['metadata']), '--once', '--subscribers', '1')
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith('frame ')]
    for frame in expected['frames']:
        start = f'frame {frame["frame_id"]}: {frame["points_nonzero_range"]} points + '
        assert sum(line.startswith(start) for line in lines) == 1, (start, lines)


def sensor_that_fails():
    """The reason is said once; what lidard refuses at once, with the names it has for options."""
    with tempfile.TemporaryDirectory(dir='/var/tmp') as folder:
        os.chmod(folder, 0o755)
        path = folder + '/not.json'
        with open(path, 'w', encoding='utf-8') as f:
            f.write('no JSON, and no capture')
        recorded = os.path.join(DATA, 'ouster')
        other = ['--replay', recorded + '/OS-1-128_v2.3.0_1024x10_lb_n3.pcap',
                 '--metadata', recorded + '/OS-0-32-U1_v2.2.0_1024x10.json']
        for words, reason in ((['--replay', path], 'needs metadata = FILE'),
                              (['--replay', path, '--model', 'VLP-17'],
                               'model = VLP-17: no decoder knows it'),
                              (['--replay', path, '--model', 'VLP-32C'],
                               'model = VLP-32C needs calibration = FILE')):
            status, report, text = demo(*words, '--once', '--subscribers', '1')
            assert status == 1 and report == {'ok': False}, report
            assert '--metadata, --calibration and --model are' in text and reason in text, text
        for words, reason in ((['--replay', path, '--metadata', path], f'{path}: not JSON'),
                              (other, 'metadata or calibration belong to this capture?')):
            if not os.path.exists(words[1]):
                continue  # without recordings
            status, report, text = demo(*words, '--once', '--subscribers', '1')
            assert status == 1 and report == {'ok': False}, report
            told = [line for line in text.splitlines() if 'the sensor fails: ' in line]
            assert len(told) == 1 and reason in told[0], (words, text)
            assert 'fails: sensor ' not in text, text


class Running:
    """A demo, and a way to run lidarctl inside."""

    def __enter__(self):
        self.process = subprocess.Popen([LIDARCTL, 'demo', '--seconds', '60', '--rate', '20',
                                         '--slice-bytes', '64K', '--subscribers', '1'],
                                        stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith('to look inside'):
                self.hint = line.split(': ')[1].split()
                return self
        raise AssertionError('the demo did not start')

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.output = self.process.communicate(timeout=30)[0]

    def lidarctl(self, *words):
        """As the demo says, but for the subcommand."""
        assert self.hint[-1] == 'top', self.hint
        return subprocess.run([*self.hint[:-1], *words], capture_output=True, text=True,
                              timeout=30, cwd='/', env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin'})


def subcommands():
    folder = tempfile.mkdtemp(dir='/var/tmp')
    try:
        with Running() as running:
            look(running)
            guests(running)
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
    done = running.lidarctl('top', '--json', '--count', '2', '--interval', '0.3')
    assert done.returncode == 0, done
    pictures = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(pictures) == 2, done
    for picture in pictures:
        sensor, subscriber = picture['sensors'][0], picture['subscribers'][0]
        assert 0.3 <= picture['seconds'] < 30 and sensor['mb_per_s'] > 0, picture
        assert (sensor['name'], sensor['accounting']) == ('demo', 'ok'), picture
        assert (subscriber['name'], subscriber['accounting']) == ('perception1', 'ok'), picture
        assert subscriber['slices_per_s'] > 0 and subscriber['p99_us'] > 0, picture
    done = running.lidarctl('echo', 'demo', '--frames', '2', '--json')
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(frames) == 2 and not any(f['partial'] for f in frames), done
    assert frames[1]['frame_id'] == frames[0]['frame_id'] + 1
    done = running.lidarctl('echo', 'rear')
    assert done.returncode == 1 and 'rear' in done.stderr and 'io.lidard' not in done.stderr, done


def guests(running):
    """Four at once, each with the queue that lidard suggests."""
    readers = [subprocess.Popen([*running.hint[:-1], 'echo', 'demo', '--frames', '8'],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
               for _ in range(4)]
    for r in readers:
        text = r.communicate(timeout=30)[0]
        assert r.returncode == 0, text


def record(running, folder):
    done = running.lidarctl('record', 'demo', '--frames', '2', '--output', folder)
    assert done.returncode == 0, done
    assert f' to {folder};' in done.stderr, done
    files = sorted(glob.glob(folder + '/*.pcd'))
    assert len(files) == 2, files
    with open(files[0], 'rb') as f:
        header = f.read(512)
    points = int(header.split(b'\nPOINTS ')[1].split(b'\n')[0])
    assert header.endswith(b'\nDATA binary\n') and os.path.getsize(files[0]) == 512 + 32 * points
    path = folder + '/a.lidard'
    done = running.lidarctl('record', 'demo', '--format', 'raw', '--max-bytes', '1M', '--output', path)
    assert done.returncode == 0 and 0 < os.path.getsize(path) <= 1 << 20, done
    assert f' to {path};' in done.stderr, done
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
    with tempfile.TemporaryDirectory() as folder:
        path = folder + '/control'
        for made, words in ((None, 'it does not exist (lidard\'s socket is /run/lidard/control '
                                   'while it runs: systemctl start lidard)'),
                            ('file', 'it is not a socket (lidard\'s is /run/lidard/control)'),
                            ('socket', 'lidard is not running (start it: systemctl start lidard)')):
            if made == 'file':
                with open(path, 'wb'):
                    pass
            elif made == 'socket':
                os.unlink(path)
                with socket.socket(socket.AF_UNIX) as s:  # somebody who listens no more
                    s.bind(path)
            done = run('status', '--socket', path)
            assert done.returncode == 1
            assert done.stderr == f'lidarctl: cannot connect to {path}: {words}\n', done.stderr


def usage():
    for words in ([], ['frob'], ['list', '--frob'], ['echo'], ['demo', '--once'],
                  ['echo', 'a', '--points', '--json'], ['echo', 'a', '--points', '--summary'],
                  ['record', 'a', '--format', 'x'], ['demo', '--slice-bytes', '1']):
        assert run(*words).returncode == 2, words
    for words, reason in ((['echo'], 'echo: SENSOR is missing'),
                          (['record', 'a', 'b'], "record: 'b' is too much, it takes SENSOR"),
                          (['list', 'x', 'y'], "list: 'x' is too much, it takes options only"),
                          (['demo', 'x'], "demo: 'x' is too much, it takes options only")):
        done = run(*words)
        assert done.returncode == 2, words
        assert done.stderr == f'lidarctl: {reason} (see lidarctl {words[0]} --help)\n', done.stderr
    for name in ('list', 'status', 'top', 'echo', 'record', 'demo'):
        done = run(name, '--help')
        assert done.returncode == 0 and '--socket' in done.stdout, name


def script():
    """./demo knows the options of lidarctl demo, and tells mistakes before it builds."""
    with open(SCRIPT, encoding='utf-8') as f:
        text = f.read()
    for line in run('demo', '--help').stdout.splitlines():
        name = line.split()[0] if line.startswith('  --') else ''
        assert name in ('', '--socket') or f'{name} ' in text or f'{name}\n' in text, name
    for words, reason in ((['--bogus'], "unknown option '--bogus'"),
                          (['--seconds=1', '--secs', '1'], "unknown option '--secs'"),
                          (['--seconds', '1', '--once', 'extra'],
                           "'extra' is too much, it takes options only"),
                          (['--json', '--seconds'], '--seconds needs a value')):
        done = subprocess.run([SCRIPT, *words], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and not done.stdout, done
        assert done.stderr == f'demo: {reason} (see {SCRIPT} --help)\n', done.stderr


def not_root():
    """Said before anything else is done."""
    if os.geteuid() != 0:
        raise Skip('needs root, to be somebody else')
    nobody = ['setpriv', '--reuid=65534', '--clear-groups', '--inh-caps=+dac_read_search',
              '--ambient-caps=+dac_read_search']
    done = subprocess.run([*nobody, LIDARCTL, 'demo'], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and not done.stdout, done
    assert done.stderr == 'lidarctl: needs root for a private mount namespace: try sudo\n', done.stderr
    with tempfile.TemporaryDirectory() as folder:
        for tool in ('bash', 'cat', 'dirname', 'id', 'readlink'):
            os.symlink(shutil.which(tool), f'{folder}/{tool}')
        done = subprocess.run([*nobody, 'env', f'PATH={folder}', shutil.which('bash'), SCRIPT],
                              capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and not done.stdout, done
    assert done.stderr == ('demo: needs root for a private mount namespace, and there is no '
                           'sudo\n'), done.stderr


CASES = [
    ('a mistake on the command line is exit status 2', usage, False),
    ('./demo tells mistakes before it builds', script, False),
    ('who is not root is told at once', not_root, False),
    ('without lidard the message says how to start it', not_running, False),
    ('three clients, and every account adds up', three_clients, True),
    ('eight subscribers of small slices', small_slices, True),
    ('recordings come through point by point', recordings, True),
    ('a replay to its end describes every frame', frames_as_text, True),
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
