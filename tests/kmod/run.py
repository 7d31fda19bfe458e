#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run tests of the kernel modules, all within one guest, as one TAP stream.

    run.py [--guest OPTION]... [--debug-kernel] --module FILE... [--program FILE]... TEST...

Each TEST is a program of its own: one that prints TAP, or one whose exit status
is its only word (0, 77 for a skip, anything else).  It begins with the modules
freshly loaded, in the order given, and finds --programs in its PATH.  After it
the modules must go: what still holds them is a leak, and fails.  So does a
complaint of the kernel: see tests/vm/guest.  Tests run as root, with
configfs, debugfs and tracefs mounted.

With --debug-kernel the guest boots the kernel of tests/vm/debug-kernel, if it was
built, and modules of the same names built for it; at the end nothing may have
leaked.  $LIDARD_DEBUG_SECONDS reaches the tests, and lengthens what they may take.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 300  # for a test: machines are emulated
SLOWER = 4     # a debug kernel, all told
CAMPAIGN = 'LIDARD_DEBUG_SECONDS'
# All kinds of memory may fail, but for those of the checks of DMA (their tree of what is
# mapped), of kmemleak and of objects: a check without memory is off until the next boot.
MAY_FAIL = 'slub_debug=A;-,radix_tree_node,kmemleak_object,kmemleak_scan_area,debug_objects_cache'
PLAN = re.compile(r'^1\.\.(\d+)\s*(?:#\s*SKIP\s*(.*))?', re.I)
RESULT = re.compile(r'^(ok|not ok)\b\s*\d*\s*(?:- )?(.*)')


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def result(self, good, name):
        self.count += 1
        self.failed += not good
        print(f'{"ok" if good else "not ok"} {self.count} - {name}', flush=True)

    def note(self, text):
        for line in text.splitlines():
            print('# ' + line[:500], flush=True)


def command(*argv):
    """Return: what went wrong, '' if nothing did."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return f'{" ".join(argv)}: {done.stdout.strip() or done.returncode}' if done.returncode else ''


def name_of(module):
    return os.path.basename(module).removesuffix('.ko')


def load(modules):
    return next((text for text in (command('insmod', m) for m in modules) if text), '')


def unload(modules):
    with open('/proc/modules', encoding='ascii') as f:
        loaded = {line.split()[0] for line in f}
    texts = [command('rmmod', name_of(m)) for m in reversed(modules) if name_of(m) in loaded]
    return '; '.join(t for t in texts if t)


def say_in_kernel_log(text):
    """So that a complaint there can be told whose it is."""
    with open('/dev/kmsg', 'w', encoding='utf-8') as f:
        f.write(f'<3>{text}\n')


def pass_on(tap, name, lines):
    """Results of a test's TAP. Return: (results, failed ones, the plan or None)."""
    results = failed = 0
    plan = None
    for line in lines:
        result = RESULT.match(line)
        found = PLAN.match(line)
        if found:
            plan = int(found[1])
            if found[2] is not None:
                tap.result(True, f'{name} # SKIP {found[2]}')
        elif result:
            results += 1
            failed += result[1] != 'ok'
            tap.result(result[1] == 'ok', f'{name}: {result[2]}')
        elif line.strip():
            tap.note(line.lstrip('# '))
    return results, failed, plan


def run_test(tap, test, seconds):
    name = os.path.splitext(os.path.basename(test))[0]
    started = time.monotonic()
    argv = [sys.executable, '-B', test] if test.endswith('.py') else [test]
    say_in_kernel_log(f'tests/kmod: {name}')
    with tempfile.TemporaryFile('w+', errors='replace') as out:
        try:
            status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                    timeout=seconds, check=False).returncode
        except subprocess.TimeoutExpired:
            status = f'none after {seconds} s'
        out.seek(0)
        results, failed, plan = pass_on(tap, name, out.read().splitlines())
    if plan is None and not results:
        tap.result(status in (0, 77), name + (' # SKIP see above' if status == 77 else ''))
    elif plan is not None and plan != results:
        tap.result(False, f'{name}: {results} results of {plan}, exit status {status}')
    elif status not in (0, 77) and not failed:
        tap.result(False, f'{name}: exit status {status}')
    tap.note(f'{name}: {time.monotonic() - started:.1f} s')


KMEMLEAK = '/sys/kernel/debug/kmemleak'
# Not ours, {what: calls in its backtrace}.  A channel that cannot be registered for want of
# memory keeps its device's name; and a device that is bound by sysfs before it is ready says
# why it cannot be, which goes only with those that wait to be probed, and it does not.
KERNELS_LEAKS = {
    'names of channels that dmaengine forgot':
        ['dev_set_name+', '__dma_async_device_channel_register+'],
    'reasons of devices that were bound too early':
        ['device_set_deferred_probe_reason+', '__driver_probe_device+', 'bind_store+'],
}


def tell_kmemleak(word):
    with open(KMEMLEAK, 'w', encoding='ascii') as f:
        f.write(word)


def forget_leaks():
    """Those of the boot are not ours."""
    if os.path.exists(KMEMLEAK):
        for word in ('scan=off', 'scan', 'scan', 'clear'):
            tell_kmemleak(word)


def find_leaks(tap):
    if not os.path.exists(KMEMLEAK):
        return
    # what is younger than five seconds is not suspected yet
    time.sleep(6)
    for _ in range(2):
        tell_kmemleak('scan')
    with open(KMEMLEAK, encoding='ascii', errors='replace') as f:
        said = f.read()
    # what looks otherwise than this is nothing to be left out
    leaks = re.findall(r'^unreferenced object.*\n(?: .*\n)*', said, re.M) or said.split('\n\n')
    leaks = [leak for leak in leaks if leak.strip()]
    for what, calls in KERNELS_LEAKS.items():
        count = len(leaks)
        leaks = [leak for leak in leaks if not all(name in leak for name in calls)]
        if len(leaks) < count:
            tap.note(f'{count - len(leaks)} {what}')
    tap.note(''.join(leaks))
    tap.result(not leaks, 'kmemleak finds no memory that nobody knows of')


def inside(modules, tests, seconds):
    tap = Tap()
    forget_leaks()
    for test in tests:
        problem = load(modules)
        if problem:
            tap.result(False, f'{os.path.basename(test)}: {problem}')
        else:
            run_test(tap, test, seconds)
        problem = unload(modules)
        if problem:
            tap.result(False, f'{os.path.basename(test)} leaves the modules in use: {problem}')
            break
    find_leaks(tap)
    print(f'1..{tap.count}')
    return 1 if tap.failed else 0


def stage(options, folder):
    """Copies the guest can reach, wherever the tree lies. Return: the command."""
    def copy(path):
        shutil.copy(path, folder)
        return os.path.join(folder, os.path.basename(path))
    argv = [sys.executable, '-B', copy(__file__), '--inside', '--seconds', str(options.seconds)]
    for helper in sorted(os.listdir(HERE)):
        if helper.endswith('.py'):
            copy(os.path.join(HERE, helper))
    for module in options.module:
        argv += ['--module', copy(module)]
    for program in options.program:
        copy(program)
    return argv + [copy(t) for t in options.test]


def debug_kernel(folder):
    """Modules for it, into the folder. Return: its image, None if it was not built."""
    builder = os.path.join(HERE, '..', 'vm', 'debug-kernel')
    if subprocess.run([builder, '--path'], stdout=subprocess.DEVNULL, check=False).returncode:
        return None
    return subprocess.run([builder, '--modules', folder], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def use_debug_kernel(options, folder):
    """Boot that kernel, with modules built for it. Return: false if there is none."""
    image = debug_kernel(folder)
    if not image:
        return False
    # it can have allocations fail, and tests do
    options.guest += ['--kernel', image, '--allow-no-memory', '--append', MAY_FAIL]
    options.timeout *= SLOWER
    options.seconds *= SLOWER
    options.module = [os.path.join(folder, os.path.basename(m)) for m in options.module]
    return True


def outside(options):
    if not options.debug_kernel:
        return run_guest(options)
    with tempfile.TemporaryDirectory(prefix='lidard-kmod-') as folder:
        if use_debug_kernel(options, folder):
            return run_guest(options)
    print('1..0 # SKIP no debug kernel: tests/vm/debug-kernel builds it, in ten minutes')
    return 0


def run_guest(options):
    campaign = os.environ.get(CAMPAIGN, '')
    options.timeout += float(campaign or 0)
    options.seconds += float(campaign or 0)
    with tempfile.TemporaryDirectory(prefix='lidard-kmod-') as folder:
        argv = stage(options, folder)
        # what the modules need of the kernel itself, and their file systems
        depends = subprocess.run(['modinfo', '-F', 'depends', *options.module], capture_output=True,
                                 text=True, check=True).stdout
        ours = {name_of(m) for m in options.module}
        needed = sorted({d for d in re.findall(r'\w+', depends) if d not in ours})
        script = '; '.join([*(f'modprobe -q {d}' for d in needed),
                            'mount -t configfs configfs /sys/kernel/config 2>/dev/null',
                            f'PATH={folder}:$PATH', f'export {CAMPAIGN}={campaign}',
                            'exec "$@"'])
        status = subprocess.run([os.path.join(HERE, '..', 'vm', 'guest'), '--share', folder,
                                 '--timeout', str(options.timeout), *options.guest, '--',
                                 'sh', '-c', script, 'sh', *argv], check=False).returncode
    if status == 77:
        print('1..0 # SKIP needs a virtual machine')
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--guest', action='append', default=[], metavar='OPTION',
                        help='an option of tests/vm/guest: --guest=--iommu')
    parser.add_argument('--module', action='append', default=[], metavar='FILE')
    parser.add_argument('--program', action='append', default=[], metavar='FILE')
    parser.add_argument('--debug-kernel', action='store_true', help='that of tests/vm/debug-kernel')
    parser.add_argument('--timeout', type=float, default=1500, metavar='SECONDS')
    parser.add_argument('--seconds', type=float, default=SECONDS, help='for each test')
    parser.add_argument('--inside', action='store_true', help=argparse.SUPPRESS)
    parser.add_argument('test', nargs='*')
    options = parser.parse_args()
    if not options.test:
        print('1..0 # SKIP no tests')
        sys.exit(0)
    sys.exit(inside(options.module, options.test, options.seconds) if options.inside else outside(options))


if __name__ == '__main__':
    main()
