#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""guest passes on what its command says, and fails whenever something went wrong."""
import os
import subprocess
import sys
import tempfile

GUEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'guest')


def guest(*arguments):
    """Return: (status, output, errors)."""
    done = subprocess.run([GUEST, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def passes_on():
    with tempfile.TemporaryDirectory(prefix='lidard-guest-test-') as folder:
        status, out, err = guest('--share', folder, '--', 'sh', '-c',
                                 f'echo here; echo there >&2; echo kept >{folder}/file; '
                                 'test "$1" = "two words" && exit 7', 'sh', 'two words')
        with open(folder + '/file', encoding='ascii') as f:
            kept = f.read()
    if (status, out, err, kept) != (7, 'here\n', 'there\n', 'kept\n'):
        return f'status {status}, stdout {out!r}, stderr {err!r}, file {kept!r}'
    return None


def named_files_are_there():
    with tempfile.TemporaryDirectory(prefix='lidard-guest-test-', dir='/tmp') as folder:
        with open(folder + '/file', 'w', encoding='ascii') as f:
            f.write('named\n')
        status, out, err = guest('--', '/bin/cat', folder + '/file')
    return None if (status, out) == (0, 'named\n') else f'status {status}: {out} {err}'


def complaint_fails():
    status, _, err = guest('--', 'sh', '-c', 'echo "<3>BUG: made up" >/dev/kmsg; exit 0')
    return None if status == 125 and 'BUG: made up' in err else f'status {status}: {err}'


def no_memory_may_be_allowed():
    report = ('echo "<4>x: vmalloc error: size 8, mode:0x1" >/dev/kmsg; '
              'echo "<4>Call Trace:" >/dev/kmsg; exit 0')
    status, _, err = guest('--allow-no-memory', '--', 'sh', '-c', report)
    return None if status == 0 else f'status {status}: {err}'


def complaint_may_be_allowed():
    status, _, err = guest('--allow', 'made up', '--', 'sh', '-c', 'echo "<3>BUG: made up" >/dev/kmsg; exit 0')
    return None if status == 0 else f'status {status}: {err}'


def panic_fails():
    status, _, err = guest('--', 'sh', '-c', 'echo c >/proc/sysrq-trigger; exit 0')
    return None if status == 125 and 'panic' in err else f'status {status}: {err}'


def vanishing_fails():
    status, _, err = guest('--', '/bin/busybox', 'poweroff', '-f')
    return None if status == 125 and 'without a word' in err else f'status {status}: {err}'


def timeout_fails():
    status, _, err = guest('--timeout', '2', '--', 'true')
    return None if status == 124 else f'status {status}: {err}'


def missing_command_fails():
    status, _, err = guest('--', '/nonexistent')
    return None if status == 127 and 'nonexistent' in err else f'status {status}: {err}'


def systemd_passes_on():
    status, out, err = guest('--systemd', '--', 'sh', '-c', 'readlink /proc/1/exe; exit 9')
    return None if status == 9 and 'systemd' in out else f'status {status}: {out} {err}'


CASES = {
    'status, output, words and shared files are those of the command': passes_on,
    'a file in /tmp that the command names is there': named_files_are_there,
    'a complaint of the kernel fails a command that ends well': complaint_fails,
    'a complaint that is allowed does not': complaint_may_be_allowed,
    'nor the report of an allocation that was to fail': no_memory_may_be_allowed,
    'a panic fails': panic_fails,
    'a guest that goes without a word fails': vanishing_fails,
    'a guest that takes too long is ended, and fails': timeout_fails,
    'a command that does not exist fails': missing_command_fails,
    'with systemd as PID 1, too, the status is that of the command': systemd_passes_on,
}


def main():
    if guest('--timeout', '0', '--', 'true')[0] == 77:
        print('1..0 # SKIP needs a virtual machine')
        return
    print(f'1..{len(CASES)}', flush=True)
    failed = 0
    for number, (name, check) in enumerate(CASES.items(), 1):
        problem = check()
        failed += problem is not None
        print(f'{"not ok" if problem else "ok"} {number} - {name}', flush=True)
        for line in (problem or '').splitlines():
            print('# ' + line[:500])
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
