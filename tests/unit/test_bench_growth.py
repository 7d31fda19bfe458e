#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What suite growth makes of what was counted: bench/suite_growth.py."""
import json
import os
import sys
import unittest
import unittest.mock

ROOT = os.environ.get('LIDARD_SOURCE_ROOT', os.path.join(os.path.dirname(__file__), '..', '..'))
sys.path.insert(0, os.path.join(ROOT, 'bench'))
sys.dont_write_bytecode = True
import plots
import rows
import suite_growth


def counted(sensors=2, **other):
    """A second: 100 slices of each sensor; each took the producer 30 us, its subscriber 20."""
    slices = 100 * sensors
    return {'contender': 'lidard', 'bytes': 65536, 'hz': 100, 'subscribers': sensors,
            'sensors': sensors, 'duration_ns': 1000000000, 'due': slices, 'sent': slices,
            'taken': slices, 'producer_cpu_ns': 30000 * slices, 'has_daemon': True,
            'daemon_cpu_ns': 1000 * slices, 'subscriber_cpu_ns': 20000 * slices, 'max_ns': 40100,
            'latency': [[10000, slices]]} | other


def row_of(*rounds):
    return suite_growth.make_row('a machine', list(rounds))


class Figures(unittest.TestCase):
    def test_cpu_is_for_each_slice_of_all_sensors(self):
        row = row_of(counted(4))
        self.assertAlmostEqual(row['producer_us_per_slice'], 30)
        self.assertAlmostEqual(row['daemon_us_per_slice'], 1)
        self.assertAlmostEqual(row['subscriber_us_per_slice'], 20)

    def test_a_core_is_a_second_of_cpu_a_second(self):
        # 400 slices of 30 us
        self.assertAlmostEqual(row_of(counted(4))['producer_core_pct'], 1.2)

    def test_who_has_all_of_its_own_sensor_lost_nothing(self):
        self.assertEqual(row_of(counted(4))['loss_pct'], 0)
        self.assertAlmostEqual(row_of(counted(4, taken=300))['loss_pct'], 25)

    def test_a_row_has_the_median_of_its_rounds_and_their_spread(self):
        row = row_of(*[counted(1, producer_cpu_ns=ns) for ns in (9000000, 2000000, 3000000)])
        self.assertAlmostEqual(row['producer_us_per_slice'], 30)
        self.assertEqual(row['spread']['producer_us_per_slice'], [20, 90])


class Growth(unittest.TestCase):
    def test_sensors_that_cost_alike_add_to_the_core_and_not_to_the_slice(self):
        growth, = suite_growth.make_growth([row_of(counted(n)) for n in (1, 2, 4, 8)])
        self.assertAlmostEqual(growth['us_per_slice_per_sensor'], 0)
        self.assertAlmostEqual(growth['core_pct_per_sensor'], 0.3)

    def test_a_slice_that_becomes_dearer_with_each_sensor_shows(self):
        made = [row_of(counted(n, producer_cpu_ns=n * 100 * (30000 + 2000 * n)))
                for n in (1, 2, 4, 8)]
        self.assertAlmostEqual(suite_growth.make_growth(made)[0]['us_per_slice_per_sensor'], 2)

    def test_one_number_of_sensors_says_nothing(self):
        self.assertEqual(suite_growth.make_growth([row_of(counted())]), [])

    def test_each_contender_grows_by_itself(self):
        made = [row_of(counted(n)) for n in (1, 2)]
        made += [row_of(counted(n, contender='iceoryx', producer_cpu_ns=n * 100 * 10000))
                 for n in (1, 2)]
        core = {row['contender']: row['core_pct_per_sensor']
                for row in suite_growth.make_growth(made)}
        self.assertEqual(core.keys(), {'lidard', 'iceoryx'})
        self.assertAlmostEqual(core['lidard'], 0.3)
        self.assertAlmostEqual(core['iceoryx'], 0.1)

    def test_the_table_of_growth_has_both_figures_of_each_contender(self):
        made = suite_growth.make_growth([row_of(counted(n, contender=name))
                                         for n in (1, 2) for name in ('lidard', 'iceoryx')])
        self.assertIn('| lidard | 0.00 | 0.30 |', rows.to_growth_table(made))
        self.assertIn('| iceoryx | 0.00 | 0.30 |', rows.to_growth_table(made))


class Turns(unittest.TestCase):
    def play(self, turn, rounds=1, only=None, sensors=(1, 2), shapes=None):
        """Return: the groups of rows, whose turns @turn counts."""
        plan = unittest.mock.Mock(machine='m', rounds=rounds, seconds=None, quick=False,
                                  shapes=shapes, subscribers=list(sensors), only=only)
        with unittest.mock.patch.object(suite_growth.suite_fanout, 'turn', turn):
            return list(suite_growth.run(plan))

    def follow(self, **how):
        """Return: (contender, sensors) of each turn, in order."""
        seen = []

        def turn(build, contender, work, seconds):
            seen.append((contender, work['sensors']))
            return counted(work['sensors'], contender=contender)
        self.play(turn, **how)
        return seen

    def test_contenders_alternate_and_each_round_begins_with_another(self):
        first = [('lidard', 1), ('iceoryx', 1), ('lidard', 2), ('iceoryx', 2)]
        self.assertEqual(self.follow(rounds=2), [*first, *first[1:], first[0]])

    def test_a_contender_can_be_had_alone(self):
        self.assertEqual(self.follow(only=['iceoryx', 'pipe']), [('iceoryx', 1), ('iceoryx', 2)])
        self.assertEqual(self.follow(only=['pipe']), [])

    def test_slices_without_a_rate_are_left_out(self):
        self.assertEqual(self.follow(only=['lidard'], sensors=[1], shapes=[(65536, 0)]), [])

    def test_a_turn_that_fails_is_a_row_and_the_others_go_on(self):
        def turn(build, contender, work, seconds):
            if (contender, work['sensors']) == ('iceoryx', 2):
                raise RuntimeError('broke')
            return counted(work['sensors'], contender=contender)
        group, = self.play(turn, rounds=3)
        self.assertEqual([(r['contender'], r['sensors'], r['error'], r['rounds']) for r in group],
                         [('lidard', 1, None, 3), ('iceoryx', 1, None, 3),
                          ('lidard', 2, None, 3), ('iceoryx', 2, 'broke', 0)])


class Output(unittest.TestCase):
    WORK = {'bytes': 65536, 'hz': 100, 'subscribers': 2, 'sensors': 2}

    def failure(self):
        return suite_growth.make_failure('m', 'iceoryx', self.WORK, 'broke')

    def test_rows_that_ran_or_failed_have_the_same_keys(self):
        for row in (row_of(counted()), self.failure()):
            self.assertEqual(set(json.loads(rows.to_json(row))),
                             set(rows.KEYS) | set(suite_growth.KEYS))

    def test_every_line_of_the_table_has_as_many_cells(self):
        lines = suite_growth.to_table([row_of(counted()), self.failure()]).strip().split('\n')[2:]
        self.assertEqual({line.count('|') for line in lines}, {11})

    def test_every_line_of_the_table_says_whose_it_is(self):
        lines = suite_growth.to_table([row_of(counted()), self.failure()]).strip().split('\n')
        self.assertTrue(lines[-2].startswith('| lidard | 2 | 30.0 |'), lines[-2])
        self.assertTrue(lines[-1].startswith('| iceoryx | 2 | failed: broke |'), lines[-1])

    def test_a_picture_has_a_curve_for_each_contender(self):
        made = [row_of(counted(n, contender=name))
                for n in (1, 2, 4) for name in ('lidard', 'iceoryx')]
        (name, curves, *_), = plots.cpu_against_subscribers(made)
        self.assertEqual(name, 'growth-cpu-64-kib-100-hz')
        self.assertEqual([(who, [x for x, _ in points]) for who, points in curves],
                         [('lidard', [1, 2, 4]), ('iceoryx', [1, 2, 4])])


if __name__ == '__main__':
    unittest.main()
