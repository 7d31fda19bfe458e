#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Suite device: what it has a guest do, and what it makes of what the guest printed."""
import json
import os
import re
import sys
import types
import unittest

ROOT = os.environ.get('LIDARD_SOURCE_ROOT', os.path.join(os.path.dirname(__file__), '..', '..'))
sys.path.insert(0, f'{ROOT}/bench')
sys.dont_write_bytecode = True
import rows
import suite_device

MIB = 1 << 20
COUNTED = {'way': 'ring', 'slice_bytes': MIB, 'slices': 1000, 'bytes': 1000000000, 'lost': 250,
           'duration_ns': 500000000, 'cpu_ns': 20000000, 'machine_cpu_ns': 80000000,
           'user_instructions': None, 'system_instructions': None}
SCANNED = {'way': 'scan', 'slice_bytes': MIB, 'rounds': 5,
           'ring': {'gb_per_s': 1.8, 'least': 1.7, 'most': 1.9},
           'dmabuf': {'gb_per_s': 1.0, 'least': 0.9, 'most': 1.1},
           'memory': {'gb_per_s': 2.0, 'least': 1.9, 'most': 2.1}}


def plan_of(**more):
    return types.SimpleNamespace(**{'machine': 'a machine', 'build': '/nowhere', 'only': None,
                                    'shapes': None, 'quick': False, 'rounds': 3, 'seconds': None,
                                    'instructions': False,
                                    **more})


class Plan(unittest.TestCase):
    def test_every_way_of_the_program_is_a_contender(self):
        with open(f'{ROOT}/bench/device/ways.c', encoding='utf-8') as f:
            ways = set(re.findall(r'\t\{ "([a-z-]+)", LIDAR_RING_MEMORY', f.read()))
        self.assertEqual(ways | {'scan', *suite_device.ONCE}, set(suite_device.names()))

    def test_sizes_and_contenders_are_those_asked_for(self):
        work = suite_device.make_plan(plan_of())
        self.assertEqual(work['sizes'], [65536, MIB, 16 * MIB, 64 * MIB])
        self.assertEqual(suite_device.make_plan(plan_of(quick=True))['sizes'], [MIB])
        work = suite_device.make_plan(plan_of(shapes=[(4 * MIB, 0)], only=['lidard-copy', 'ring']))
        self.assertEqual((work['sizes'], work['ways'], work['once']),
                         ([4 * MIB], ['ring'], ['lidard-copy']))

    def test_without_the_modules_every_row_says_so(self):
        group = next(suite_device.run(plan_of(quick=True)))
        self.assertTrue(all('no kmod/lidar_ring.ko' in row['skipped'] for row in group))
        self.assertIn('not here: the build has no', suite_device.to_table(group))


class Figures(unittest.TestCase):
    def test_turns_are_found_among_what_else_a_guest_prints(self):
        text = f'# a note\nGUEST a processor\nTURN {json.dumps(COUNTED)}\nother TURN\n'
        self.assertEqual(suite_device.read_turns(text), ('a processor', [COUNTED]))

    def test_costs_are_for_a_gb_and_for_a_slice(self):
        figures = suite_device.figures_of(plan_of(), COUNTED)
        self.assertAlmostEqual(figures['cpu_s_per_gb_producer'], 0.02)
        self.assertAlmostEqual(figures['cpu_s_per_gb_machine'], 0.08)
        self.assertAlmostEqual(figures['us_per_slice'], 20)
        self.assertAlmostEqual(figures['gb_per_s'], 2)
        self.assertAlmostEqual(figures['loss_pct'], 20)
        self.assertIsNone(figures['user_instructions_per_gb'])
        counted = COUNTED | {'user_instructions': 5000, 'lost': None}
        figures = suite_device.figures_of(plan_of(), counted)
        self.assertAlmostEqual(figures['user_instructions_per_gb'], 5000)
        self.assertIsNone(figures['loss_pct'])

    def test_a_row_has_medians_their_spread_and_all_keys_of_every_row(self):
        turns = [COUNTED, COUNTED | {'cpu_ns': 40000000}, COUNTED]
        row, = suite_device.rows_of(plan_of(), 'a guest', 'ring', MIB, turns, None)
        self.assertAlmostEqual(row['cpu_s_per_gb_producer'], 0.02)
        self.assertEqual(row['spread']['cpu_s_per_gb_producer'], [0.02, 0.04])
        self.assertEqual((row['rounds'], row['slices'], row['guest']), (3, 3000, 'a guest'))
        self.assertLessEqual(set(rows.KEYS) | set(suite_device.KEYS), row.keys())
        self.assertIn('| ring | 0.020 (0.020-0.040) | 0.080 | 20 (20-40) | - | - | 2.000 | 20.0 |',
                      suite_device.to_table([row]))

    def test_a_scan_below_four_fifths_of_ordinary_memory_is_named(self):
        group = suite_device.rows_of(plan_of(), 'a guest', 'scan', MIB, [SCANNED], None)
        self.assertEqual([row['contender'] for row in group],
                         ['scan-ring', 'scan-dmabuf', 'scan-memory'])
        self.assertAlmostEqual(group[0]['over_memory'], 0.9)
        self.assertIn('| scan-ring | 1.800 (1.700-1.900) | 0.90 |', suite_device.to_table(group))
        table = suite_device.to_table(group)
        self.assertEqual(re.findall(r'\| (\S+) \|.*too slow', table), ['scan-dmabuf'])

    def test_what_failed_in_any_turn_or_has_none_is_a_failure(self):
        turns = [COUNTED, {'way': 'ring', 'slice_bytes': MIB, 'error': 'consume: poll: timeout'}]
        row, = suite_device.rows_of(plan_of(), 'a guest', 'ring', MIB, turns, 'ended')
        self.assertEqual(row['error'], 'consume: poll: timeout')
        row, = suite_device.rows_of(plan_of(), 'a guest', 'read', MIB, turns, 'ended')
        self.assertEqual(row['error'], 'ended')
        row, = suite_device.rows_of(plan_of(), 'a guest', 'ring', MIB, [COUNTED | {'slices': 0}], None)
        self.assertEqual(row['error'], 'no slice came')


if __name__ == '__main__':
    unittest.main()
