#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Suite decode: which sensors it has, and what it makes of what was counted."""
import os
import re
import sys
import types
import unittest

ROOT = os.environ.get('LIDARD_SOURCE_ROOT', os.path.join(os.path.dirname(__file__), '..', '..'))
sys.path.insert(0, f'{ROOT}/bench')
sys.dont_write_bytecode = True
import rows
import suite_decode

COUNTED = {'packets': 10, 'packet_bytes': 10000, 'points': 2000, 'span_ns': 1000000,
           'passes': 4, 'decode_cpu_ns': 80000, 'memcpy_cpu_ns': 20000}
PLAN = types.SimpleNamespace(machine='a machine')


def names_in(path, pattern):
    with open(f'{ROOT}/{path}', encoding='utf-8') as f:
        return set(re.findall(pattern, f.read()))


def made_models(decoder):
    return {s.model for s in suite_decode.read_contenders()
            if s.decoder == decoder and suite_decode.is_made(s)}


class Sensors(unittest.TestCase):
    def test_every_profile_and_model_there_is_has_made_up_packets(self):
        tables = {
            'ouster': names_in('decoder/ouster_profile.c',
                               r'(?:PROFILE\(|\.name = )"(\w+)"'),
            'velodyne': names_in('decoder/velodyne_model.c', r'\{ \.name = "([^"]+)"'),
            'hesai': names_in('decoder/hesai_packet.c', r'\{ "(Pandar\w+)"'),
            'robosense': names_in('decoder/decoder_robosense.c', r'\{ "([^"]+)", 0\.'),
        }
        for decoder, there in tables.items():
            with self.subTest(decoder):
                self.assertGreater(len(there), 0)
                self.assertEqual(made_models(decoder), there)

    def test_names_are_there_once(self):
        names = suite_decode.names()
        self.assertEqual(len(names), len(set(names)))

    def test_a_recording_that_is_absent_is_skipped_with_the_reason(self):
        recorded = next(s for s in suite_decode.read_contenders() if not suite_decode.is_made(s))
        kept = os.environ.pop('LIDARD_TEST_DATA', None)
        try:
            self.assertIn('LIDARD_TEST_DATA names no folder', suite_decode.why_not(recorded))
            os.environ['LIDARD_TEST_DATA'] = '/nowhere'
            self.assertIn(recorded.packets, suite_decode.why_not(recorded))
        finally:
            os.environ.pop('LIDARD_TEST_DATA')
            if kept is not None:
                os.environ['LIDARD_TEST_DATA'] = kept
        row = suite_decode.make_empty(PLAN, recorded, skipped='no such file')
        self.assertIn('not here: no such file', suite_decode.to_table([row]))


class Figures(unittest.TestCase):
    sensor = suite_decode.read_contenders()[0]

    def test_rates_are_of_the_threads_own_time(self):
        figures = suite_decode.figures_of(COUNTED)
        self.assertAlmostEqual(figures['mb_per_s'], 500)
        self.assertAlmostEqual(figures['cpu_s_per_gb_producer'], 2)
        self.assertAlmostEqual(figures['points_per_s'], 1e8)
        self.assertAlmostEqual(figures['ns_per_point'], 10)
        self.assertAlmostEqual(figures['memcpy_ns_per_point'], 2.5)
        self.assertAlmostEqual(figures['over_memcpy'], 4)
        self.assertAlmostEqual(figures['times_real_time'], 50)

    def test_a_row_has_medians_their_spread_and_all_keys_of_every_row(self):
        slower = COUNTED | {'decode_cpu_ns': 160000}
        row = suite_decode.make_row(PLAN, self.sensor, [COUNTED, slower, COUNTED], 31.0)
        self.assertAlmostEqual(row['ns_per_point'], 10)
        self.assertEqual([round(v) for v in row['spread']['ns_per_point']], [10, 20])
        self.assertEqual((row['rounds'], row['bytes'], row['packets']), (3, 1000, 'made'))
        self.assertLessEqual(set(rows.KEYS) | set(suite_decode.KEYS), row.keys())
        self.assertIn('| 500 (250-500) | 2.00 |', suite_decode.to_table([row]))
        self.assertIn('| 31.0 |', suite_decode.to_table([row]))

    def test_memcpy_is_a_row_of_what_was_copied_beside_all(self):
        group = [suite_decode.make_row(PLAN, self.sensor, [COUNTED | {'memcpy_cpu_ns': ns}], None)
                 for ns in (8000, 16000, 80000)]
        row = suite_decode.make_memcpy(PLAN, group)
        self.assertAlmostEqual(row['ns_per_point'], 2)
        self.assertEqual((row['contender'], row['packets']), ('memcpy', 'made'))
        self.assertIn('| memcpy |', suite_decode.to_table([*group, row]))


if __name__ == '__main__':
    unittest.main()
