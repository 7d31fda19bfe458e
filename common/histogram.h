/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * histogram.h - log-linear histogram of durations in nanoseconds
 *
 * 32 buckets for each power of two, so a bucket is at most 1/32 (3.1 %) of its
 * value wide, and its middle at most 1.6 % from any value in it; values below
 * 64 ns have a bucket each.  The last bucket also holds everything from
 * LIDARD_HISTOGRAM_LIMIT_NS on.  The layout
 * (struct lidard_histogram, include/lidard/control.h) is shared by the
 * library, the daemon, the tools and BPF, so that all of them print the same
 * figures.
 *
 * One writer, any number of readers: the writer uses relaxed stores, a reader
 * may see a count before the sum that goes with it.
 */
#ifndef COMMON_HISTOGRAM_H
#define COMMON_HISTOGRAM_H

#include <stdint.h>

#include "lidard/control.h"

/* The number of the highest bit set; BPF has no instruction for it. */
static inline unsigned int histogram_log2(uint64_t value)
{
#ifdef __bpf__
	unsigned int shift, log2 = 0;

#pragma unroll
	for (shift = 32; shift > 0; shift /= 2)
		if (value >> shift) {
			value >>= shift;
			log2 += shift;
		}
	return log2;
#else
	return 63u - (unsigned int)__builtin_clzll(value);
#endif
}

static inline unsigned int histogram_bucket(uint64_t value_ns)
{
	unsigned int exponent, bucket;

	if (value_ns < LIDARD_HISTOGRAM_SUB)
		return (unsigned int)value_ns;
	exponent = histogram_log2(value_ns);
	bucket = (exponent - LIDARD_HISTOGRAM_SUB_BITS + 1u) * LIDARD_HISTOGRAM_SUB +
		 (unsigned int)((value_ns >> (exponent - LIDARD_HISTOGRAM_SUB_BITS)) &
				(LIDARD_HISTOGRAM_SUB - 1u));
	return bucket < LIDARD_HISTOGRAM_BUCKETS ? bucket : LIDARD_HISTOGRAM_BUCKETS - 1u;
}

/** Smallest value that falls into the bucket. */
static inline uint64_t histogram_bucket_floor_ns(unsigned int bucket)
{
	if (bucket < LIDARD_HISTOGRAM_SUB)
		return bucket;
	return (uint64_t)(LIDARD_HISTOGRAM_SUB + bucket % LIDARD_HISTOGRAM_SUB)
	       << (bucket / LIDARD_HISTOGRAM_SUB - 1u);
}

/** What stands for the values of a bucket: its middle. */
static inline uint64_t histogram_bucket_middle_ns(unsigned int bucket)
{
	uint64_t floor_ns = histogram_bucket_floor_ns(bucket);

	return floor_ns + (histogram_bucket_floor_ns(bucket + 1) - 1 - floor_ns) / 2;
}

/* hot path */
static inline void histogram_add(struct lidard_histogram *h, uint64_t value_ns)
{
	unsigned int b = histogram_bucket(value_ns);

	__atomic_store_n(&h->buckets[b], h->buckets[b] + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&h->count, h->count + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&h->sum_ns, h->sum_ns + value_ns, __ATOMIC_RELAXED);
	if (value_ns > h->max_ns)
		__atomic_store_n(&h->max_ns, value_ns, __ATOMIC_RELAXED);
}

/**
 * histogram_merge() - add to @sum what is in @h
 *
 * @h may be written at the same time.  What comes of it always adds up: its
 * count is that of the buckets, whatever @h counts.
 */
static inline void histogram_merge(struct lidard_histogram *sum, const struct lidard_histogram *h)
{
	uint64_t n;
	unsigned int i;

	sum->sum_ns += h->sum_ns;
	if (h->max_ns > sum->max_ns)
		sum->max_ns = h->max_ns;
	for (i = 0; i < LIDARD_HISTOGRAM_BUCKETS; i++) {
		n = __atomic_load_n(&h->buckets[i], __ATOMIC_RELAXED);
		sum->count += n;
		sum->buckets[i] += n;
	}
}

/**
 * histogram_quantile_ns() - value below which a fraction of all values lie
 * @h: histogram
 * @q: 0.0 to 1.0
 *
 * Return: the middle of the bucket the quantile falls into, which is at most
 * 1.6 % from the value itself, and never more than the largest value seen; 0
 * for an empty histogram.
 */
static inline uint64_t histogram_quantile_ns(const struct lidard_histogram *h, double q)
{
	uint64_t total = 0, seen = 0, rank, middle_ns;
	unsigned int i;

	for (i = 0; i < LIDARD_HISTOGRAM_BUCKETS; i++)
		total += h->buckets[i];
	if (total == 0)
		return 0;
	rank = (uint64_t)(q * (double)total);
	if (rank >= total)
		return h->max_ns;
	for (i = 0; i < LIDARD_HISTOGRAM_BUCKETS - 1; i++) {
		seen += h->buckets[i];
		if (seen > rank) {
			middle_ns = histogram_bucket_middle_ns(i);
			return h->max_ns && middle_ns > h->max_ns ? h->max_ns : middle_ns;
		}
	}
	/* the last one has no end */
	return h->max_ns;
}

#endif /* COMMON_HISTOGRAM_H */
