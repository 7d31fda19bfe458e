/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * control.h - what lidard and its clients say to each other beside the data
 *
 * Two things: a Varlink interface on a Unix stream socket (JSON messages, each
 * ended by a NUL byte; docs/control.md lists every method), and one page of
 * counters for each subscription.  lidard creates the page as a sealed memfd
 * and sends it with the reply to Subscribe (SCM_RIGHTS); only the client
 * writes it, lidard reads it as hostile input.
 *
 * Compiles as C99 and as C++11.
 */
#ifndef LIDARD_CONTROL_H
#define LIDARD_CONTROL_H

#include <stdint.h>

#include "lidard/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LIDARD_CONTROL_SOCKET "/run/lidard/control"

/** Version of the control interface; both sides must have the same. */
#define LIDARD_CONTROL_VERSION 2

/** Longest message either side accepts, the NUL included. */
#define LIDARD_CONTROL_MESSAGE_MAX (4u * 1024u * 1024u)

#define LIDARD_INTERFACE "io.lidard"
#define LIDARD_METHOD_HELLO "io.lidard.Hello"
#define LIDARD_METHOD_LIST_SENSORS "io.lidard.ListSensors"
#define LIDARD_METHOD_SUBSCRIBE "io.lidard.Subscribe"
#define LIDARD_METHOD_UNSUBSCRIBE "io.lidard.Unsubscribe"
#define LIDARD_METHOD_GET_STATUS "io.lidard.GetStatus"
#define LIDARD_METHOD_GET_DECODER "io.lidard.GetDecoder"
#define LIDARD_METHOD_GET_SENSOR "io.lidard.GetSensor"
#define LIDARD_METHOD_RECORD_PACKETS "io.lidard.RecordPackets"

/* Errors; the reply's parameters name the thing, the value and what would be right. */
#define LIDARD_ERROR_VERSION "io.lidard.VersionMismatch"
#define LIDARD_ERROR_NO_HELLO "io.lidard.HelloFirst"
#define LIDARD_ERROR_NO_SENSOR "io.lidard.NoSuchSensor"
#define LIDARD_ERROR_NO_SPACE "io.lidard.NoSpace"
#define LIDARD_ERROR_LIMIT "io.lidard.LimitReached"
#define LIDARD_ERROR_NO_SUBSCRIPTION "io.lidard.NoSuchSubscription"
#define LIDARD_ERROR_PERMISSION "io.lidard.PermissionDenied"
#define LIDARD_ERROR_NO_METADATA "io.lidard.NoMetadata"
#define LIDARD_ERROR_NO_PACKETS "io.lidard.NoPackets"

/** Most bytes of a sensor's metadata. */
#define LIDARD_METADATA_BYTES_MAX (512u * 1024u)

/** Longest sensor name, the NUL included: [a-z0-9_-], starting with a letter. */
#define LIDARD_SENSOR_NAME_MAX 32u
/** Sensors a daemon serves, clients it accepts, subscriptions of one client. */
#define LIDARD_SENSORS_MAX 32u
#define LIDARD_CLIENTS_MAX 256u
#define LIDARD_SUBSCRIPTIONS_MAX 64u
/** Subscriptions of one sensor, and of all together: what iceoryx carries, with room for
 *  ports that RouDi has not removed yet. */
#define LIDARD_SENSOR_SUBSCRIPTIONS_MAX 240u
#define LIDARD_ALL_SUBSCRIPTIONS_MAX 900u
/** Longest queue of a subscription, and most slices it may hold. */
#define LIDARD_QUEUE_MAX 256u
#define LIDARD_HELD_MAX 255u

/** Recordings of packets at a time, and bytes that may wait for one. */
#define LIDARD_RECORDINGS_MAX 4u
#define LIDARD_RECORDING_BYTES_MIN (256u * 1024u)
#define LIDARD_RECORDING_BYTES_MAX (64u * 1024u * 1024u)
#define LIDARD_RECORDING_BYTES_DEFAULT (16u * 1024u * 1024u)

/* Log-linear histogram: LIDARD_HISTOGRAM_SUB buckets for each power of two up to 2^36 ns (69 s). */
#define LIDARD_HISTOGRAM_SUB_BITS 5u
#define LIDARD_HISTOGRAM_SUB (1u << LIDARD_HISTOGRAM_SUB_BITS)
#define LIDARD_HISTOGRAM_BUCKETS 1024u
#define LIDARD_HISTOGRAM_LIMIT_NS (1ull << 36)

struct lidard_histogram {
	uint64_t count;
	uint64_t sum_ns;
	uint64_t max_ns;
	uint64_t reserved;
	uint64_t buckets[LIDARD_HISTOGRAM_BUCKETS];
};

/** What a duration was spent on; index of lidard_subscriber_page.stages. */
enum lidard_stage {
	/** First byte arrived -> slice filled. */
	LIDARD_STAGE_FILL = 0,
	/** Filled -> the daemon knows. */
	LIDARD_STAGE_READY = 1,
	/** The daemon knows -> handed to the transport. */
	LIDARD_STAGE_PUBLISH = 2,
	/** Handed to the transport -> taken by the subscriber. */
	LIDARD_STAGE_TAKE = 3,
	/** Taken -> released. */
	LIDARD_STAGE_HOLD = 4,
	/** First byte arrived -> taken. */
	LIDARD_STAGE_TOTAL = 5,
	LIDARD_STAGE_COUNT = 6,
};

/** Why a subscriber did not take a slice that was published. */
enum lidard_skip_cause {
	/** Its queue was full: the oldest was overwritten. */
	LIDARD_SKIP_QUEUE_FULL = 0,
	/** Its policy (latest only) passed over it. */
	LIDARD_SKIP_POLICY = 1,
	/** The header did not make sense. */
	LIDARD_SKIP_INVALID = 2,
	LIDARD_SKIP_COUNT = 4,
};

/**
 * struct lidard_subscriber_page - one subscription's counters
 *
 * Written by the client alone.  guard is odd while an update is under way
 * (a sequence lock).  In each incarnation of the source:
 * next_index - first_index = taken + sum(skipped) + collecting.
 */
struct lidard_subscriber_page {
	/** Size of this struct as lidard created it; set by lidard before it hands out the page. */
	uint32_t page_bytes;
	/** Is the subscription connected to the transport? 0 or 1. */
	uint32_t connected;
	/** Sequence lock: odd while the client updates. */
	uint64_t guard;
	/** Incarnation the counters below belong to; 0 before the first slice. */
	uint64_t incarnation;
	/** publish_index of the first slice seen. */
	uint64_t first_index;
	/** publish_index expected next. */
	uint64_t next_index;
	uint64_t taken;
	uint64_t skipped[LIDARD_SKIP_COUNT];
	/** Slices that were lost before publication, as seen in gaps of seq. */
	uint64_t lost_upstream;
	/** Slices out of the queue at this moment: lent to the application, or collecting. */
	uint64_t held;
	/** Since the subscription began, over all incarnations. */
	uint64_t total_taken;
	uint64_t total_skipped[LIDARD_SKIP_COUNT];
	uint64_t total_lost_upstream;
	uint64_t total_bytes;
	/** Incarnations seen after the first: restarts of lidard or of the source. */
	uint64_t restarts;
	/** CLOCK_MONOTONIC of the last take. */
	uint64_t last_take_ns;
	/** Slices of a frame that is not whole yet: neither taken nor skipped. */
	uint64_t collecting;
	uint64_t reserved[7];
	struct lidard_histogram stages[LIDARD_STAGE_COUNT];
};

/** Where the records of a packet ring begin in its memory. */
#define LIDARD_PACKET_RING_HEADER_BYTES 4096u

/** Why no packet will come any more: lidard_packet_ring.ended. */
enum lidard_packets_end {
	LIDARD_PACKETS_GO_ON = 0,
	/** The source has come to its end: a capture that is replayed once. */
	LIDARD_PACKETS_END_OF_STREAM = 1,
	/** The sensor is removed, or begun anew. */
	LIDARD_PACKETS_SENSOR_GONE = 2,
};

/**
 * struct lidard_packet_ring - a sensor's packets for one who records them
 *
 * The beginning of the memory that comes with the reply to RecordPackets.  lidard writes
 * all but tail, and reads nothing but tail.  The byte numbered n (from 0, ever) is the one at
 * header_bytes + n % data_bytes.
 */
struct lidard_packet_ring {
	uint32_t header_bytes;
	/** enum lidard_packets_end; the packets up to head are there all the same. */
	uint32_t ended;
	/** A multiple of a page. */
	uint64_t data_bytes;
	/** Packets for which there was no room. */
	uint64_t lost;
	uint64_t reserved[5];
	/** Bytes written, and bytes read. */
	uint64_t head;
	uint64_t reserved_head[7];
	uint64_t tail;
	uint64_t reserved_tail[7];
};

/** lidard_packet_record.bytes: there is no record here, the next is at the beginning of the data. */
#define LIDARD_PACKET_RECORD_SKIP 0xffffffffu

/** Before each packet; its bytes follow, and zeros or anything up to a multiple of 8. */
struct lidard_packet_record {
	uint32_t bytes;
	/** Host byte order. */
	uint16_t source_port;
	uint16_t destination_port;
	uint32_t source_address;
	uint32_t destination_address;
	/** CLOCK_REALTIME of its arrival. */
	uint64_t realtime_ns;
};

LIDARD_ASSERT_LAYOUT(sizeof(struct lidard_packet_ring) == 192);
LIDARD_ASSERT_LAYOUT(sizeof(struct lidard_packet_record) == 24);
LIDARD_ASSERT_OFFSET(lidard_packet_ring, ended, 4);
LIDARD_ASSERT_OFFSET(lidard_packet_ring, data_bytes, 8);
LIDARD_ASSERT_OFFSET(lidard_packet_ring, lost, 16);
LIDARD_ASSERT_OFFSET(lidard_packet_ring, head, 64);
LIDARD_ASSERT_OFFSET(lidard_packet_ring, tail, 128);
LIDARD_ASSERT_OFFSET(lidard_packet_record, source_port, 4);
LIDARD_ASSERT_OFFSET(lidard_packet_record, destination_port, 6);
LIDARD_ASSERT_OFFSET(lidard_packet_record, source_address, 8);
LIDARD_ASSERT_OFFSET(lidard_packet_record, destination_address, 12);
LIDARD_ASSERT_OFFSET(lidard_packet_record, realtime_ns, 16);
LIDARD_ASSERT_LAYOUT(sizeof(struct lidard_histogram) == 32 + 8 * LIDARD_HISTOGRAM_BUCKETS);
LIDARD_ASSERT_OFFSET(lidard_histogram, count, 0);
LIDARD_ASSERT_OFFSET(lidard_histogram, sum_ns, 8);
LIDARD_ASSERT_OFFSET(lidard_histogram, max_ns, 16);
LIDARD_ASSERT_OFFSET(lidard_histogram, reserved, 24);
LIDARD_ASSERT_OFFSET(lidard_histogram, buckets, 32);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, page_bytes, 0);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, connected, 4);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, guard, 8);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, incarnation, 16);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, first_index, 24);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, next_index, 32);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, taken, 40);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, skipped, 48);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, lost_upstream, 80);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, held, 88);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, total_taken, 96);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, total_skipped, 104);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, total_lost_upstream, 136);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, total_bytes, 144);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, restarts, 152);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, last_take_ns, 160);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, collecting, 168);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, reserved, 176);
LIDARD_ASSERT_OFFSET(lidard_subscriber_page, stages, 232);

#ifdef __cplusplus
}
#endif

#endif /* LIDARD_CONTROL_H */
