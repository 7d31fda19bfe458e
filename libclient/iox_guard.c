/* SPDX-License-Identifier: Apache-2.0 */
/* iox_guard.c - see iox_guard.h */
#include "libclient/iox_guard.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "libclient/export.h"

/* iox::ErrorLevel */
#define LEVEL_FATAL 0u

/* One for each thread inside iceoryx; NULL outside. */
static __thread jmp_buf *guard_env;
/* Set by any thread that met a fatal error, read by all before they call iceoryx. */
static uint32_t guard_dead;

void iox_guard_enter(jmp_buf *env)
{
	guard_env = env;
}

void iox_guard_leave(void)
{
	guard_env = NULL;
}

bool iox_guard_is_dead(void)
{
	/* pairs with the store in die() */
	return __atomic_load_n(&guard_dead, __ATOMIC_ACQUIRE);
}

void iox_guard_give_up(void)
{
	/* pairs with the load in iox_guard_is_dead() */
	__atomic_store_n(&guard_dead, 1, __ATOMIC_RELEASE);
}

static _Noreturn void die(void)
{
	jmp_buf *env = guard_env;

	iox_guard_give_up();
	guard_env = NULL;
	if (env)
		longjmp(*env, 1);
	/* a thread of iceoryx's own: nobody waits for it */
	for (;;)
		pause();
}

/* iox::errorHandler(iox::Error, std::function<void()> const &, iox::ErrorLevel) */
LIDARD_EXPORT void
_ZN3iox12errorHandlerENS_5ErrorERKSt8functionIFvvEENS_10ErrorLevelE(uint32_t error,
								   const void *callback,
								   uint32_t level);

LIDARD_EXPORT void
_ZN3iox12errorHandlerENS_5ErrorERKSt8functionIFvvEENS_10ErrorLevelE(uint32_t error,
								   const void *callback,
								   uint32_t level)
{
	/* for the lesser levels the call that met it returns an error itself */
	if (level == LEVEL_FATAL)
		die();
}

/* What asserts, std::terminate() and failed expectations end in. */
LIDARD_EXPORT _Noreturn void abort(void)
{
	die();
}

LIDARD_EXPORT _Noreturn void exit(int status)
{
	die();
}

/*
 * What C++ registers its static objects' destructors with.  At exit they would
 * unmap the shared memory under iceoryx's threads, which then fault; wait for
 * threads that a forked child does not have; or meet an error for ports the
 * host did not free.  None is needed: lidard sees the process end.
 */
LIDARD_EXPORT int __cxa_atexit(void (*destroy)(void *), void *object, void *dso);

LIDARD_EXPORT int __cxa_atexit(void (*destroy)(void *), void *object, void *dso)
{
	return 0;
}

bool iox_guard_is_isolated(void)
{
	struct link_map *map;
	Dl_info info;
	Lmid_t ns;

	return dladdr1((const void *)iox_guard_is_isolated, &info, (void **)&map,
		       RTLD_DL_LINKMAP) &&
	       dlinfo(map, RTLD_DI_LMID, &ns) == 0 && ns != LM_ID_BASE;
}

/*
 * The namespace has a libc of its own, and with it a stdout and stderr of its
 * own: pointing these at /dev/null does not touch the host's fds 1 and 2.
 * (freopen() would close them.)  C++ streams write through the same FILEs.
 */
void iox_guard_silence(void)
{
	int fd;

	if (!iox_guard_is_isolated())
		return;
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	stdout->_fileno = fd;
	stderr->_fileno = fd;
}
