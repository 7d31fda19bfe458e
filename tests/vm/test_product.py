#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The product as it is installed and run: real units under a real service manager.

Outside, this installs the build into a staging directory and starts a guest with
systemd as PID 1; there it copies the staged files to / and does what README tells
an administrator to do.  The cases build on each other: they are one life of the
service, from its first start to its stop.  Nothing here stands in for anything.

The kernel modules lie where dkms puts them, as depmod knows them; that dkms builds
them is tests/system/test_dkms.py's to see, as that takes an emulated machine minutes.
"""
import contextlib
import glob
import grp
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
IN_GUEST = 'LIDARD_IN_GUEST' in os.environ
sys.path.insert(0, HERE if IN_GUEST else os.path.join(HERE, '..', 'system'))
import harness
import ouster
from harness import Process, Reader, case, check, check_accounts, equal, note, wait_for

STAGED = ['tests/vm/test_product.py', 'tests/system/harness.py', 'tests/system/ouster.py',
          'tests/system/sandbox.py', 'README.md']
PROGRAMS = ['test_reader', 'udp_send']
MODULES = ['lidar_ring', 'lidar_sim']
READER = 'lidar-reader'
STRANGER = 'lidar-guest'
# One that an emulated machine can compute.
SENSORS = {'front': {'slice_bytes': '64K', 'sim_rate': '2M', 'sim_beams': '32', 'crc': 'yes'},
           'rear': {'slice_bytes': '64K', 'sim_rate': '300K', 'sim_beams': '16', 'source': 'sim'}}


# ---- outside -----------------------------------------------------------------

def stage_modules(folder):
    """What dkms install does once it has built them."""
    files = [f'{harness.BUILD}/kmod/{m}.ko' for m in MODULES]
    if not all(os.path.exists(f) for f in files):
        return
    magic = subprocess.run(['modinfo', '-F', 'vermagic', files[0]], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    modules = f'/usr/lib/modules/{magic.split()[0]}'
    staged = folder + '/destination' + modules
    os.makedirs(staged + '/updates/dkms')
    for file in files:
        shutil.copy(file, staged + '/updates/dkms')
    for name in ('order', 'builtin', 'builtin.modinfo'):
        shutil.copy(f'{modules}/modules.{name}', staged)
    # depmod is to see the kernel's own, too, which are in the guest already
    os.symlink(modules + '/kernel', staged + '/kernel')
    subprocess.run(['depmod', '-b', folder + '/destination/usr', magic.split()[0]], check=True)
    os.unlink(staged + '/kernel')


def stage(folder):
    root = os.environ.get('LIDARD_SOURCE_ROOT') or os.path.join(HERE, '..', '..')
    done = subprocess.run(['meson', 'install', '-C', harness.BUILD, '--no-rebuild', '--quiet'],
                          env={**os.environ, 'DESTDIR': folder + '/destination'}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit('Bail out! meson install: ' + done.stdout)
    stage_modules(folder)
    for path in STAGED:
        shutil.copy(os.path.join(root, path), folder)
    for program in PROGRAMS:
        shutil.copy(f'{harness.BUILD}/tests/system/{program}', folder)


def outside():
    with tempfile.TemporaryDirectory(prefix='lidard-product-') as folder:
        stage(folder)
        # lidard-trace attaches while everything runs
        done = subprocess.run([os.path.join(HERE, 'guest'), '--systemd', '--one-thread',
                               '--memory', '3G', '--timeout', '1500', '--share', folder, '--', 'python3', '-B',
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


def readme(begin):
    """Its commands from these words to the next heading."""
    with open(HERE + '/README.md', encoding='utf-8') as f:
        text = f.read()
    block = text[text.index(begin) + len(begin):].split('\n## ')[0]
    return [line[4:] for line in block.splitlines() if line.startswith('    ')]


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
    # a guest does without; the product loads its module by it
    os.unlink('/run/systemd/system/modprobe@.service')
    for command in (['ldconfig'], ['systemd-sysusers'], ['systemd-tmpfiles', '--create', 'lidard.conf'],
                    ['systemctl', 'daemon-reload']):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    users = [f'u {READER} 61002', f'm {READER} lidar', f'u {STRANGER} 61003']
    subprocess.run(['systemd-sysusers', '--inline', *users], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.makedirs(harness.BIN)
    os.makedirs(harness.HERE + '/logs')
    os.chmod(harness.HERE, 0o755)
    for program in PROGRAMS:
        shutil.copy(f'{HERE}/{program}', harness.BIN)


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


def nice_of_children(pid):
    """Of the processes that it has started."""
    found = []
    for stat in glob.glob('/proc/[0-9]*/stat'):
        with contextlib.suppress(OSError), open(stat, encoding='ascii', errors='replace') as f:
            fields = f.read().rsplit(')', 1)[1].split()
            if int(fields[1]) == pid:
                found.append(int(fields[16]))
    return found


# ---- readers that live through it all ----------------------------------------

crew = []


def start_crew(what='--crc'):
    """Programs that are there for the whole life of the service."""
    crew[:] = [Reader('front', '--check', what, user=READER),
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


# ---- where did every microsecond go ---------------------------------------------

CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF = 21, 38, 39
PARTS = {'wake', 'run', 'code', 'take', 'hold', 'total'}
CLIENTS = ('test_reader', 'lidarctl')


def need_trace():
    if show('lidard-trace', 'LoadState') != 'loaded':
        raise harness.Skip('needs lidard-trace, which is not built')


def trace_commands():
    """What README says of it, with the prefix of this build."""
    lines = readme('## Where did every microsecond go')
    check(lines[0].startswith('systemctl start ') and lines[-1].startswith('systemctl stop '), lines)
    scripts = glob.glob(HERE + '/destination/**/lidard/trace', recursive=True)
    equal(len(scripts), 1, 'folders of scripts')
    installed = scripts[0].removeprefix(HERE + '/destination')
    return [line.replace('/usr/local/share/lidard/trace', installed) for line in lines]


@contextlib.contextmanager
def echo():
    """A reader as README has it."""
    process = Process('echo', ['lidarctl', 'echo', 'front', '--summary'], user=READER)
    yield
    equal(process.terminate(), 0, 'exit status of lidarctl echo')


def latency():
    """Return: the source, and {client: {stage: count}}"""
    found = json.loads(must('lidarctl', 'latency', '--json'))
    counts = {}
    for row in found['latencies']:
        equal(row['count'], sum(count for _, count in row['buckets']), f'slices of {row["stage"]}')
        counts.setdefault(row['client'], {})[row['stage']] = row['count']
    return found['source'], counts


def taken(client):
    return latency()[1].get(client, {}).get('take', 0)


def wait_for_more(client, since, more=20):
    wait_for(lambda: taken(client) >= since + more, f'{client} to be counted on from {since}')


def check_picture(name, head, words):
    with open('/tmp/' + name, 'rb') as f:
        picture = f.read()
    check(picture.startswith(head), f'{name} begins with {picture[:20]}')
    for word in words:
        check(word.encode() in picture, f'{word} is not in {name}')


@case('lidard-trace, as README has it: two readers, stage by stage, in tables, maps and pictures')
def trace():
    need_trace()
    first, *commands, _ = trace_commands()
    must('sh', '-ec', first)
    with echo():
        for client in CLIENTS:
            wait_for_more(client, 0)
    said_of = {c: must('sh', '-ec', 'cd /tmp; ' + c) for c in commands}
    table = next(t for c, t in said_of.items() if c.split('#')[0].strip() == 'lidarctl latency')
    check(table.startswith('from BPF'), 'the source is not told first: ' + table[:100])
    rows = {tuple(line.split()[:3]) for line in table.splitlines()}
    for client in CLIENTS:
        missing = {('front', client, stage) for stage in PARTS} - rows
        check(not missing, f'not in the table: {missing}')
    dump = next(t for c, t in said_of.items() if c.startswith('bpftool map dump'))
    for words in ('"sensor": "front"', '"client": "lidarctl"', '"stage": ', '"buckets": [', '"max_ns"'):
        check(words in dump, f'{words} is not in what bpftool printed: {dump[:300]}')
    check_picture('latency.svg', b'<svg ', [f'front {c} {s}' for c in CLIENTS for s in PARTS])
    check_picture('latency.png', b'\x89PNG\r\n', ())
    status, text = lidarctl('latency')
    equal(status, 0, 'lidarctl latency of a user: ' + text)
    check('from stamps alone' in text and 'root' in text, 'a user is not told why: ' + text[:200])
    equal(latency()[0], 'bpf', 'source')


@case('once attached, lidard-trace has no privilege left; before, what this kernel wants')
def trace_confined():
    need_trace()
    status = capabilities(pid_of('lidard-trace'))
    for kind in ('CapEff', 'CapPrm', 'CapInh', 'CapAmb'):
        equal(int(status[kind], 16), 0, kind)
    equal(int(status['CapBnd'], 16), 1 << CAP_SYS_ADMIN | 1 << CAP_PERFMON | 1 << CAP_BPF, 'CapBnd')
    equal((status['NoNewPrivs'], status['Seccomp']), ('1', '2'), 'NoNewPrivs and Seccomp')
    # CAP_SYS_ADMIN is there for kernels that want it for uprobes, and lidard-trace says so
    less = run('setpriv', '--bounding-set=-all,+bpf,+perfmon', '--inh-caps=-all', 'timeout',
               '--preserve-status', '10', 'lidard-trace', '--pin-dir', '/sys/fs/bpf/less')
    wants = (1, 'lidard-trace: no privilege: this kernel wants CAP_SYS_ADMIN for uprobes\n')
    check(less == wants or (less[0] == 0 and 'watching' in less[1]), f'without it: {less}')
    note(f'Linux {os.uname().release} wants CAP_SYS_ADMIN for uprobes: ' + 'ny'[less == wants])


@case('lidard and a reader are started again: lidard-trace counts on')
def trace_goes_on():
    need_trace()
    before = [taken(client) for client in CLIENTS]
    check(all(before), f'counted so far: {before}')
    trace_pid, turn = pid_of('lidard-trace'), turns() + 1
    must('systemctl', 'restart', 'lidard')
    crew_resumed(turn)
    with echo():
        for client, since in zip(CLIENTS, before):
            wait_for_more(client, since)
    equal(pid_of('lidard-trace'), trace_pid, 'process of lidard-trace')


@case('systemctl stop lidard-trace: the figures are from stamps alone, and it says so')
def trace_stops():
    need_trace()
    must('sh', '-ec', trace_commands()[-1])
    equal(show('lidard-trace', 'ActiveState', 'Result'), ['inactive', 'success'], 'lidard-trace')
    text = must('lidarctl', 'latency')
    check('from stamps alone' in text and 'systemctl start lidard-trace' in text, text[:200])
    source, counts = latency()
    equal(source, 'stamps', 'source')
    check(counts['test_reader']['take'] > 0 and 'wake' not in counts['test_reader'], counts)


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
    wait_for(lambda: nice_of_children(pid), 'a probe of RouDi')
    equal(nice_of_children(pid), [0], 'nice of the probe')
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


def end_crew():
    for reader in crew:
        final = reader.finish()
        equal(final['violations'], 0, 'violations')
        equal(final['crc_wrong'], 0, 'wrong CRCs')
    crew.clear()


@case('the crew saw nothing wrong in all that time')
def crew_ends():
    end_crew()
    wait_for(lambda: harness.reserved(harness.get_status()) == 0, 'all reservations to come back')


# ---- a sensor on the network ----------------------------------------------------

@case('a sensor on the network, as README has it: systemd hands its socket over, also after a crash')
def network():
    curl, *commands, look = readme('## A sensor on the network')
    check(curl.startswith('curl -o /etc/lidard/left.json '), curl)
    ouster.write_metadata('/etc/lidard/left.json')
    ouster.write_capture('/tmp/left.pcap', 600)
    must('sh', '-ec', '\n'.join(commands))
    left = Process('left', [f'{harness.BIN}/udp_send', '/tmp/left.pcap', '127.0.0.1:7502'])
    text = must('sh', '-ec', look)
    equal(len([line for line in text.splitlines() if line.startswith('frame ')]), 2,
          'frames in what lidarctl echo said: ' + text[-500:])
    reader, pid = Reader('left', '--check', user=READER), pid_of('lidard')
    reader.wait_slices(3)
    os.kill(pid, signal.SIGKILL)
    wait_for_new('lidard', pid)
    reader.wait_event('resumed')
    equal(harness.find_sensor(harness.get_status(), 'left')['source'], 'udp', 'source')
    equal(reader.finish()['violations'], 0, 'violations')
    left.terminate()
    must('systemctl', 'disable', '--now', 'lidard-left.socket')
    os.unlink(config_folder() + '/left.conf')
    must('systemctl', 'restart', 'lidard-roudi')
    wait_for(lambda: is_active('lidard'), 'lidard to be started without it')


# ---- a sensor behind the kernel module ------------------------------------------

DRIVER = '/sys/bus/platform/drivers/lidar-ring'


def need_modules():
    if not glob.glob(f'/lib/modules/{os.uname().release}/updates/dkms/lidar_ring.ko'):
        raise harness.Skip('needs lidar_ring, which is not built')


def documented():
    """Commands of README for a sensor behind the module, but for those that build it."""
    lines = readme('A sensor behind the kernel module')
    check(lines[0].startswith('apt install ') and lines[1].startswith('dkms install '), lines[:2])
    return '\n'.join(lines[2:])


def front():
    return harness.find_sensor(harness.get_status(), 'front')


@case('the module, a virtual LIDAR, and what README says: readers get slices by its DMA')
def device():
    need_modules()
    os.unlink(config_folder() + '/10-test.conf')
    check(os.path.isdir('/sys/module/lidar_ring'), 'starting lidard did not load lidar_ring')
    text = must('sh', '-ec', documented())
    equal(len([line for line in text.splitlines() if line.startswith('frame ')]), 2,
          'frames in what lidarctl echo said: ' + text[-500:])
    node = os.stat('/dev/lidar0')
    equal((grp.getgrgid(node.st_gid).gr_name, stat.S_IMODE(node.st_mode)), ('lidard', 0o660),
          'group and mode of /dev/lidar0')
    start_crew('--pattern')
    s = front()
    equal((s['source'], s['state'], s['model'], s['copied_bytes']),
          ('device', 'streaming', 'lidar_sim', 0), 'the sensor')
    status_adds_up()


@case('its memory is pinned as LimitMEMLOCK allows, without a privilege')
def pinned():
    need_modules()
    status = capabilities(pid_of('lidard'))
    equal(int(status['CapEff'], 16), 0, 'CapEff')
    locked = int(status['VmLck'].split()[0]) << 10
    # the rest of the system has to do with this
    note(f'{locked >> 20} MiB locked, the limit of a shell is {limit(os.getpid(), "Max locked memory")}')
    check(locked >= 200 * (256 << 10), f'{locked} bytes are locked')


@case('the device is unbound and bound again: degraded, then readers go on, and the journal has it')
def rebind():
    need_modules()
    turn = turns() + 1
    name = os.path.basename(os.path.realpath('/sys/class/lidar/lidar0/device'))
    for what, wanted in (('unbind', 'degraded: sensor front is '), ('bind', '1 of 1')):
        with open(f'{DRIVER}/{what}', 'w', encoding='ascii') as f:
            f.write(name)
        wait_for(lambda w=wanted: show('lidard', 'StatusText').startswith(w),
                 f'the status line to say "{wanted}"')
    crew_resumed(turn)
    check(said('/dev/lidar0 is gone; retrying', 'LIDARD_SENSOR=front'), 'it is not told as gone')
    check(said('streams now (was: ', 'LIDARD_SENSOR=front'), 'nor that it streams again')


@case('systemctl restart lidard, with the DMA running: readers go on in the same process')
def restart_device():
    need_modules()
    restart()
    equal(front()['copied_bytes'], 0, 'bytes copied')


def can_open(more):
    """May a unit that is lidard's, as far as devices go, open the device?"""
    with open('/run/systemd/system/try-lidar.service', 'w', encoding='ascii') as f:
        f.write('[Service]\nType=oneshot\nUser=lidard\nGroup=lidard\nDevicePolicy=closed\n'
                f'{more}\nExecStart=/bin/sh -c "exec 3<>/dev/lidar0"\n')
    must('systemctl', 'daemon-reload')
    status, _ = run('systemctl', 'start', 'try-lidar')
    run('systemctl', 'reset-failed', 'try-lidar')
    return status == 0


@case('it is DeviceAllow= of the unit that lets lidard have the device')
def device_allow():
    need_modules()
    allowed = 'char-lidar rw'
    equal(show('lidard', 'DevicePolicy', 'DeviceAllow'), ['closed', allowed], 'of the unit')
    equal([can_open(''), can_open('DeviceAllow=' + allowed)], [False, True],
          'can be opened without it, and with it')


@case('lidard stopped, the modules go; and the crew saw nothing wrong')
def device_ends():
    need_modules()
    end_crew()
    must('systemctl', 'stop', 'lidard')
    # in this order: while lidar_ring has a channel of it, lidar_sim is in use
    must('modprobe', '-r', *MODULES)
    check(not os.path.exists('/dev/lidar0'), '/dev/lidar0 is still there')
    os.unlink(config_folder() + '/front.conf')
    configure(**SENSORS)
    must('systemctl', 'restart', 'lidard-roudi')
    wait_for(lambda: is_active('lidard'), 'lidard to be started with it')


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
