/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * probes.h - USDT probes lidard:*, stable and meant for use
 *
 * Places in lidard and in liblidard that bpftrace, perf, bpftool and
 * lidard-trace can attach to while the programs run.  Names, order and meaning
 * of the arguments are an interface: a probe may get further arguments at its
 * end, those it has stay.
 *
 *	in lidard
 *	lidard:lend		a loan went to the source, to be filled
 *		sensor		const char *, its name
 *		bytes		payload asked for
 *		lent		loans out, this one included
 *	lidard:loan_exhausted	the source wants a loan and there is none
 *		sensor, bytes, lent
 *	lidard:filled		lidard itself has put the last byte of a slice in place (sim, replay
 *				and device in copy mode; where a device's DMA does, lidar:slice_done)
 *		sensor
 *		header		const struct lidard_slice_header *
 *	lidard:ready		the daemon has learned of a filled slice
 *		sensor, header
 *	lidard:publish		the slice has been handed to the transport
 *		sensor, header
 *
 *	in liblidard
 *	lidard:wake		lidard_subscription_wait() has slept and is awake
 *		reader		const struct lidard_probe_reader *
 *		slept_ns	for how long
 *	lidard:take		a slice goes to the application
 *		reader, header
 *		taken_ns	when, CLOCK_MONOTONIC
 *	lidard:release		the application gave it back; header is valid still
 *		reader, header
 *		taken_ns	when it was taken
 *		hold_ns		for how long the application had it
 *	lidard:skip		slices were published and this reader will not see them
 *		reader
 *		cause		enum lidard_skip_cause
 *		count		slices
 *
 * What a probe costs while nobody listens: a nop, and the few instructions that
 * keep its arguments at hand.  Each has a semaphore, which says whether somebody
 * does; an argument that would have to be computed is computed only then.
 *
 * Without <sys/sdt.h> there are no probes.  Compiles as C99 and as C++11.
 */
#ifndef LIDARD_PROBES_H
#define LIDARD_PROBES_H

#include <stdint.h>

#include "lidard/control.h"

#if defined(__has_include) && !defined(__bpf__) && !defined(LIDARD_WITHOUT_PROBES)
#if __has_include(<sys/sdt.h>)
#define LIDARD_HAVE_PROBES 1
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Longest name of a client that a probe shows, the NUL included. */
#define LIDARD_PROBE_CLIENT_MAX 32u

/** struct lidard_probe_reader - who takes slices; texts are padded with zeros */
struct lidard_probe_reader {
	char sensor[LIDARD_SENSOR_NAME_MAX];
	/** As lidard_client_new() was told, cut off if it is longer. */
	char client[LIDARD_PROBE_CLIENT_MAX];
};

LIDARD_ASSERT_OFFSET(lidard_probe_reader, sensor, 0);
LIDARD_ASSERT_OFFSET(lidard_probe_reader, client, 32);
LIDARD_ASSERT_LAYOUT(sizeof(struct lidard_probe_reader) == 64);

/** Every probe, for those who list them: X(name, arguments). */
#define LIDARD_PROBES_OF_DAEMON(X) \
	X(lend, 3) X(loan_exhausted, 3) X(filled, 2) X(ready, 2) X(publish, 2)
#define LIDARD_PROBES_OF_LIBRARY(X) X(wake, 2) X(take, 3) X(release, 4) X(skip, 3)

/* ---- For lidard and liblidard themselves -------------------------------------- */

#ifdef LIDARD_HAVE_PROBES

/* The kernel counts it up and down for every listener; nobody here writes to it. */
#define LIDARD_PROBE_SEMAPHORE_DECLARE_(name, arguments)                             \
	extern volatile unsigned short lidard_##name##_semaphore                     \
		__attribute__((visibility("hidden")));
LIDARD_PROBES_OF_DAEMON(LIDARD_PROBE_SEMAPHORE_DECLARE_)
LIDARD_PROBES_OF_LIBRARY(LIDARD_PROBE_SEMAPHORE_DECLARE_)

#define LIDARD_PROBE_SEMAPHORE_DEFINE_(name, arguments)                              \
	volatile unsigned short lidard_##name##_semaphore                            \
		__attribute__((visibility("hidden"), used, section(".probes")));
/** In one file of the program, and in one of the library. */
#define LIDARD_PROBES_DEFINE(list) list(LIDARD_PROBE_SEMAPHORE_DEFINE_)

/** Does anybody listen? */
#define LIDARD_PROBE_ENABLED(name) __builtin_expect(lidard_##name##_semaphore != 0, 0)

#define LIDARD_PROBE2(name, a, b) STAP_PROBE2(lidard, name, a, b)
#define LIDARD_PROBE3(name, a, b, c) STAP_PROBE3(lidard, name, a, b, c)
#define LIDARD_PROBE4(name, a, b, c, d) STAP_PROBE4(lidard, name, a, b, c, d)

#else

#define LIDARD_PROBES_DEFINE(list)
#define LIDARD_PROBE_ENABLED(name) 0
#define LIDARD_PROBE2(name, a, b) ((void)(a), (void)(b))
#define LIDARD_PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define LIDARD_PROBE4(name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))

#endif

#ifdef __cplusplus
}
#endif

#endif /* LIDARD_PROBES_H */
