/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork_guard.h - does this handle belong to this process?
 *
 * A handle remembers the generation it was made in; pthread_atfork() gives
 * each child a new one.  So the check is one load and a compare, cheap enough
 * for the hot path, where getpid() would be a system call.  A child made by a
 * bare clone() system call is not noticed.
 */
#ifndef LIBCLIENT_FORK_GUARD_H
#define LIBCLIENT_FORK_GUARD_H

#include <stdbool.h>
#include <stdint.h>

extern uint32_t fork_guard_generation;

/** Call before the first handle is made. Return: 0; -ENOMEM. */
int fork_guard_init(void);

static inline uint32_t fork_guard_get(void)
{
	/* written by the atfork handler only, while the child has one thread */
	return __atomic_load_n(&fork_guard_generation, __ATOMIC_RELAXED);
}

static inline bool fork_guard_is_foreign(uint32_t generation)
{
	return generation != fork_guard_get();
}

#endif /* LIBCLIENT_FORK_GUARD_H */
