/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_control.c - the control protocol
 *
 * Input: the bytes of one connection, NUL-separated messages, fed as they came
 * from the socket.
 */
#include <stdlib.h>
#include <unistd.h>

#include "daemon/varlink.h"
#include "tests/support/test_daemon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct test_daemon t;

static void end(void)
{
	test_daemon_deinit(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct subscription *s;
	struct client *c;
	struct varlink *v;
	int fd;

	if (!t.dir[0]) {
		test_daemon_init(&t);
		atexit(end);
	}
	fd = test_daemon_connect(&t, &v);
	varlink_feed(v, (const char *)data, size);
	varlink_free(v);
	close(fd);
	/* This process does not die between inputs: give back what it subscribed. */
	LIST_FOREACH(c, &t.daemon.clients.clients, link)
		while ((s = LIST_FIRST(&c->subscriptions))) {
			LIST_REMOVE(s, of_client);
			subscription_free(s);
		}
	return 0;
}
