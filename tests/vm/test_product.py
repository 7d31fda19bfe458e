#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The product as it is installed and run: real units under a real service manager.

Outside, this installs the build into a staging directory and starts a guest with
systemd as PID 1; there it copies the staged files to / and does what README tells
an administrator to do.  The cases build on each other: they are one life of the
service, from its first start to its stop.  Nothing here stands in for anything.
"""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
IN_GUEST = 'LIDARD_IN_GUEST' in os.environ
sys.path.insert(0, HERE if IN_GUEST else os.path.join(HERE, '..', 'system'))
import harness
from harness import Process, Reader, case, check, check_accounts, equal, note, wait_for

STAGED = ['tests/vm/test_product.py', 'tests/system/harness.py', 'tests/system/sandbox.py']
READER = 'lidar-reader'
STRANGER = 'lidar-guest'
# One that an emulated machine can compute.
SENSORS = {'front': {'slice_bytes': '64K', 'sim_rate': '2M', 'sim_beams': '32', 'crc': 'yes'},
           'rear': {'slice_bytes': '64K', 'sim_rate': '300K', 'sim_beams': '16', 'source': 'sim'}}


# ---- outside -----------------------------------------------------------------

def stage(folder):
    root = os.environ.get('LIDARD_SOURCE_ROOT') or os.path.join(HERE, '..', '..')
    done = subprocess.run(['meson', 'install', '-C', harness.BUILD, '--no-rebuild', '--quiet'],
                          env={**os.environ, 'DESTDIR': folder + '/destination'}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit('Bail out! meson install: ' + done.stdout)
    for path in STAGED:
        shutil.copy(os.path.join(root, path), folder)
    shutil.copy(harness.BUILD + '/tests/system/test_reader', folder)


def outside():
    with tempfile.TemporaryDirectory(prefix='lidard-product-') as folder:
        stage(folder)
        done = subprocess.run([os.path.join(HERE, 'guest'), '--systemd', '--memory', '3G',
                               '--timeout', '1500', '--share', folder, '--', 'python3', '-B',
                               folder + '/test_product.py', *sys.argv[1:]], check=False)
    if done.returncode == 77:
        print('1..0 # SKIP needs a virtual machine')
    sys.exit(done.returncode)


# ---- an administrator's work -------------------------------------------------

def run(*argv, user=None):
    """Return: (status, output and errors)."""
    as_user = ['setpriv', f'--reuid={user}', f'--regid={user}', '--init-groups'] if user else []
    done = subprocess.run([*as_user, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=180, check=False)
    return done.returncode, done.stdout


def must(*argv):
    """Return: its output."""
    status, text = run(*argv)
    equal(status, 0, ' '.join(argv) + ' said: ' + text[-1000:])
    return text


def config_folder():
    unit = must('systemctl', 'cat', 'lidard.service')
    return re.search(r'--config (\S+)', unit)[1] + '.d'


def configure(**sensors):
    """A drop-in, and a reload is the caller's."""
    lines = []
    for name, keys in sensors.items():
        lines += [f'[sensor {name}]'] + [f'{k} = {v}' for k, v in keys.items()]
    os.makedirs(config_folder(), exist_ok=True)
    with open(config_folder() + '/10-test.conf', 'w', encoding='utf-8') as f:
        f.write('\n'.join(lines) + '\n')


def install():
    """What README says, after meson install."""
    subprocess.run(f'tar -C {HERE}/destination -cf - . | tar -C / -xf - --keep-directory-symlink',
                   shell=True, check=True)
    for command in (['ldconfig'], ['systemd-sysusers'], ['systemd-tmpfiles', '--create', 'lidard.conf'],
                    ['systemctl', 'daemon-reload']):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    users = [f'u {READER} 61002', f'm {READER} lidar', f'u {STRANGER} 61003']
    subprocess.run(['systemd-sysusers', '--inline', *users], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.makedirs(harness.BIN)
    os.makedirs(harness.HERE + '/logs')
    os.chmod(harness.HERE, 0o755)
    shutil.copy(HERE + '/test_reader', harness.BIN)


# ---- what the service manager knows ------------------------------------------

def show(unit, *names):
    """Return: properties of the unit, in the order asked for."""
    text = must('systemctl', 'show', unit, *[f'--property={n}' for n in names])
    found = dict(line.split('=', 1) for line in text.splitlines() if '=' in line)
    values = [found.get(n, '') for n in names]
    return values if len(values) > 1 else values[0]


def pid_of(unit):
    return int(show(unit, 'MainPID'))


def is_active(unit):
    return show(unit, 'ActiveState') == 'active'


def wait_for_new(unit, old_pid, seconds=120):
    """Until the unit runs again, as another process. Return: its pid."""
    def look():
        state, pid = show(unit, 'ActiveState', 'MainPID')
        return state == 'active' and int(pid) not in (0, old_pid) and int(pid)
    return wait_for(look, f'{unit} to be started again', seconds)


def journal(*matches):
    """Return: entries of lidard's unit since boot, oldest first."""
    must('journalctl', '--sync')
    text = must('journalctl', '-b', '-o', 'json', '--no-pager', '-u', 'lidard', *matches)
    return [json.loads(line) for line in text.splitlines() if line.startswith('{')]


def said(words, *matches):
    return [e for e in journal(*matches) if words in str(e.get('MESSAGE'))]


def lidarctl(*arguments, user=READER):
    return run('lidarctl', *arguments, user=user)


def status_adds_up():
    status, text = lidarctl('status')
    equal(status, 0, 'lidarctl status: ' + text)
    check_accounts(harness.get_status())
    return text


def capabilities(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as f:
        return dict(line.rstrip('\n').split(':\t', 1) for line in f if ':\t' in line)


def limit(pid, name):
    with open(f'/proc/{pid}/limits', encoding='ascii') as f:
        return re.search(rf'^{name}\s+(\S+)', f.read(), re.M)[1]


# ---- readers that live through it all ----------------------------------------

crew = []


def start_crew():
    """Programs that are there for the whole life of the service."""
    crew[:] = [Reader('front', '--check', '--crc', user=READER),
               Reader('front', '--check', '--wait', 'fd', '--queue', 16, '--held', 4, user=READER),
               Reader('front', '--check', '--held', 24, '--keep', 8, user=READER)]
    for reader in crew:
        reader.wait_slices(5)


def crew_resumed(turn):
    """All of the crew went on, in the same process."""
    gaps = [reader.wait_event('resumed', turn, 120)['gap_ns'] / 1e6 for reader in crew]
    for reader in crew:
        reader.wait_slices(5)
    note('the readers saw a gap of ' + ', '.join(f'{g:.0f}' for g in gaps) + ' ms')
    wait_for(lambda: all(harness.find_subscriber(harness.get_status(), r) for r in crew),
             'the readers to be subscribed again')
    status_adds_up()


def turns():
    return len(crew[0].events('resumed')) if crew else 0


# ---- one life of the service --------------------------------------------------

@case('systemctl start lidard: when it is ready, a subscription is accepted')
def start():
    configure(**SENSORS)
    must('systemctl', 'start', 'lidard')
    for unit in ('lidard.service', 'lidard-roudi.service', 'lidard-reclaim.path'):
        check(is_active(unit), f'{unit} is not active')
    Reader('front', user=READER).wait_event('subscribed')
    text = show('lidard', 'StatusText')
    wait_for(lambda: show('lidard', 'StatusText').startswith('2 of 2'),
             'the status line to say that the sensors stream, not ' + text)
    note('status line: ' + show('lidard', 'StatusText'))
    check('ready' in str(said('ready: accepting')), 'the journal does not say so')


@case('it runs as its own user, confined, with the priority and limits it needs')
def confined():
    pid = pid_of('lidard')
    status = capabilities(pid)
    equal(status['Uid'].split()[0], str(os.stat('/run/lidard/control').st_uid), 'user')
    check(status['Uid'].split()[0] != '0', 'lidard runs as root')
    for kind in ('CapEff', 'CapPrm', 'CapBnd', 'CapAmb'):
        equal(int(status[kind], 16), 0, kind)
    equal(status['NoNewPrivs'], '1', 'NoNewPrivs')
    equal(status['Seccomp'], '2', 'Seccomp')
    equal(limit(pid, 'Max locked memory'), 'unlimited', 'locked memory')
    equal(os.getpriority(os.PRIO_PROCESS, pid), -10, 'nice')
    with open(f'/proc/{pid}/oom_score_adj', encoding='ascii') as f:
        equal(f.read().strip(), '-900', 'oom_score_adj')
    equal(int(capabilities(pid_of('lidard-roudi'))['CapEff'], 16), 1 << 1,
          'RouDi has CAP_DAC_OVERRIDE only')


@case('systemd finds an exposure of at most 1.0 of the unit as it runs')
def exposure():
    text = must('systemd-analyze', 'security', '--no-pager', '--threshold=10', 'lidard.service')
    note(text.strip().splitlines()[-1])


@case('lidarctl works for a member of group lidar: list, echo, record, top, status')
def tools():
    status, text = lidarctl('list')
    equal(status, 0, 'lidarctl list: ' + text)
    check('front' in text, 'list does not name the sensor: ' + text)
    status, text = lidarctl('echo', '--summary', '--frames', '3', 'front')
    equal(status, 0, 'lidarctl echo: ' + text[-500:])
    folder = '/tmp/recorded'
    os.mkdir(folder)
    shutil.chown(folder, READER)
    status, text = lidarctl('record', '--output', folder, '--frames', '2', 'front')
    equal(status, 0, 'lidarctl record: ' + text[-500:])
    files = glob.glob(folder + '/*.pcd')
    equal(len(files), 2, f'recorded frames {files}')
    status, text = lidarctl('top', '--batch', '--count', '2', '--interval', '0.5')
    equal(status, 0, 'lidarctl top: ' + text[-500:])
    check('front' in text, 'top does not name the sensor: ' + text)
    status_adds_up()


@case('who is not in group lidar is refused, and told why')
def stranger():
    status, text = lidarctl('echo', '--frames', '1', '--timeout', '5', 'front', user=STRANGER)
    check(status != 0, 'a stranger can read')
    check('lidar' in text and 'group' in text, 'the reason is not told: ' + text)


@case('several programs read at once, and their accounts add up')
def read():
    start_crew()
    echo = Process('echo', ['lidarctl', 'echo', '--json', '--frames', '5', 'front'], user=READER)
    equal(echo.wait(), 0, 'exit status of echo')
    status_adds_up()


@case('the journal has the messages with their fields')
def journal_fields():
    entries = journal('LIDARD_SENSOR=front')
    check(entries, 'no entry with LIDARD_SENSOR=front')
    for e in entries:
        equal(e.get('SYSLOG_IDENTIFIER'), 'lidard', 'SYSLOG_IDENTIFIER')
        check(e.get('PRIORITY') in '34567', f'PRIORITY {e.get("PRIORITY")}')
        check(e.get('_SYSTEMD_UNIT') == 'lidard.service', f'unit {e.get("_SYSTEMD_UNIT")}')
        check('front' not in e['MESSAGE'] or e['MESSAGE'].startswith('front'), e['MESSAGE'])


@case('reload: a sensor that did not change streams on, and a mistake changes nothing')
def reload():
    pid, before = pid_of('lidard'), turns()
    crew[0].wait_slices(1)
    configure(front={**SENSORS['front'], 'slice_bytes': 'much'})
    must('systemctl', 'reload', 'lidard')
    wait_for(lambda: said('the configuration stays as it was'), 'the mistake to be told')
    check(any('10-test.conf:' in e['MESSAGE'] for e in said('stays as it was')),
          'file and line of the mistake are not told')
    configure(**{**SENSORS, 'rear': {**SENSORS['rear'], 'sim_seed': 7}})
    must('systemctl', 'reload', 'lidard')
    wait_for(lambda: said('configuration loaded'), 'the configuration to be loaded')
    check(said('configured anew', 'LIDARD_SENSOR=rear'), 'the changed sensor is not configured anew')
    check(not said('configured anew', 'LIDARD_SENSOR=front'), 'the other sensor is configured anew')
    for reader in crew:
        reader.wait_slices(5)
    equal(turns(), before, 'incarnations of the sensor')
    equal(pid_of('lidard'), pid, 'process of lidard')
    equal(show('lidard', 'ActiveState', 'SubState'), ['active', 'running'], 'state')


@case('systemctl restart under running readers: they go on in the same process')
def restart():
    turn, pid = turns() + 1, pid_of('lidard')
    must('systemctl', 'restart', 'lidard')
    check(pid_of('lidard') != pid, 'it is the same process')
    crew_resumed(turn)


@case('kill -9 of lidard: systemd starts it again, readers go on')
def kill_lidard():
    for _ in range(2):
        turn, pid = turns() + 1, pid_of('lidard')
        os.kill(pid, signal.SIGKILL)
        wait_for_new('lidard', pid)
        crew_resumed(turn)


@case('kill -9 of RouDi: systemd starts both again, readers go on')
def kill_roudi():
    for _ in range(2):
        turn, pid, roudi = turns() + 1, pid_of('lidard'), pid_of('lidard-roudi')
        os.kill(roudi, signal.SIGKILL)
        wait_for_new('lidard-roudi', roudi)
        wait_for_new('lidard', pid)
        crew_resumed(turn)


@case('RouDi hangs: lidard finds out, systemd starts both again')
def hang_roudi():
    turn, pid, roudi = turns() + 1, pid_of('lidard'), pid_of('lidard-roudi')
    os.kill(roudi, signal.SIGSTOP)
    wait_for_new('lidard-roudi', roudi)
    wait_for_new('lidard', pid)
    check(said('does not answer'), 'the journal does not say why')
    crew_resumed(turn)


@case('systemctl restart lidard-roudi brings lidard along')
def restart_roudi():
    turn, pid = turns() + 1, pid_of('lidard')
    must('systemctl', 'restart', 'lidard-roudi')
    wait_for_new('lidard', pid)
    crew_resumed(turn)


@case('lidard hangs: the watchdog ends it, and it is started again')
def watchdog():
    turn, pid = turns() + 1, pid_of('lidard')
    os.kill(pid, signal.SIGSTOP)
    wait_for_new('lidard', pid)
    check(any('atchdog' in e['MESSAGE'] for e in journal('_PID=1')), 'it was not the watchdog')
    crew_resumed(turn)


@case('what a killed reader held is freed by lidard-reclaim')
def reclaim():
    before = harness.reserved(harness.get_status())
    reader = Reader('front', '--held', 24, '--keep', 20, user=READER)
    wait_for(lambda: reader.stats()['kept'] == 20, 'the reader to keep 20 slices')
    reader.kill()
    wait_for(lambda: harness.reserved(harness.get_status()) == before, 'the reservation to come back')
    wait_for(lambda: show('lidard-reclaim.service', 'ActiveState') == 'inactive',
             'lidard-reclaim.service to end')
    equal(show('lidard-reclaim.service', 'Result'), 'success', 'result of lidard-reclaim.service')
    check(said('is free again'), 'the journal does not say so')


@case('the crew saw nothing wrong in all that time')
def crew_ends():
    for reader in crew:
        final = reader.finish()
        equal(final['violations'], 0, 'violations')
        equal(final['crc_wrong'], 0, 'wrong CRCs')
    crew.clear()
    wait_for(lambda: harness.reserved(harness.get_status()) == 0, 'all reservations to come back')


@case('a mistake in the configuration: the start fails once, with the reason, and is not repeated')
def bad_config():
    configure(front={'sim_beams': 'none'})
    must('systemctl', 'stop', 'lidard')
    status, _ = run('systemctl', 'start', 'lidard')
    check(status != 0, 'systemctl start says it is well')
    equal(show('lidard', 'ActiveState', 'ExecMainStatus'), ['failed', '78'], 'state and status')
    restarts = show('lidard', 'NRestarts')
    check(any('10-test.conf:' in e['MESSAGE'] for e in said('sim_beams')), 'the reason is not told')
    equal(show('lidard', 'NRestarts'), restarts, 'restarts')
    configure(**SENSORS)
    must('systemctl', 'start', 'lidard')
    equal(lidarctl('echo', '--frames', '1', 'front')[0], 0, 'exit status of echo')


@case('enabled, it is wanted at boot')
def enable():
    must('systemctl', 'enable', 'lidard')
    equal(show('lidard', 'UnitFileState'), 'enabled', 'state of the unit file')
    check('lidard.service' in show('multi-user.target', 'Wants'), 'multi-user.target does not want it')


@case('stop: nothing of it stays behind')
def stop():
    must('systemctl', 'stop', 'lidard', 'lidard-roudi')
    for unit in ('lidard.service', 'lidard-roudi.service', 'lidard-reclaim.path'):
        equal(show(unit, 'ActiveState'), 'inactive', unit)
    equal(os.listdir('/dev/shm'), [], 'left in /dev/shm')
    check(not os.path.exists('/run/lidard/control'), 'the control socket is still there')
    status, text = lidarctl('list')
    check(status != 0 and 'systemctl start lidard' in text, 'lidarctl does not say what to do: ' + text)


@case('nothing failed that was not meant to')
def failed_units():
    equal(must('systemctl', 'list-units', '--state=failed', '--no-legend', '--plain').strip(), '',
          'failed units')


def end_all_but_crew():
    for p in list(Process.all):
        if p in crew:
            continue
        with contextlib.suppress(harness.Failed):
            p.thaw()
            p.kill()
        Process.all.remove(p)


if __name__ == '__main__':
    if not IN_GUEST:
        outside()
    install()
    harness.run_cases(end_all_but_crew)
