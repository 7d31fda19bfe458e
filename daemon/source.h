/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - where slices come from
 *
 * A source fills loans.  All sources have the life and the rules below, and
 * tests/conformance/test_source.c holds every one of them to it:
 *
 *   new -> start -> { wants/lend/next }* -> stop -> start ... -> free
 *
 * - wants() is asked before every next(). A device writes before anybody knows of
 *   it, so its source wants loans ahead. One that writes itself, and can tell when
 *   it will, wants a loan only then: that is mostly the memory published last,
 *   whose lines caches still hold.
 *
 * - next() never blocks and never waits for a loan: data that comes while no
 *   loan is at hand is dropped, newest first, and counted (source_drop()).
 * - A source writes into a loan only between lend() and the next() that
 *   returns it, or stop(). After stop() nothing writes into any loan any more,
 *   unless it sets runaway; the loans still lent then belong to the sensor again,
 *   which cancels them.
 * - The source describes the slice in the loan's header, except incarnation,
 *   publish_index, ready_ns and published_ns, which the sensor fills in.
 * - get_fd() is one fd, readable (EPOLLIN) when next() has work; EPOLLPRI,
 *   EPOLLERR or EPOLLHUP say that next() will fail. It is valid from start()
 *   to stop().
 *
 * One thread: the daemon's loop.
 */
#ifndef DAEMON_SOURCE_H
#define DAEMON_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/problem.h"
#include "daemon/loan.h"
#include "daemon/loan_memory.h"
#include "daemon/packet_tap.h"
#include "daemon/sensor_clock.h"
#include "daemon/source_facts.h"

struct sensor_config;
struct source;
struct udp_ports;

/** Why a slice was produced but not published. Names: source_drop_name(). */
enum source_drop {
	/** No loan was at hand: the pool is exhausted or the daemon was late. */
	SOURCE_DROP_NO_LOAN,
	/** The source itself could not keep its pace. */
	SOURCE_DROP_OVERRUN,
	/** Begun, but the source was stopped before it was whole. */
	SOURCE_DROP_STOPPED,
	/** Lost by the device or its driver, or described by them in a way that makes no sense. */
	SOURCE_DROP_DEVICE,
	SOURCE_DROP_COUNT,
};

/** Counters that only grow, over all restarts of the source. */
struct source_stats {
	/** Slices: produced = handed out by next() + sum(dropped). */
	uint64_t produced;
	uint64_t dropped[SOURCE_DROP_COUNT];
	/** Revolutions finished, and how many of them lacked columns. */
	uint64_t frames;
	uint64_t partial_frames;
	/** Sensor packets taken in, lost on the way, and not understood or another sensor's. */
	uint64_t packets;
	uint64_t lost_packets;
	uint64_t ignored_packets;
	/** Packets damaged: wrong checksum, impossible field. */
	uint64_t bad_packets;
	/** Packets that came after the slice they belong to was finished. */
	uint64_t late_packets;
	/** Packets that came again, shortly after the first time; not among packets. */
	uint64_t duplicate_packets;
	/**
	 * Packets the kernel dropped because lidard was late to fetch them, of whichever sensor
	 * at the same address and port. Among lost_packets where the sensor numbers its packets.
	 */
	uint64_t overflow_packets;
	/** Columns that slices should have held and did not. */
	uint64_t missing_columns;
	/** Jumps of the sensor's clock, as its driver or sensor_clock.c found. */
	uint64_t clock_steps;
	/** CPU time spent writing payloads, and on wake-ups that did nothing else: what a device's
	 *  DMA would do by itself, ns. */
	uint64_t fill_cpu_ns;
	/** Bytes of payload copied from the source's memory into loans, that could have been
	 *  written there at once. */
	uint64_t copied_bytes;
};

/** What the sensor knows of the readers; set before next() is called. */
struct source_readers {
	/** Subscriptions connected to the transport. */
	uint32_t connected;
	/** Smallest number of free places in any connected subscription's queue; UINT32_MAX without any. */
	uint32_t room;
};

/** Outcomes of next(). */
enum {
	SOURCE_NONE = 0,
	/** A filled loan was handed over. */
	SOURCE_FILLED = 1,
	/** Nothing will come any more: a replay that does not loop is over. */
	SOURCE_END = 2,
};

struct source_ops {
	/** "sim", "replay", ... */
	const char *name;
	/** Wakes up to write parts of slices: what this takes is told apart from lidard's own work. */
	bool fills_in_parts;
	/**
	 * Begin, or begin again after stop(): seq restarts from 0.
	 * Return: 0, or negative errno with @problem set.
	 */
	int (*start)(struct source *s, struct problem *problem);
	/** End; idempotent. Drops what is half done (SOURCE_DROP_STOPPED). */
	void (*stop)(struct source *s);
	/** Free; stops first. Return: NULL. */
	struct source *(*free)(struct source *s);
	int (*get_fd)(struct source *s);
	/**
	 * Bytes the next loan should have, 0 if the source needs none now.
	 * Called after start(), before every next(), and after every lend() and next().
	 */
	size_t (*wants)(struct source *s);
	/** Take a loan of at least wants() bytes. Hot path. */
	void (*lend)(struct source *s, struct loan *loan);
	/** Hand over the next filled loan. Hot path.
	 *
	 * Return: SOURCE_NONE, SOURCE_FILLED, SOURCE_END, or negative errno: the
	 * source failed and must be stopped (@problem set).
	 */
	int (*next)(struct source *s, struct loan **ret_loan, struct problem *problem);
	/** Bring stats up to date: somebody wants to see them. NULL where they always are. */
	void (*refresh)(struct source *s);
};

/** Embedded as the first member of every source. */
struct source {
	const struct source_ops *ops;
	/** Borrowed; outlives the source. */
	const struct sensor_config *config;
	struct source_stats stats;
	struct source_readers readers;
	/** Of a sensor that sends packets; of others all zero. */
	struct sensor_clock clock;
	/** Where loans can lie; set before start(), count is 0 where the sink cannot tell. */
	struct loan_memory memory;
	/** Sockets that sources share; set before start(), NULL where there are none. */
	struct udp_ports *ports;
	/**
	 * Started, but for longer than it should nothing has come from the sensor: silence says
	 * what. next() sets both.
	 */
	bool silent;
	struct problem silence;
	/** stop() could not stop what writes: the loans it has are never to be used again. */
	bool runaway;
	/** What the administrator should know of a start() that worked, or of what came since, ""
	 *  if nothing; the sensor logs and clears it. */
	struct problem notice;
	/** enum lidard_format of the slices; may change with start(). */
	uint16_t format;
	/** seq of the next slice, and how many were dropped since the last one handed out. */
	uint64_t next_seq;
	uint64_t lost_pending;
	/** Facts for ListSensors, "" if unknown; set by start(). */
	char model[64];
	char serial[64];
	/** Gets the packets that are no points (source_side.h); NULL: they are ignored. */
	struct source *side;
	/** It is not known yet whose packets are taken: one that is no points could be anybody's. */
	bool side_waits;
	/** Who records its packets; and has it any? It may with start(). */
	struct packet_taps taps;
	bool has_packets;
	/** More of them; decoder is NULL where nothing is decoded. */
	struct source_facts facts;
};

/*
 * What goes wrong is told without the sensor's name: whoever shows it knows whose it is.
 */

/** source_check() - would source_new() refuse what this configuration says? Cheap.
 *
 * Return: 0; -EINVAL with @problem set.
 */
int source_check(const struct sensor_config *config, struct problem *problem);

/** source_new() - make the source a sensor's configuration names
 *
 * Return: 0, or negative errno with @problem set.
 */
int source_new(const struct sensor_config *config, struct source **ret_source,
	       struct problem *problem);

/** "no_loan", "overrun", "stopped", "device" */
const char *source_drop_name(enum source_drop cause);

/** Reset seq at start(). */
static inline void source_restart_seq(struct source *s)
{
	s->next_seq = 0;
	s->lost_pending = 0;
}

/** Count @count slices as produced and dropped. Hot path. */
static inline void source_drop(struct source *s, enum source_drop cause, uint64_t count)
{
	s->stats.produced += count;
	s->stats.dropped[cause] += count;
	s->next_seq += count;
	s->lost_pending += count;
}

/** Number a slice that is about to be handed out. Hot path. */
static inline void source_number(struct source *s, struct lidard_slice_header *header)
{
	s->stats.produced++;
	header->seq = s->next_seq++;
	header->lost_before = s->lost_pending;
	s->lost_pending = 0;
}

/* The sources; each in its own file. */
int source_sim_new(const struct sensor_config *config, struct source **ret_source,
		   struct problem *problem);
int source_replay_new(const struct sensor_config *config, struct source **ret_source,
		      struct problem *problem);
/** As source_check(). */
int source_replay_check(const struct sensor_config *config, struct problem *problem);
int source_udp_new(const struct sensor_config *config, struct source **ret_source,
		   struct problem *problem);
/** As source_check(). */
int source_udp_check(const struct sensor_config *config, struct problem *problem);
int source_device_new(const struct sensor_config *config, struct source **ret_source,
		      struct problem *problem);
int source_side_new(const struct sensor_config *config, struct source **ret_source,
		    struct problem *problem);
/** As source_check(), of a sensor that has one at its side. */
int source_side_check(const struct sensor_config *config, struct problem *problem);

#endif /* DAEMON_SOURCE_H */
