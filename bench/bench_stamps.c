/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_stamps.c - what the stages' stamps cost a slice, with nobody listening
 *
 * Stamps are always on, so there is no program without them to compare with.
 * What is compared is the same code on slices that have times and on slices
 * that have none, in turns:
 *
 *	direct	a header is filled in and passes the probes; with stamps, lidard
 *		reads the clock for ready and published (first byte and filled
 *		are the device's stamps)
 *	copied	the same where lidard itself fills the slice, and stamps that, too
 *		(sim, replay, udp, a device in copy mode; the first byte's is the
 *		one that paces the source, or the packet's)
 *	reader	the library's account of a slice, taken and released; with
 *		stamps, the clock is read twice, and six durations go into
 *		histograms
 *
 * CPU time, medians of ROUNDS, and the least.  Caches are warm: of a slice that comes
 * seldom, each line that is touched costs what memory costs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "lidard/frame.h"
#include "lidard/probes.h"
#include "libclient/account.h"

#define ROUNDS 21
#define SLICES 200000u

/* What is compared: one slice, with or without its times. */
typedef void (*slice_fn)(uint64_t seq, bool stamped);

static struct lidard_slice_header header;
static struct lidard_subscriber_page page;
static const struct lidard_probe_reader reader = { .sensor = "bench", .client = "bench" };
static struct account account = { .page = &page, .reader = &reader, .slice_bytes = 1u << 20 };

/* Out of the compiler's sight: each slice is another one. */
static void keep(void *object)
{
	__asm__ volatile("" : : "r"(object) : "memory");
}

static uint64_t stamp(bool stamped)
{
	return stamped ? clock_now_ns() : 0;
}

static void describe(uint64_t seq)
{
	header.header_bytes = sizeof(header);
	header.incarnation = 1;
	header.seq = seq;
	header.publish_index = seq;
	header.payload_bytes = 1u << 20;
}

static void do_daemon(uint64_t seq, bool stamped, bool device_stamps)
{
	describe(seq);
	header.first_byte_ns = stamped ? header.published_ns : 0;
	header.flags = stamped ? LIDARD_SLICE_FIRST_BYTE_VALID : 0;
	if (device_stamps) {
		header.filled_ns = header.first_byte_ns;
	} else {
		header.filled_ns = stamp(stamped);
		LIDARD_PROBE2(filled, "bench", &header);
	}
	header.ready_ns = stamp(stamped);
	LIDARD_PROBE2(ready, "bench", &header);
	header.published_ns = stamp(stamped);
	LIDARD_PROBE2(publish, "bench", &header);
	keep(&header);
}

static void do_direct(uint64_t seq, bool stamped)
{
	do_daemon(seq, stamped, true);
}

static void do_copied(uint64_t seq, bool stamped)
{
	do_daemon(seq, stamped, false);
}

/* The header is made before: its times are the daemon's doing. */
static void do_reader(uint64_t seq, bool stamped)
{
	uint64_t taken_ns;

	header.seq = seq;
	header.publish_index = seq;
	keep(&header);
	account_see(&account, &header);
	taken_ns = stamp(stamped);
	account_take(&account, &header, taken_ns);
	account_release(&account, stamp(stamped) - taken_ns);
	keep(&page);
}

static void prepare(bool stamped)
{
	uint64_t now_ns = clock_now_ns();

	memset(&page, 0, sizeof(page));
	memset(&header, 0, sizeof(header));
	account.next_seq = 0;
	describe(0);
	if (!stamped)
		return;
	/* as of a slice of 1 MiB at 500 MB/s */
	header.flags = LIDARD_SLICE_FIRST_BYTE_VALID;
	header.first_byte_ns = now_ns - 2100000;
	header.filled_ns = now_ns - 20000;
	header.ready_ns = now_ns - 10000;
	header.published_ns = now_ns - 1000;
}

static double run(slice_fn slice, bool stamped)
{
	uint64_t begin_ns, seq;

	prepare(stamped);
	/* not the time of day: the machine may be busy elsewhere */
	begin_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	for (seq = 0; seq < SLICES; seq++)
		slice(seq, stamped);
	return (double)(clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns) / SLICES;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Return: the stamps' own share, ns a slice. */
static double compare(const char *name, slice_fn slice)
{
	double with[ROUNDS], without[ROUNDS], more[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		without[i] = run(slice, false);
		with[i] = run(slice, true);
		more[i] = with[i] - without[i];
	}
	qsort(with, ROUNDS, sizeof(with[0]), compare_doubles);
	qsort(without, ROUNDS, sizeof(without[0]), compare_doubles);
	qsort(more, ROUNDS, sizeof(more[0]), compare_doubles);
	printf("%-8s %10.1f %10.1f %10.1f %10.1f %8.2f\n", name, without[ROUNDS / 2],
	       with[ROUNDS / 2], more[ROUNDS / 2], more[0], with[ROUNDS / 2] / without[ROUNDS / 2]);
	return more[ROUNDS / 2];
}

int main(void)
{
	double direct_ns, copied_ns, reader_ns;

	printf("# ns a slice, median of %d rounds\n"
	       "#           without       with     stamps      least    ratio\n", ROUNDS);
	direct_ns = compare("direct", do_direct);
	copied_ns = compare("copied", do_copied);
	reader_ns = compare("reader", do_reader);
	printf("# lidard and one reader: %.1f direct, %.1f copied\n", direct_ns + reader_ns,
	       copied_ns + reader_ns);
	return EXIT_SUCCESS;
}
