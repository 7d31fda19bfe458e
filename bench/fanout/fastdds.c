/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fastdds.c - Fast DDS: over its shared memory transport, or by samples that are shared
 *
 * Reliable, as many frames of history as may wait.  By its transport ("fastdds") a frame
 * is copied into the writer's history, from there into a segment of shared memory, and
 * by each reader out of it.  Shared samples ("fastdds-loan") lie in memory that readers
 * map: frames are written into samples that the writer lends and read where they are,
 * and a reader sees afterwards whether a sample was overwritten.  Its threads are part
 * of the processes.
 */
#include "bench/fanout/fanout.h"
#include "bench/fanout/fastdds_frames.h"

extern const struct fanout_ops fanout_fastdds_loan;

static struct fastdds_plan get_plan(const struct fanout *f)
{
	return (struct fastdds_plan){
		.bytes = f->bytes,
		.queue = f->queue,
		.shared = f->ops == &fanout_fastdds_loan,
	};
}

static void *producer_open(const struct fanout *f, unsigned int sensor)
{
	struct fastdds_plan plan = get_plan(f);

	return fastdds_writer_new(&plan);
}

static void *loan(void *producer)
{
	return fastdds_writer_loan(producer);
}

static void publish(void *producer, void *frame)
{
	fastdds_writer_write(producer, frame);
}

static void *subscriber_open(const struct fanout *f, unsigned int index)
{
	struct fastdds_plan plan = get_plan(f);

	return fastdds_reader_new(&plan);
}

static const void *take(void *subscriber)
{
	return fastdds_reader_take(subscriber);
}

static bool release(void *subscriber, const void *frame)
{
	return fastdds_reader_release(subscriber);
}

const struct fanout_ops fanout_fastdds = {
	.name = "fastdds",
	.producer_open = producer_open,
	.publish = publish,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};

const struct fanout_ops fanout_fastdds_loan = {
	.name = "fastdds-loan",
	.producer_open = producer_open,
	.loan = loan,
	.publish = publish,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};
