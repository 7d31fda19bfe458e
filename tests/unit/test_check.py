#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What ./check says before it installs or builds anything."""
import glob
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.environ.get('LIDARD_SOURCE_ROOT', os.path.join(os.path.dirname(__file__), '..', '..'))
# in place of what installs packages: as far as a test lets it come
INSTALL = """#!/bin/sh
echo "would install, umask $(umask), lists: $*"
echo "here: $PWD; others: $(setpriv --reuid=nobody --clear-groups ls .ci 2>&1)"
echo "recordings: $(ls ../shared/lidar "$LIDARD_TEST_DATA" 2>&1)"
exit 1
"""


def without(environment, name):
    return {key: value for key, value in environment.items() if key != name}


def make_folder(path, mode):
    os.makedirs(path)
    # whatever the umask
    os.chmod(path, mode)
    return path


class Check(unittest.TestCase):
    def setUp(self):
        # not in $TMPDIR, which may be private
        holder = tempfile.TemporaryDirectory(dir='/tmp')
        self.addCleanup(holder.cleanup)
        self.top = holder.name
        os.chmod(self.top, 0o755)
        self.tree = make_folder(f'{self.top}/a b/tree', 0o755)
        os.chmod(f'{self.top}/a b', 0o755)
        shutil.copy(f'{ROOT}/check', self.tree)
        path = f'{make_folder(f"{self.tree}/.ci", 0o755)}/install-packages'
        with open(path, 'w', encoding='utf-8') as f:
            f.write(INSTALL)
        os.chmod(path, 0o755)

    def check(self, *arguments, **how):
        return subprocess.run([f'{self.tree}/check', *arguments], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)

    def goes_on(self, *arguments):
        done = self.check(*arguments)
        self.assertIn('would install', done.stdout)
        self.assertEqual(done.stderr, '')

    def refused(self, folders, *arguments):
        """Stops for these and no others, before it installs."""
        done = self.check(*arguments)
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        *found, advice = done.stderr.splitlines()
        self.assertEqual(found, [f'check: {path} has mode {mode}: other users cannot enter it'
                                 for path, mode in folders])
        for path, _ in folders:
            self.assertIn(f"'{path}'", advice)
        self.assertIn('chmod o+x ', advice)


class Arguments(Check):
    def test_a_suite_that_does_not_exist_is_refused_by_name(self):
        done = self.check('systems')
        self.assertEqual((done.returncode, done.stdout), (2, ''))
        self.assertIn('no suite systems', done.stderr)

    def test_the_list_names_each_suite(self):
        done = self.check('--list')
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r'(?m)^system +the programs')


@unittest.skipIf(os.geteuid(), 'needs root: nobody else runs programs as other users')
class Folders(Check):
    def test_a_tree_that_others_can_enter_is_built(self):
        for suite in ('system', 'sanitize', '--quick'):
            self.goes_on(suite)

    def test_a_private_tree_is_refused_by_name_and_mode(self):
        os.chmod(self.tree, 0o700)
        for arguments in ((), ('system',), ('sanitize',), ('--quick',)):
            self.refused([(self.tree, '0700')], *arguments)

    def test_below_private_folders_it_goes_on_where_others_can_enter(self):
        os.chmod(self.top, 0o750)
        os.chmod(f'{self.top}/a b', 0o710)
        for path in (f'{self.top}/a b/shared/lidar/near', f'{self.top}/far/off'):
            make_folder(path, 0o755)
        done = self.check('system', env=os.environ | {'LIDARD_TEST_DATA': f'{self.top}/far'})
        self.assertEqual(done.stderr, '')
        self.assertIn(f'check: {self.top} has mode 0750: ', done.stdout)
        self.assertIn(f'here: {self.tree}; others: install-packages\n', done.stdout)
        self.assertIn('off', done.stdout)
        self.assertEqual(os.stat(self.top).st_mode & 0o777, 0o750)
        self.assertNotIn('near', done.stdout, 'other recordings than those asked for')
        done = self.check('system', env=without(os.environ, 'LIDARD_TEST_DATA'))
        self.assertIn('near', done.stdout)
        self.assertEqual(glob.glob('/run/lidard-check.*'), [])

    def test_below_it_runs_what_it_was_asked_for(self):
        os.chmod(self.top, 0o700)
        for suites, lists in ((['system'], 'packages'),
                              (['bench', 'system'], 'packages packages-bench')):
            self.assertIn(f', lists: {lists}\n', self.check(*suites).stdout)

    def test_a_private_tree_below_a_private_folder_is_refused(self):
        os.chmod(self.top, 0o700)
        os.chmod(self.tree, 0o700)
        self.refused([(self.top, '0700'), (self.tree, '0700')], 'system')

    def test_to_list_a_folder_is_not_to_enter_it(self):
        os.chmod(self.tree, 0o704)
        self.refused([(self.tree, '0704')], 'system')
        os.chmod(self.tree, 0o701)
        self.goes_on('system')

    def test_the_build_folder_counts_of_the_suite_that_has_it(self):
        for suite, name, other in (('system', 'build', 'sanitize'),
                                   ('sanitize', 'build-asan', 'system')):
            path = make_folder(f'{self.tree}/{name}', 0o700)
            self.refused([(path, '0700')], suite)
            self.goes_on(other)
            os.chmod(path, 0o755)

    def test_where_the_build_folder_is_a_link_what_it_leads_to_counts(self):
        private = make_folder(f'{self.top}/private', 0o700)
        make_folder(f'{private}/build', 0o755)
        os.symlink(f'{private}/build', f'{self.tree}/build')
        self.refused([(private, '0700')], 'system')

    def test_what_is_built_is_for_others_whatever_the_umask(self):
        self.assertIn('umask 0022', self.check('system', umask=0o077).stdout)

    def test_suites_that_stay_one_user_run_in_a_private_tree(self):
        os.chmod(self.tree, 0o700)
        self.goes_on('lint', 'unit', 'conformance')


if __name__ == '__main__':
    unittest.main()
