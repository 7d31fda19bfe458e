/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.h - a private /dev/shm and /tmp
 *
 * iceoryx has fixed names there.  What else lies in /tmp stays visible, as the
 * build tree may be among it.
 */
#ifndef BENCH_SANDBOX_H
#define BENCH_SANDBOX_H

/** Move this process, which must be root and have one thread. Return: 0; negative errno. */
int sandbox_enter(void);

#endif /* BENCH_SANDBOX_H */
