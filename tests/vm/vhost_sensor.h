/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_sensor.h - a LIDAR that writes into a guest's buffers
 *
 * Slices come at their times, whether the guest has posted a buffer or not: one
 * that finds none is lost, whole, and counted, as with a sensor that cannot
 * wait.  A slice is written bit by bit as its bytes become due, so that a stop
 * finds it half written.  With rate 0 there is no pace: a slice begins when
 * there is a buffer, and none is lost.
 *
 * If this process gets no CPU for a while, its time stands still beyond
 * SENSOR_LAG_NS (account.slipped_ns) rather than that it makes up for it in a
 * burst that no sensor would send.
 */
#ifndef TESTS_VM_VHOST_SENSOR_H
#define TESTS_VM_VHOST_SENSOR_H

#include "tests/vm/vhost_user.h"

#define SENSOR_LAG_NS 20000000ull

/* enum sensor_pattern - what is written */
enum sensor_pattern {
	SENSOR_PATTERN_NONE, /* nothing: for what the transport alone costs */
	SENSOR_PATTERN_WORDS, /* a u64 at the start of each page: seq << 20 | page in the slice */
	SENSOR_PATTERN_FULL, /* all words: the others are random numbers made of seq and place */
};

struct sensor_options {
	uint64_t rate; /* bytes a second; 0: as fast as buffers come */
	uint64_t slice_bytes; /* less if a buffer is smaller */
	uint32_t slices_per_frame;
	enum sensor_pattern pattern;
	bool crc;
	uint64_t drop_every, short_every; /* slices; 0: never */
	uint64_t stall_ns, stall_seq; /* before that slice */
	bool has_bad_id;
	uint64_t bad_id_seq; /* give that slice back under an id that is none, once */
	uint64_t interrupt_ns; /* at most one in this time; 0: one for each slice */
	uint64_t seconds; /* of production; 0: for ever */
};

/* All counts of slices since the process began; produced is the sum of the others. */
struct sensor_account {
	uint64_t produced, delivered, dropped_no_buffer, dropped_fault, abandoned;
	uint64_t delivered_bytes, shortened;
	uint64_t broken_queues, foreign_queues; /* starts whose buffers were not to be used */
	uint64_t slipped_ns, produced_ns;
};

struct sensor {
	struct sensor_options options;
	struct sensor_account account;
	struct vhost_user *guest; /* lent */
	uint64_t starts; /* of guest's that this state belongs to */
	bool begun; /* the guest has posted a buffer since */
	bool parked; /* the queue's buffers are of no use */
	bool waiting; /* for a kick */
	bool done; /* the seconds are over */
	uint64_t begun_ns, next_ns; /* when the next slice begins */
	uint64_t told_ns; /* the guest of slices; there may be more since */
	uint64_t seq, no_buffer; /* slices since the start, and those lost for want of a buffer */
	/* the slice being written */
	bool writing;
	bool is_short;
	uint64_t slice_ns, bytes, written;
	unsigned int segment; /* of the chain... */
	uint64_t segment_start; /* ...and where it begins in the slice */
	uint32_t crc32c;
	struct chain chain;
};

/** Do what is due. Hot path. Return: when to call again, UINT64_MAX: after an event. */
uint64_t sensor_run(struct sensor *s, uint64_t now_ns);
/** To be called after every message from the guest: forgets what belongs to an earlier start. */
void sensor_follow(struct sensor *s);
/** Something is wanted of the guest's kick. */
bool sensor_waits(const struct sensor *s);

#endif /* TESTS_VM_VHOST_SENSOR_H */
