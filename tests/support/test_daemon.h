/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_daemon.h - a daemon's control side without RouDi
 *
 * The control socket, the client registry and one sensor (a simulator that is
 * not started, with a sink that nothing is asked of), for tests and fuzzing of
 * the control protocol.  Files live in a directory of their own.
 */
#ifndef TESTS_SUPPORT_TEST_DAEMON_H
#define TESTS_SUPPORT_TEST_DAEMON_H

#include "daemon/control.h"
#include "daemon/daemon.h"

struct test_daemon {
	struct daemon daemon;
	struct loop loop;
	struct sensor *sensor;
	struct sink sink;
	char dir[64];
};

/** Aborts on failure. */
void test_daemon_init(struct test_daemon *t);
void test_daemon_deinit(struct test_daemon *t);

/** Connect: one end is served, the other is returned. */
int test_daemon_connect(struct test_daemon *t, struct varlink **ret_varlink);

#endif /* TESTS_SUPPORT_TEST_DAEMON_H */
