/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cyclone.c - CycloneDDS over UDP on the loopback interface, or over iceoryx
 *
 * Reliable, as many frames of history as may wait.  Discovery and data stay on this
 * machine.  The library's threads are part of the processes.  Over iceoryx
 * ("cyclone-shm") the producer writes into samples lent by the writer, which have a
 * type of a fixed size; discovery is the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <dds/dds.h>
#include <dds/ddsc/dds_loan_api.h>

#include "bench/fanout/broker.h"
#include "bench/fanout/frame_idl.h"

/* unicast to as many participants as there can be */
#define CONFIGURATION(more)                                                                      \
	"<CycloneDDS><Domain>" more "<General><AllowMulticast>false</AllowMulticast>"                    \
	"<Interfaces><NetworkInterface name=\"lo\"/></Interfaces></General>"                     \
	"<Discovery><ParticipantIndex>auto</ParticipantIndex>"                                   \
	"<MaxAutoParticipantIndex>70</MaxAutoParticipantIndex>"                                  \
	"<Peers><Peer address=\"127.0.0.1\"/></Peers></Discovery></Domain></CycloneDDS>"
#define SHARED_MEMORY "<SharedMemory><Enable>true</Enable></SharedMemory>"

static const struct fixed {
	uint64_t bytes;
	const dds_topic_descriptor_t *topic;
} fixed_types[] = {
	{ 64 << 10, &fanout_frame_64k_desc },
	{ 1 << 20, &fanout_frame_1m_desc },
	{ 50 << 20, &fanout_frame_50m_desc },
};

struct producer {
	dds_entity_t writer;
	uint32_t bytes;
};

struct subscriber {
	dds_entity_t reader;
	dds_entity_t waitset;
	/* samples are frames, not sequences of octets */
	bool fixed;
	/* lent by the reader */
	void *sample;
};

extern const struct fanout_ops fanout_cyclone_shm;

static dds_entity_t check(dds_return_t r, const char *what)
{
	if (r >= 0)
		return r;
	fprintf(stderr, "cyclone: %s: %s\n", what, dds_strretcode(-r));
	_exit(EXIT_FAILURE);
}

static const struct fixed *find_fixed(uint64_t bytes)
{
	size_t i, count = sizeof(fixed_types) / sizeof(fixed_types[0]);

	for (i = 0; i < count; i++)
		if (bytes == fixed_types[i].bytes)
			return &fixed_types[i];
	fprintf(stderr, "cyclone-shm: frames of %" PRIu64 " bytes: 64 KiB, 1 MiB or 50 MiB\n",
		bytes);
	_exit(EXIT_FAILURE);
}

static void setup(struct fanout *f)
{
	setenv("CYCLONEDDS_URI", CONFIGURATION(""), 1);
}

static void setup_shm(struct fanout *f)
{
	find_fixed(f->bytes);
	broker_setup(f);
	setenv("CYCLONEDDS_URI", CONFIGURATION(SHARED_MEMORY), 1);
}

static dds_qos_t *new_qos(const struct fanout *f)
{
	dds_qos_t *qos = dds_create_qos();

	dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_SECS(1));
	dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, (int32_t)f->queue);
	return qos;
}

static bool is_shm(const struct fanout *f)
{
	return f->ops == &fanout_cyclone_shm;
}

static dds_entity_t new_topic(const struct fanout *f, dds_entity_t *ret_participant)
{
	const dds_topic_descriptor_t *type = is_shm(f) ? find_fixed(f->bytes)->topic :
							 &fanout_frame_desc;

	*ret_participant = check(dds_create_participant(DDS_DOMAIN_DEFAULT, NULL, NULL),
				 "participant");
	return check(dds_create_topic(*ret_participant, type, "frames", NULL, NULL),
		     "topic");
}

static void *producer_open(const struct fanout *f, unsigned int sensor)
{
	struct producer *p = fanout_alloc(sizeof(*p));
	dds_entity_t participant, topic = new_topic(f, &participant);
	dds_qos_t *qos = new_qos(f);

	p->bytes = (uint32_t)f->bytes;
	p->writer = check(dds_create_writer(participant, topic, qos, NULL), "writer");
	dds_delete_qos(qos);
	if (is_shm(f) && !dds_is_loan_available(p->writer))
		check(DDS_RETCODE_UNSUPPORTED, "no samples to lend");
	return p;
}

static void *loan_sample(void *producer)
{
	struct producer *p = producer;
	void *sample;

	return dds_loan_sample(p->writer, &sample) == DDS_RETCODE_OK ? sample : NULL;
}

static void publish(void *producer, void *frame)
{
	struct producer *p = producer;
	fanout_frame sample = {
		.data = { ._maximum = p->bytes, ._length = p->bytes, ._buffer = frame },
	};
	dds_return_t r = dds_write(p->writer, &sample);

	/* some subscriber was too slow for too long: the frame is lost */
	if (r != DDS_RETCODE_TIMEOUT)
		check(r, "write");
}

static void publish_sample(void *producer, void *frame)
{
	struct producer *p = producer;

	check(dds_write(p->writer, frame), "write");
}

static void *subscriber_open(const struct fanout *f, unsigned int index)
{
	struct subscriber *s = fanout_alloc(sizeof(*s));
	dds_entity_t participant, topic = new_topic(f, &participant);
	dds_subscription_matched_status_t matched = { 0 };
	dds_qos_t *qos = new_qos(f);

	s->fixed = is_shm(f);
	s->reader = check(dds_create_reader(participant, topic, qos, NULL), "reader");
	dds_delete_qos(qos);
	check(dds_set_status_mask(s->reader, DDS_DATA_AVAILABLE_STATUS), "status");
	s->waitset = check(dds_create_waitset(participant), "waitset");
	check(dds_waitset_attach(s->waitset, s->reader, s->reader), "attach");
	while (matched.current_count == 0) {
		usleep(1000);
		check(dds_get_subscription_matched_status(s->reader, &matched), "match");
	}
	return s;
}

static const void *take(void *subscriber)
{
	struct subscriber *s = subscriber;
	dds_sample_info_t info;
	dds_attach_t what;

	s->sample = NULL;
	while (check(dds_take(s->reader, &s->sample, &info, 1, 1), "take") == 0)
		check(dds_waitset_wait(s->waitset, &what, 1, DDS_INFINITY), "wait");
	if (info.valid_data)
		return s->fixed ? s->sample : ((const fanout_frame *)s->sample)->data._buffer;
	dds_return_loan(s->reader, &s->sample, 1);
	return NULL;
}

static bool release(void *subscriber, const void *frame)
{
	struct subscriber *s = subscriber;

	check(dds_return_loan(s->reader, &s->sample, 1), "release");
	return true;
}

const struct fanout_ops fanout_cyclone = {
	.name = "cyclone",
	.setup = setup,
	.producer_open = producer_open,
	.publish = publish,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};

const struct fanout_ops fanout_cyclone_shm = {
	.name = "cyclone-shm",
	.setup = setup_shm,
	.producer_open = producer_open,
	.loan = loan_sample,
	.publish = publish_sample,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};
