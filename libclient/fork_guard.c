/* SPDX-License-Identifier: Apache-2.0 */
/* fork_guard.c - see fork_guard.h */
#include "libclient/fork_guard.h"

#include <pthread.h>

#include "libclient/transport_life.h"

uint32_t fork_guard_generation = 1;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_result;

static void in_child(void)
{
	/* pairs with the load in fork_guard_get() */
	__atomic_store_n(&fork_guard_generation, fork_guard_generation + 1, __ATOMIC_RELAXED);
	transport_life_forget_all();
}

static void init_once(void)
{
	once_result = -pthread_atfork(NULL, NULL, in_child);
}

int fork_guard_init(void)
{
	pthread_once(&once, init_once);
	return once_result;
}
