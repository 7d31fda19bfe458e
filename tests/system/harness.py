# SPDX-License-Identifier: Apache-2.0
"""What the system tests stand on: RouDi, lidard and readers as processes.

A test program names its cases with @case and ends with main().  Whatever a
case starts is ended with it, by the handle it was started with; when it fails
the ends of all logs are shown.  Nothing here sleeps for a fixed time to let
something happen: wait_for() looks for a condition until a deadline.
"""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

import sandbox

BUILD = os.path.abspath(os.environ.get('LIDARD_BUILD_ROOT', 'build'))
DATA = os.environ.get('LIDARD_TEST_DATA', '')
DATA = DATA and os.path.realpath(DATA)  # as guests see it
ABSENT = f'no test data in {DATA or "$LIDARD_TEST_DATA"}'
HERE = '/tmp/lidard-test'
BIN = HERE + '/bin'
SOCKET = '/run/lidard/control'
CONFIG = HERE + '/lidard.conf'
# Seconds: the machine may be very busy, or slow.
DEADLINE = 60 * int(os.environ.get('LIDARD_TEST_SLOWER', 1))

# Numbers of system calls: epoll_wait, epoll_pwait, poll, ppoll; futex and its operations WAIT,
# WAIT_BITSET.
WAITS = {'x86_64': ('232', '281', '7', '271'), 'aarch64': ('22', '73'), 'riscv64': ('22', '73')}
FUTEX = {'x86_64': '202', 'aarch64': '98', 'riscv64': '98'}
FUTEX_WAITS = (0, 9)

PROGRAMS = ['daemon/lidard', 'daemon/lidard-reclaim', 'tests/system/test_reader',
            'tests/system/client_roles', 'libclient/liblidard.so.0', 'libclient/liblidard-iox.so', 'tools/lidarctl']


class Failed(Exception):
    """A case did not see what it should."""


class Skip(Exception):
    """This machine cannot run the case."""


def check(condition, text):
    if not condition:
        raise Failed(text)


def equal(found, expected, what):
    if found != expected:
        raise Failed(f'{what}: {found!r}, expected {expected!r}')


def wait_for(look, what, seconds=DEADLINE):
    """Look until the answer is true. Return: the answer."""
    end = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f'waited {seconds} s for {what}')
        time.sleep(0.005)


def note(text):
    """A line of the test's output that is no verdict: a figure."""
    print('# ' + text, flush=True)


def is_sanitized():
    """Sanitizers do not follow dlmopen(): the library then cannot outlive RouDi."""
    with open(f'{BUILD}/meson-info/intro-buildoptions.json', encoding='utf-8') as f:
        return any(o['name'] == 'b_sanitize' and o['value'] != 'none' for o in json.load(f))


# ---- processes -------------------------------------------------------------

class Process:
    """A program, its output in files; ended when the case ends."""
    all = []

    def __init__(self, name, argv, user=None, environment=None, extra_groups=None, launcher=(),
                 pass_fds=()):
        self.name = name
        number = len(os.listdir(HERE + '/logs'))
        self.out_path = f'{HERE}/logs/{number:03}-{name}.out'
        self.err_path = f'{HERE}/logs/{number:03}-{name}.err'
        env = {'LD_LIBRARY_PATH': BIN, 'ASAN_OPTIONS': 'detect_leaks=0', **os.environ,
               **(environment or {})}
        if user:
            argv = ['setpriv', f'--reuid={user}', f'--regid={sandbox.USERS[user][1]}',
                    '--init-groups', *(extra_groups or []), *argv]
        with open(self.out_path, 'wb') as out, open(self.err_path, 'wb') as err:
            self.process = subprocess.Popen([*launcher, *argv], stdout=out, stderr=err,
                                            stdin=subprocess.DEVNULL, env=env, cwd='/',
                                            pass_fds=pass_fds)
        self.stopped = False
        Process.all.append(self)

    @property
    def pid(self):
        return self.process.pid

    def output(self):
        with open(self.out_path, encoding='utf-8', errors='replace') as f:
            return f.read()

    def errors(self):
        with open(self.err_path, encoding='utf-8', errors='replace') as f:
            return f.read()

    def is_alive(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.is_alive():
            self.process.send_signal(number)

    def freeze(self):
        self.signal(signal.SIGSTOP)
        wait_for(lambda: self.state() == 'T', f'{self.name} to stop')

    def freeze_at_rest(self):
        """Stop it where it waits for work, not in the middle of a slice."""
        def is_caught():
            self.freeze()
            if self.is_waiting():
                return True
            self.thaw()
            return False

        wait_for(is_caught, f'{self.name} to have nothing to do')

    def is_waiting(self):
        """Is its first thread in a system call that waits for work, stopped there or not?"""
        with open(f'/proc/{self.pid}/syscall', encoding='ascii') as f:
            call = f.read().split()
        if call[0] in WAITS[os.uname().machine]:
            return True
        return call[0] == FUTEX[os.uname().machine] and int(call[2], 16) & 0x7f in FUTEX_WAITS

    def thaw(self):
        self.signal(signal.SIGCONT)

    def state(self):
        with open(f'/proc/{self.pid}/stat', encoding='ascii', errors='replace') as f:
            return f.read().rsplit(')', 1)[1].split()[0]

    def wait(self, seconds=DEADLINE):
        """Return: its exit status, negative for a signal."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f'{self.name} (pid {self.pid}) did not end in {seconds} s') from None

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait()

    def terminate(self, seconds=DEADLINE):
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait_for_line(self, words, seconds=DEADLINE):
        def look():
            text = self.output() + self.errors()
            if words in text:
                return True
            check(self.is_alive(), f'{self.name} ended ({self.process.returncode}) before it '
                                   f'said "{words}"')
            return False
        wait_for(look, f'{self.name} to say "{words}"', seconds)

    def show(self):
        for kind, text in (('out', self.output()), ('err', self.errors())):
            lines = text.splitlines()
            for line in lines[-8:]:
                print(f'#   {self.name}[{self.pid}] {kind}: {line[:300]}')


def run(*argv, user=None, environment=None, seconds=DEADLINE):
    """A program that ends by itself. Return: (status, output and errors)."""
    p = Process(os.path.basename(argv[0]), list(argv), user=user, environment=environment)
    status = p.wait(seconds)
    return status, p.output() + p.errors()


def lidard(*arguments, **more):
    return run(f'{BIN}/lidard', '-c', CONFIG, *arguments, **more)


# ---- configuration -----------------------------------------------------------

def sensor(name, **keys):
    return name, keys


def write_config(*sensors, users=False, extra='', path=CONFIG):
    """Write lidard.conf; sensors as sensor() makes them, small unless they say otherwise."""
    helper = '' if users else f'{BIN}/lidard-reclaim'
    lines = ['[lidard]', f'socket = {SOCKET}', 'state_dir = /run/lidard',
             f'reclaim_helper = {helper}', '[roudi]',
             f'writer_group = {"lidard" if users else ""}',
             f'reader_group = {"lidar" if users else ""}']
    for name, keys in sensors:
        merged = {'source': 'sim', 'slice_bytes': '64K', 'subscriber_slices': 256, 'queue': 32,
                  'held': 16, 'sim_beams': 32, **keys}
        lines.append(f'[sensor {name}]')
        lines += [f'{k} = {v}' for k, v in merged.items()]
    with open(path, 'w', encoding='utf-8') as f:
        f.write('\n'.join(lines) + '\n' + extra)
    os.chmod(path, 0o644)


# ---- the parts ---------------------------------------------------------------

class Roudi(Process):
    def __init__(self, users=False, config=None, wait=True):
        path = HERE + '/roudi.toml'
        if config is None:
            status, text = lidard('--print-roudi-config')
            equal(status, 0, 'lidard --print-roudi-config: ' + text)
            config = text[text.index('# Pools'):]
        with open(path, 'w', encoding='utf-8') as f:
            f.write(config)
        argv = ['iox-roudi', '-m', 'off', '-l', 'warning', '-c', path]
        if users:
            # as lidard-roudi.service does
            super().__init__('roudi', ['setpriv', '--reuid=lidard-roudi', '--regid=lidar',
                                       '--init-groups', '--inh-caps=-all,+dac_override',
                                       '--ambient-caps=-all,+dac_override',
                                       '--bounding-set=-all,+dac_override', *argv])
        else:
            super().__init__('roudi', argv)
        if wait:
            status, text = run(f'{BIN}/lidard', f'--wait-roudi={DEADLINE}')
            equal(status, 0, 'lidard --wait-roudi: ' + text)

    def clear(self):
        """End it as the service does: by SIGKILL, and remove what it leaves."""
        self.kill()
        for name in ['/tmp/roudi'] + ['/dev/shm/' + n for n in os.listdir('/dev/shm')]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)


class Lidard(Process):
    def __init__(self, users=False, ready=True, environment=None, **more):
        user = 'lidard' if users else None
        os.makedirs('/run/lidard', exist_ok=True)
        os.chmod('/run/lidard', 0o755)
        if users:
            shutil.chown('/run/lidard', 'lidard', 'lidard')
        super().__init__('lidard', [f'{BIN}/lidard', '-c', CONFIG], user=user,
                         environment=environment, **more)
        if ready:
            self.wait_for_line('ready: accepting subscriptions')


class Reader(Process):
    def __init__(self, name, *options, user=None, connected=True, environment=None):
        argv = [f'{BIN}/test_reader', '--socket', SOCKET, *map(str, options), name]
        super().__init__('reader', argv, user=user, environment=environment)
        if connected:
            self.wait_event('connected')

    def events(self, kind=None):
        found = []
        for line in self.output().split('\n')[:-1]:  # the last one may be half written
            event = json.loads(line)
            if kind is None or event['event'] == kind:
                found.append(event)
        return found

    def wait_event(self, kind, count=1, seconds=DEADLINE):
        """Return: the newest of count such events."""
        def look():
            found = self.events(kind)
            if len(found) >= count:
                return found[-1]
            check(self.is_alive(), f'reader {self.pid} ended ({self.process.returncode}) without '
                                   f'"{kind}": {self.output()[-300:]} {self.errors()[-300:]}')
            return None
        return wait_for(look, f'reader {self.pid} to say "{kind}" {count} times', seconds)

    def stats(self):
        """Its newest account."""
        return self.wait_event('stats')

    def fresh_stats(self):
        """One that it gives from now on."""
        return self.wait_event('stats', len(self.events('stats')) + 2)

    def wait_slices(self, more, seconds=DEADLINE):
        """Wait until it has taken so many more."""
        before = self.stats()['slices']
        wait_for(lambda: self.is_alive() and self.stats()['slices'] >= before + more,
                 f'reader {self.pid} to take {more} slices ({self.errors()[-300:]})', seconds)

    def finish(self, status=0):
        """End it. Return: its final account."""
        found = self.terminate()
        check(found == status, f'reader {self.pid} ended with {found}: {self.errors()[-600:]}')
        return self.wait_final()

    def wait_final(self):
        final = self.events('final')
        check(final, f'reader {self.pid} gave no final account: {self.output()[-300:]}')
        return final[-1]


class Reclaimer:
    """lidard-reclaim.path and its service: root frees what dead clients held."""

    def __init__(self):
        self.end = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()

    def _watch(self):
        while not self.end.wait(0.02):
            with contextlib.suppress(OSError):
                if os.listdir('/run/lidard/dead'):
                    subprocess.run([f'{BIN}/lidard-reclaim', '/run/lidard'], timeout=DEADLINE,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env={**os.environ, 'LD_LIBRARY_PATH': BIN})


class System:
    """RouDi and lidard, up with a configuration of so many sensors."""

    def __init__(self, *sensors, users=False, extra='', environment=None):
        self.users = users
        self.environment = environment
        write_config(*sensors, users=users, extra=extra)
        self.roudi = Roudi(users)
        self.lidard = Lidard(users, environment=environment)

    def restart_lidard(self):
        self.lidard = Lidard(self.users, environment=self.environment)

    def succeed(self):
        """A successor for a lidard that was killed. Return: had RouDi to be restarted, too?

        It has when lidard died inside publish(): RouDi is locked for good, the
        successor says so, and the service manager restarts both.
        """
        self.lidard = Lidard(self.users, ready=False, environment=self.environment)
        try:
            self.lidard.wait_for_line('ready: accepting subscriptions')
            return False
        except Failed:
            equal(self.lidard.wait(0), 75, 'exit status of lidard')
            check('does not answer' in self.lidard.errors(),
                  'lidard says why: ' + self.lidard.errors()[-300:])
        self.restart_all()
        return True

    def restart_all(self):
        """As the service manager does when lidard ends with 75."""
        self.roudi.clear()
        self.roudi = Roudi(self.users)
        self.restart_lidard()

    def status(self):
        return get_status()

    def reload(self, *sensors, extra='', outcome='configuration loaded'):
        write_config(*sensors, users=self.users, extra=extra)
        self.lidard.signal(signal.SIGHUP)


# ---- the control socket --------------------------------------------------------

def call(method, parameters=None, path=SOCKET):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(DEADLINE)
        s.connect(path)
        s.sendall(json.dumps({'method': method, 'parameters': parameters or {}}).encode() + b'\0')
        data = b''
        while not data.endswith(b'\0'):
            piece = s.recv(65536)
            check(piece, f'lidard closed the connection in {method}')
            data += piece
    return json.loads(data[:-1])


def get_status():
    return call('io.lidard.GetStatus')['parameters']['status']


def find_sensor(status, name):
    return next((s for s in status['sensors'] if s['name'] == name), None)


def await_finished(system, name):
    """Readers may have the last slice before lidard ends its source. Return: the sensor."""
    def look():
        sensor = find_sensor(system.status(), name)
        return sensor if sensor['state'] == 'finished' else None
    return wait_for(look, f'{name} to be finished')


def find_subscriber(status, process):
    """A reader's subscription, by its process."""
    return next((s for s in status['subscribers'] if s['pid'] == process.pid), None)


def used_chunks(status):
    return sum(p['used'] for p in status['pools'])


def reserved(status):
    return sum(s['reserved_slices'] for s in status['sensors'])


def check_sensor_account(s):
    dropped = sum(s['dropped'].values())
    equal(s['produced'], s['published'] + dropped,
          f'sensor {s["name"]}: produced = published + dropped')
    equal(s['accounting'], 'ok', f'sensor {s["name"]}: accounting')


def check_subscriber_account(s):
    where = f'subscriber {s["name"]} ({s["pid"]}): '
    if not s['stable']:
        return  # it was met in the middle of an update (docs/control.md)
    equal(s['published'], s['received'] + sum(s['skipped'].values()) + s['unseen'] +
          s['collecting'] + s['waiting'],
          where + 'published = received + skipped + unseen + collecting + waiting')
    check(0 <= s['waiting'] <= s['queue'], where + f'waiting {s["waiting"]} of {s["queue"]}')
    equal(s['accounting'], 'ok', where + 'accounting')


def check_accounts(status):
    for s in status['sensors']:
        check_sensor_account(s)
    for s in status['subscribers']:
        check_subscriber_account(s)


# ---- cases ---------------------------------------------------------------------

_cases = []


def case(name):
    def add(function):
        _cases.append((name, function))
        return function
    return add


def forget_cases():
    """Those of a test that is imported for what else it has."""
    _cases.clear()


def install_programs():
    """Copies that every user can reach, wherever the tree lies."""
    os.makedirs(BIN)
    os.makedirs(HERE + '/logs')
    for program in PROGRAMS:
        shutil.copy(os.path.join(BUILD, program), BIN)


def end_processes():
    for p in reversed(Process.all):
        if p.is_alive():
            p.thaw()
            p.signal(signal.SIGKILL)
            p.process.wait()
    Process.all.clear()


def clean_up():
    end_processes()
    for folder in ('/dev/shm', '/run/lidard'):
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                if os.path.isdir(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)
    for name in os.listdir('/tmp'):
        if sandbox.belongs_to_iceoryx('/tmp', name):
            os.unlink('/tmp/' + name)


def run_case(number, name, function, clean_up):
    started = time.monotonic()
    verdict, more = 'ok', ''
    try:
        function()
    except Skip as skip:
        more = f' # SKIP {skip}'
    except BaseException as e:
        verdict = 'not ok'
        if isinstance(e, Failed):
            where = traceback.extract_tb(e.__traceback__)
            at = next((f for f in reversed(where) if 'harness' not in f.filename), where[-1])
            print(f'# {os.path.basename(at.filename)}:{at.lineno}: {e}')
        else:
            for line in traceback.format_exc(limit=-3).splitlines():
                print('# ' + line)
        with contextlib.suppress(OSError):
            for p in Process.all:
                p.show()
        if not isinstance(e, Exception):
            print(f'{verdict} {number} - {name}')
            raise
    finally:
        clean_up()
    print(f'{verdict} {number} - {name}{more}', flush=True)
    print(f'# {time.monotonic() - started:.1f} s', flush=True)
    return verdict == 'ok'


def main():
    reason = sandbox.enter()
    if reason:
        print(f'1..0 # SKIP {reason}')
        return
    install_programs()
    run_cases(clean_up)


def run_cases(clean_up):
    """Those the command line names, or all; clean_up() after each. Ends the program."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    wanted = sys.argv[1:]
    chosen = [c for c in _cases if not wanted or any(w in c[0] for w in wanted)]
    print(f'1..{len(chosen)}', flush=True)
    good = [run_case(i, *c, clean_up) for i, c in enumerate(chosen, 1)]
    sys.exit(0 if all(good) else 1)
