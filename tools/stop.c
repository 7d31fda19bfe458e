/* SPDX-License-Identifier: Apache-2.0 */
/* stop.c - see stop.h; the flag is the one global a signal handler needs */
#include "tools/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t requested;

static void request(int signal)
{
	requested = 1;
}

void stop_install(void)
{
	/* no SA_RESTART: a wait must end */
	struct sigaction action = { .sa_handler = request };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool stop_requested(void)
{
	return requested != 0;
}
