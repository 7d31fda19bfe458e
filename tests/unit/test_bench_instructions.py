#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Suites that count instructions make rows of what a guest is made up to have printed."""
import json
import os
import sys
import types
import unittest

ROOT = os.environ.get('LIDARD_SOURCE_ROOT', os.path.join(os.path.dirname(__file__), '..', '..'))
sys.path.insert(0, os.path.join(ROOT, 'bench'))
sys.dont_write_bytecode = True
import suite_device
import suite_instructions

WORK = {'bytes': 1 << 20, 'hz': 500, 'subscribers': 4}
PLAN = types.SimpleNamespace(machine='a machine', instructions=True, subscribers=None, shapes=None,
                             quick=False)


def line(contender, **other):
    return json.dumps({'contender': contender, **WORK, 'due': 100, 'sent': 100, 'taken': 400,
                       'producer_cpu_ns': 3000000, 'daemon_cpu_ns': 100000, 'has_daemon': True,
                       'subscriber_cpu_ns': 8000000} | other)


def find(lines, name='lidard', status=0):
    return suite_instructions.find_row(PLAN, lines, name, WORK, status)


class Instructions(unittest.TestCase):
    def test_nanoseconds_are_instructions_for_each_frame(self):
        row = find([line('iceoryx', producer_cpu_ns=1), line('lidard')])
        self.assertEqual([row[key] for key in suite_instructions.KEYS[:3]], [30000, 1000, 20000])
        self.assertEqual(suite_instructions.count_all(row), 30000 + 1000 + 4 * 20000)
        self.assertEqual((row['loss_pct'], row['cpu_s_per_gb_producer']), (0, None))

    def test_a_contender_without_a_daemon(self):
        row = find([line('ring', has_daemon=False)], 'ring')
        self.assertIsNone(row['instructions_per_frame_daemon'])
        self.assertEqual(suite_instructions.count_all(row), 30000 + 4 * 20000)

    def test_other_work_is_not_taken_for_this(self):
        self.assertIn('ended with 0', find([line('lidard', subscribers=16)])['error'])

    def test_who_failed_and_a_guest_that_did_say_so(self):
        self.assertEqual(find(['FAILED lidard 1048576 500 4 no memory'])['error'], 'no memory')
        self.assertEqual(find(['half a li'], status=124)['error'], 'the guest ended with 124')
        self.assertEqual(find([line('lidard', taken=0)])['error'], 'no frame came')

    def test_who_failed_at_other_work_has_not_failed_at_this(self):
        self.assertIsNone(find(['FAILED lidard 1048576 500 1 no memory', line('lidard')])['error'])

    def test_the_guest_says_it_as_it_is_read(self):
        command = suite_instructions.turn_command('/build', 'lidard', WORK, 1)
        said = f'|| echo "{suite_instructions.failure_of("lidard", WORK)}'
        self.assertIn(said, command)

    def test_the_table_has_the_ratio(self):
        group = [find([line(name, producer_cpu_ns=cost)], name)
                 for name, cost in (('lidard', 3000000), ('iceoryx', 2000000))]
        self.assertIn('| 111000 | 1.099 |', suite_instructions.to_table(group))

    def test_shapes_without_a_rate_are_left_out(self):
        plan = types.SimpleNamespace(**vars(PLAN) | {'shapes': [(1 << 20, 0), (4096, 10)]})
        self.assertEqual({work['bytes'] for work in suite_instructions.make_work(plan)}, {4096})


class Device(unittest.TestCase):
    ONE = {'bytes': 2000000000, 'slices': 1000, 'cpu_ns': 5000000, 'machine_cpu_ns': 1, 'lost': 0,
           'duration_ns': 10**9, 'user_instructions': None, 'system_instructions': None}

    def test_a_clock_that_counts_tells_no_times(self):
        figures = suite_device.figures_of(PLAN, self.ONE)
        self.assertEqual((figures['instructions_per_gb'], figures['instructions_per_slice']),
                         (2500000, 5000))
        self.assertNotIn('us_per_slice', figures)

    def test_a_clock_that_tells_times_counts_nothing(self):
        plan = types.SimpleNamespace(**vars(PLAN) | {'instructions': False})
        figures = suite_device.figures_of(plan, self.ONE)
        self.assertEqual(figures['us_per_slice'], 5)
        self.assertNotIn('instructions_per_gb', figures)
        counted = self.ONE | {'user_instructions': 1000, 'system_instructions': 3000}
        self.assertEqual(suite_device.figures_of(plan, counted)['instructions_per_slice'], 4)


if __name__ == '__main__':
    unittest.main()
