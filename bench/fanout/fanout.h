/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanout.h - one producer's frames to N subscribers, by whatever way
 *
 * Every process sees and checks every frame (bench/fanout/frame.h).  A
 * contender is one way: a struct fanout_ops in a file of its own and a row in
 * bench/fanout/contenders; what to measure and how is the same for all
 * (main.c, produce.c, subscribe.c).
 *
 * Processes: the driver, which makes what they share and then only looks; the
 * producer; the subscribers; and what a contender needs besides, its daemon.
 */
#ifndef BENCH_FANOUT_FANOUT_H
#define BENCH_FANOUT_FANOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/child.h"
#include "bench/fanout/page.h"

struct fanout {
	const struct fanout_ops *ops;
	uint64_t bytes;
	uint32_t hz;
	unsigned int subscribers;
	/** Subscriber N has the frames of sensor N modulo this: 1, but for who has_sensors. */
	unsigned int sensors;
	/** Frames that may wait for a subscriber, where a contender can be told. */
	uint32_t queue;
	struct fanout_page *page;
	/** The contender's: what setup() made for all processes. */
	void *shared;
	/** 0: none */
	pid_t daemon;
	pid_t producer;
	pid_t children[FANOUT_SUBSCRIBERS_MAX];
};

/** What a subscriber does with a frame that it has all of. */
typedef void fanout_look(void *with, const void *frame);

/*
 * Whatever fails ends the process: a benchmark has no caller who could do better.
 */
struct fanout_ops {
	const char *name;
	/** Nobody promises that anything arrives: a turn in which nothing does is one with that loss. */
	bool may_lose_all;
	/** There may be several sensors, each with a rate. */
	bool has_sensors;
	/** In the driver, before there is any other process; may start a daemon. NULL: nothing. */
	void (*setup)(struct fanout *f);
	/** In the driver: start a producer that is a program of its own. NULL: fanout_produce(). */
	pid_t (*start_producer)(struct fanout *f);
	/**
	 * In the producer's process, for each sensor from 0 on.
	 * Return: what the two below are called with for that sensor's frames.
	 */
	void *(*producer_open)(const struct fanout *f, unsigned int sensor);
	/**
	 * The contender's memory for a frame, with whatever was last in it: what subscribers
	 * will read in place, or what the contender must be done with before it is used again.
	 * NULL for none at hand. No such function: the frame is one the producer holds ready.
	 */
	void *(*loan)(void *producer);
	/** Send to all subscribers; may wait for them. */
	void (*publish)(void *producer, void *frame);
	/** In a subscriber's process; returns once it is connected. */
	void *(*subscriber_open)(const struct fanout *f, unsigned int index);
	/** Sleep until there is a frame, and take all of it. Return: NULL if there was none after all. */
	const void *(*take)(void *subscriber);
	/**
	 * Instead of take(), where the frame is the contender's only within its callback: sleep
	 * and call @look(@with) with each frame, for ever.
	 */
	void (*listen)(void *subscriber, fanout_look *look, void *with);
	/** Return: false if the frame was overwritten while it was lent, so that it is lost. */
	bool (*release)(void *subscriber, const void *frame);
};

/** The contenders that were built, ended by NULL: made from bench/fanout/contenders. */
extern const struct fanout_ops *const fanout_contenders[];

/** Each is the life of a process. */
_Noreturn void fanout_produce(const struct fanout *f);
_Noreturn void fanout_subscribe(const struct fanout *f, unsigned int index);

/** A contender's release() that has nothing to do. */
bool fanout_release_nothing(void *subscriber, const void *frame);

/** Zeroed memory for one of the contender's objects. */
void *fanout_alloc(size_t bytes);

#endif /* BENCH_FANOUT_FANOUT_H */
