/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iox_guard.h - iceoryx's ways to end a process, turned into an error
 *
 * iceoryx calls its error handler, std::terminate(), abort() or exit() when
 * something is wrong; the host process must survive all of them.  This object
 * comes before iceoryx and libc in its namespace, so it can define these
 * functions itself:
 *
 *     jmp_buf env;
 *
 *     if (iox_guard_is_dead() || setjmp(env))
 *             return -ENOTRECOVERABLE;
 *     iox_guard_enter(&env);
 *     ...one call into iceoryx...
 *     iox_guard_leave();
 *
 * A fatal error inside jumps back to setjmp() and leaves this life of iceoryx
 * dead: nothing may call into it any more, since locks may be held.  A fatal
 * error in a thread that iceoryx started parks that thread for good.
 *
 * Nor may the end of the process run iceoryx's destructors, which trip over its
 * own threads: they are not registered (__cxa_atexit()).
 *
 * Loaded plainly (no namespace), libc's functions come first and only
 * the error handler is replaced.
 */
#ifndef LIBCLIENT_IOX_GUARD_H
#define LIBCLIENT_IOX_GUARD_H

#include <setjmp.h>
#include <stdbool.h>

void iox_guard_enter(jmp_buf *env);
void iox_guard_leave(void);

/** Did iceoryx die in this object? */
bool iox_guard_is_dead(void);

/** iox_guard_give_up() - a call into iceoryx does not come back: treat it as dead. */
void iox_guard_give_up(void);

/** Is this object in a namespace of its own, rather than part of the host's? */
bool iox_guard_is_isolated(void);

/** In a namespace of its own: keep iceoryx from writing to the host's stdout and stderr. */
void iox_guard_silence(void);

#endif /* LIBCLIENT_IOX_GUARD_H */
