#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What meson install puts where, and whether systemd likes the units.

Installs into an empty DESTDIR, so neither root nor a running systemd is
needed.  Prints TAP; what cannot be tried here is skipped with the reason.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ.get('LIDARD_BUILD_ROOT', 'build')

# Every installed file, by the directory option it belongs to.  "?": may be
# missing while that part is not built.
EXPECTED = {
    '{bindir}': ['lidard', 'lidar-compliance', 'lidar-sim-feed', '?lidarctl'],
    '{sbindir}': ['?lidard-trace'],
    '{libexecdir}/lidard': ['lidard-reclaim'],
    '{libdir}': ['?liblidard.so', '?liblidard.so.0', '?liblidard.so.0.1.0'],
    '{libdir}/lidard': ['?*.so'],
    '{libdir}/pkgconfig': ['?liblidard.pc', '?lidard.pc'],
    '{includedir}/lidard': ['lidard.h', 'frame.h', 'control.h', 'lidar_ring.h', '?probes.h'],
    '{sysconfdir}/lidard': ['lidard.conf'],
    '{systemdsystemunitdir}': ['lidard.service', 'lidard-roudi.service', 'lidard-reclaim.service',
                               'lidard-reclaim.path', '?lidard-trace.service'],
    '{sysusersdir}': ['lidard.conf'],
    '{tmpfilesdir}': ['lidard.conf'],
    '{udevrulesdir}': ['60-lidard.rules'],
    '{mandir}/man1': ['?*.1'],
    '{mandir}/man3': ['?*.3'],
    '{mandir}/man4': ['lidar_ring.4', 'lidar_sim.4'],
    '{mandir}/man5': ['lidard.conf.5'],
    '{mandir}/man8': ['lidard.8', 'lidard-reclaim.8', '?lidard-trace.8'],
    '{kmodsrcdir}/lidard-*': ['?dkms.conf'],
    '{kmodsrcdir}/lidard-*/kmod': ['?Kbuild', '?Makefile', '?*.c', '?*.h'],
    '{kmodsrcdir}/lidard-*/include/uapi': ['?lidar_ring.h'],
    '{datadir}/lidard/trace': ['?picture.py', '?plot.py', '?slices.bt', '?waits.bt'],
    '{datadir}/bash-completion/completions': ['?lidarctl'],
    '{datadir}/doc/lidard': ['?*'],
}

# most exposure that systemd-analyze security may find: lidard itself, and the
# three that need a capability
EXPOSURE = {'lidard.service': 10, 'lidard-roudi.service': 12, 'lidard-reclaim.service': 20,
            'lidard-trace.service': 16}

# a systemd that lacks the kernel features says so; not about the unit
HARMLESS = re.compile(r'(Failed to (connect|open)|SELinux|cgroup|bpf)', re.I)


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def result(self, name, problems):
        self.count += 1
        self.failed += bool(problems)
        print(f'{"not ok" if problems else "ok"} {self.count} - {name}')
        for problem in problems:
            print(f'# {problem}')

    def skip(self, name, reason):
        self.count += 1
        print(f'ok {self.count} - {name} # SKIP {reason}')


def directories():
    """Where the build's options point to, as absolute paths."""
    done = subprocess.run(['meson', 'introspect', '--buildoptions', BUILD], check=True,
                          stdout=subprocess.PIPE)
    options = {o['name']: o['value'] for o in json.loads(done.stdout)}
    found = {n: os.path.join(options['prefix'], v) for n, v in options.items()
             if isinstance(v, str) and n.endswith('dir')}
    # options of ours that may be empty: what the installed files say
    return found


def install(root):
    environment = dict(os.environ, DESTDIR=root)
    done = subprocess.run(['meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet'],
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f'Bail out! meson install: {done.stdout.decode()}')


def installed(root):
    found = {}
    for folder, _, files in os.walk(root):
        for name in files:
            path = os.path.join(folder, name)
            found['/' + os.path.relpath(path, root)] = path
    return found


def matching(paths, folder, name):
    pattern = re.compile(re.escape(os.path.join(folder, name)).replace(r'\*', '[^/]*') + '$')
    return [p for p in paths if pattern.match(p)]


def check_files(paths, dirs):
    problems, known = [], set()
    for folder, names in EXPECTED.items():
        where = folder.format(**dirs)
        for name in names:
            hits = matching(paths, where, name.lstrip('?'))
            known.update(hits)
            if not hits and not name.startswith('?'):
                problems.append(f'missing: {where}/{name}')
    problems += [f'not in the list of this test: {p}' for p in sorted(set(paths) - known)]
    return problems


def check_modes(found):
    problems = []
    for path, real in found.items():
        program = any(f in path for f in ('/bin/', '/sbin/', '/libexec/', '/lidard/trace/'))
        # what plot.py there draws with
        program = program and not path.endswith('/picture.py')
        if os.path.islink(real) or path.endswith('.so') or '.so.' in path:
            continue
        if bool(os.stat(real).st_mode & 0o111) != program:
            problems.append(f'{path}: mode {os.stat(real).st_mode & 0o777:o}')
    return problems


def check_commands(units, found):
    """Each unit runs only what is installed here, or what every system has."""
    problems = []
    for unit, path in units.items():
        with open(path, encoding='utf-8') as f:
            text = f.read()
        if re.search(r'@\w+@', text):
            problems.append(f'{unit}: a @placeholder@ was left')
        for line in re.findall(r'^Exec\w+=(.*)$', text, re.M):
            program = line.lstrip('+-!:').split()[0]
            if program not in found and not os.path.exists(program) \
                    and not program.endswith('/iox-roudi'):
                problems.append(f'{unit}: {program} is not installed')
        for program in re.findall(r'(?<=exec )(/\S+/lidard\S*)', text):
            if program not in found:
                problems.append(f'{unit}: {program} is not installed')
    return problems


def patched_units(root, units, found):
    """The units with commands that exist here, in a folder for systemd-analyze."""
    folder = os.path.join(root, 'units')
    os.mkdir(folder)
    for unit, path in units.items():
        with open(path, encoding='utf-8') as f:
            text = f.read()
        for installed_path, real in found.items():
            if os.access(real, os.X_OK):
                text = re.sub(re.escape(installed_path) + r'(?=\s)', real, text)
        text = re.sub(r'(?<==)/\S*/iox-roudi', '/bin/true', text)
        # man pages of an uninstalled project are not found
        text = re.sub(r'^Documentation=.*\n', '', text, flags=re.M)
        with open(os.path.join(folder, unit), 'w', encoding='utf-8') as f:
            f.write(text)
    return folder


def verify(folder, units):
    # beside ours only the system's own units, without what this machine has
    environment = dict(os.environ, SYSTEMD_UNIT_PATH=folder + ':')
    done = subprocess.run(['systemd-analyze', 'verify', '--man=no',
                           *[os.path.join(folder, u) for u in units]],
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = [line for line in done.stdout.decode().splitlines() if 'lidard' in line]
    return [line for line in lines if not HARMLESS.search(line)]


def exposure(folder, unit, most):
    done = subprocess.run(['systemd-analyze', 'security', '--offline=true', '--no-pager',
                           f'--threshold={most}', os.path.join(folder, unit)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = done.stdout.decode().splitlines()
    return [] if done.returncode == 0 else [x for x in lines if x.startswith('✗') or '→' in x]


def check_sysusers(path):
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(os.path.join(root, 'etc'))
        done = subprocess.run(['systemd-sysusers', f'--root={root}', path],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            return done.stdout.decode().splitlines()
        with open(os.path.join(root, 'etc/group'), encoding='utf-8') as f:
            groups = dict((x.split(':')[0], x.strip().split(':')[3]) for x in f)
        problems = [f'no group {g}' for g in ('lidar', 'lidard') if g not in groups]
        if 'lidard' not in groups.get('lidar', '').split(','):
            problems.append('lidard is not a member of lidar')
        if 'root' not in groups.get('lidar', '').split(','):
            problems.append('root is not a member of lidar')
        return problems


def said_by(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


def check_config(found):
    """The installed program accepts the installed configuration, and looks for it where it is."""
    program = next(found[p] for p in found if p.endswith('/bin/lidard'))
    path = next(p for p in found if p.endswith('/lidard/lidard.conf'))
    status, said = said_by(program, '--check', '--config', found[path])
    problems = said.splitlines() if status else []
    if f'({path})' not in said_by(program, '--help')[1]:
        problems.append(f'lidard --help does not name {path}')
    # README says so, and so do the manual pages
    if path != '/etc/lidard/lidard.conf':
        problems.append(f'the configuration is installed as {path}')
    if not os.path.isdir(found[path] + '.d'):
        problems.append(f'there is no {path}.d')
    return problems


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix='lidard-install-') as root:
        destination = os.path.join(root, 'destination')
        install(destination)
        found = installed(destination)
        units = {os.path.basename(p): r for p, r in found.items()
                 if p.endswith(('.service', '.path', '.socket', '.target'))}
        dirs = directories()
        for name, sample in (('systemdsystemunitdir', '/lidard.service'),
                             ('sysusersdir', '/sysusers.d/lidard.conf'),
                             ('tmpfilesdir', '/tmpfiles.d/lidard.conf'),
                             ('udevrulesdir', '/rules.d/60-lidard.rules')):
            hits = [p for p in found if p.endswith(sample)]
            dirs[name] = os.path.dirname(hits[0]) if hits else '/missing'
        tap.result('exactly the expected files are installed', check_files(list(found), dirs))
        tap.result('programs can be run and nothing else can', check_modes(found))
        tap.result('units run what is installed', check_commands(units, found))
        tap.result('the installed configuration is right', check_config(found))
        folder = patched_units(root, units, found)
        if shutil.which('systemd-analyze'):
            tap.result('systemd-analyze verify finds nothing', verify(folder, units))
            for unit, most in EXPOSURE.items():
                if unit not in units:
                    continue
                tap.result(f'exposure of {unit} is at most {most / 10}',
                           exposure(folder, unit, most))
        else:
            tap.skip('units are well-formed and confined', 'systemd-analyze is missing')
        if shutil.which('systemd-sysusers'):
            users = next(r for p, r in found.items() if p.endswith('sysusers.d/lidard.conf'))
            tap.result('users and groups can be made', check_sysusers(users))
        else:
            tap.skip('users and groups can be made', 'systemd-sysusers is missing')
    print(f'1..{tap.count}')
    sys.exit(1 if tap.failed else 0)


if __name__ == '__main__':
    main()
