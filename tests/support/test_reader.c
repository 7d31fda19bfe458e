/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reader.c - a subscriber that the system tests drive
 *
 *     test_reader [OPTION] SENSOR
 *
 * Says on stdout what happens to it, one JSON object a line:
 *
 *     subscribed  lidard granted the subscription
 *     connected   the transport is connected
 *     resumed     the first slice of another incarnation came, gap_ns after the last one
 *     stats       its account, every --stats-ms
 *     writing     it is about to write into a payload (and to die of it)
 *     error       a call failed: "errno", "call", "text"
 *     final       its account at the end (SIGTERM, --count, end of stream)
 *     page        with --pages: the physical page in which a slice's payload begins
 *
 * --patient: errors of take are said, and do not end it; --leave: it ends without giving
 * anything back; --fork: at the end a child calls exit(), which must end it; --pattern: every
 * page of a payload begins with lidar_sim's word; --decode: decode slices of packets.
 * --nap: look every so many ms instead of waiting, with --wait poll.
 * --stamps: a line a slice into this file: seq, first byte (0: not known), filled, ready,
 * published, all CLOCK_MONOTONIC ns, and what the library says it took to take and was held.
 * SIGUSR1: stop taking, but stay alive; SIGUSR2: go on, and release what was kept.
 * Exit: 0 after final; 1 after an error; 3 if --check or --crc found something.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "lidard/control.h"
#include "lidard/lidard.h"

#define PERIOD_NS (20 * NSEC_PER_MSEC)
#define WAIT_FD 3
#define COMPLAINTS_MAX 5

static struct options {
	const char *sensor;
	const char *socket;
	const char *name;
	uint32_t queue;
	uint32_t held;
	uint32_t policy;
	unsigned int wait;
	unsigned int keep;
	unsigned int slow_ms;
	unsigned int nap_ms;
	unsigned int stats_ms;
	uint64_t count;
	bool crc;
	bool check;
	bool write;
	bool frames;
	bool patient;
	bool leave;
	bool fork;
	bool pattern;
	bool pages;
	bool decode;
	const char *stamps;
} opt = { .stats_ms = 100 };

static volatile sig_atomic_t ending, paused;

/* What was seen, counted here and not by the library. */
static struct account {
	struct lidard_slice_header last;
	bool any;
	uint64_t slices;
	uint64_t bytes;
	uint64_t points;
	uint64_t frames;
	uint64_t incomplete_frames;
	/** Gaps of publish_index, and the slices lost before publication. */
	uint64_t skipped;
	uint64_t lost;
	uint64_t incarnations;
	uint64_t crc_checked;
	uint64_t crc_wrong;
	uint64_t violations;
	uint64_t losses_reported;
	uint64_t too_many_held;
	uint64_t partial_slices;
	uint64_t first_bytes;
	/** --decode: of the points, their number and the sum of their ranges. */
	uint64_t decoded_points;
	uint64_t decoded_mm;
	bool end_of_stream;
	uint64_t last_take_ns;
	uint64_t longest_gap_ns;
} seen;

static struct lidard_slice *kept[256];
static unsigned int kept_count;
static FILE *stamps;

__attribute__((format(printf, 1, 2))) static void violation(const char *format, ...)
{
	va_list args;

	if (seen.violations++ >= COMPLAINTS_MAX)
		return;
	fprintf(stderr, "test_reader: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* ---- what it says ---- */

static void say(const char *event)
{
	printf("{\"event\": \"%s\", \"at_ns\": %" PRIu64 "}\n", event, clock_now_ns());
	fflush(stdout);
}

static int fail(const char *call, int error, const char *text)
{
	const char *p;

	printf("{\"event\": \"error\", \"call\": \"%s\", \"errno\": \"%s\", \"text\": \"", call,
	       strerrorname_np(-error));
	for (p = text; *p; p++)
		putchar(*p == '"' || *p == '\\' || (unsigned char)*p < ' ' ? '\'' : *p);
	puts("\"}");
	fflush(stdout);
	return error;
}

static void say_account(const char *event, struct lidard_subscription *sub)
{
	struct lidard_stats st = { 0 };

	lidard_subscription_get_stats(sub, &st, sizeof(st));
	printf("{\"event\": \"%s\", \"at_ns\": %" PRIu64 ", \"pid\": %d", event, clock_now_ns(),
	       (int)getpid());
#define ITEM(name, value) printf(", \"" name "\": %" PRIu64, (uint64_t)(value))
	ITEM("received", st.received);
	ITEM("skipped_queue_full", st.skipped_queue_full);
	ITEM("skipped_policy", st.skipped_policy);
	ITEM("skipped_invalid", st.skipped_invalid);
	ITEM("lost_upstream", st.lost_upstream);
	ITEM("restarts", st.restarts);
	ITEM("held", st.held);
	ITEM("connected", st.connected);
	ITEM("latency_p50_ns", st.latency_p50_ns);
	ITEM("latency_p99_ns", st.latency_p99_ns);
	ITEM("kept", kept_count);
	ITEM("slices", seen.slices);
	ITEM("bytes", seen.bytes);
	ITEM("points", seen.points);
	ITEM("frames", seen.frames);
	ITEM("incomplete_frames", seen.incomplete_frames);
	ITEM("skipped", seen.skipped);
	ITEM("lost", seen.lost);
	ITEM("incarnations", seen.incarnations);
	ITEM("crc_checked", seen.crc_checked);
	ITEM("crc_wrong", seen.crc_wrong);
	ITEM("violations", seen.violations);
	ITEM("losses_reported", seen.losses_reported);
	ITEM("too_many_held", seen.too_many_held);
	ITEM("partial_slices", seen.partial_slices);
	ITEM("first_slice_bytes", seen.first_bytes);
	ITEM("longest_gap_ns", seen.longest_gap_ns);
	ITEM("incarnation", seen.last.incarnation);
	ITEM("publish_index", seen.last.publish_index);
	ITEM("frame_id", seen.last.frame_id);
	ITEM("sensor_time_ns", seen.last.sensor_time_ns);
	ITEM("decoded_points", seen.decoded_points);
	ITEM("decoded_mm", seen.decoded_mm);
	ITEM("end_of_stream", seen.end_of_stream);
#undef ITEM
	puts("}");
	fflush(stdout);
}

/* ---- what it checks ---- */

static void check_alone(const struct lidard_slice_header *h, const struct lidard_slice *slice,
			uint64_t now_ns)
{
	if (h->header_bytes < sizeof(*h))
		violation("header_bytes %u", h->header_bytes);
	if (h->payload_bytes != (uint64_t)h->point_count * h->point_step)
		violation("%" PRIu64 " bytes for %u points of %u", h->payload_bytes, h->point_count,
			  h->point_step);
	if (h->point_step != sizeof(struct lidard_point_xyzirt) ||
	    h->format != LIDARD_FORMAT_XYZIRT)
		violation("format %u, step %u", h->format, h->point_step);
	if ((uintptr_t)lidard_slice_get_payload(slice) % 4096)
		violation("payload not page-aligned");
	if (h->slice_count && h->slice_index >= h->slice_count)
		violation("slice %u of %u", h->slice_index, h->slice_count);
	if ((h->flags & LIDARD_SLICE_FIRST_BYTE_VALID) && h->first_byte_ns > h->filled_ns)
		violation("filled before its first byte");
	if (h->filled_ns > h->ready_ns || h->ready_ns > h->published_ns || h->published_ns > now_ns)
		violation("stages go backwards: filled %" PRIu64 " ready %" PRIu64
			  " published %" PRIu64 " now %" PRIu64,
			  h->filled_ns, h->ready_ns, h->published_ns, now_ns);
}

static void check_order(const struct lidard_slice_header *last, const struct lidard_slice_header *h)
{
	uint64_t steps = h->publish_index - last->publish_index;
	uint64_t lost = h->seq - last->seq - steps;

	if (h->publish_index <= last->publish_index || h->seq <= last->seq ||
	    h->seq - last->seq < steps) {
		violation("publish_index %" PRIu64 " -> %" PRIu64 ", seq %" PRIu64 " -> %" PRIu64,
			  last->publish_index, h->publish_index, last->seq, h->seq);
		return;
	}
	if (steps == 1 ? h->lost_before != lost : h->lost_before > lost)
		violation("lost_before %" PRIu64 ", by seq %" PRIu64, h->lost_before, lost);
	if (h->frame_id < last->frame_id)
		violation("frame_id %" PRIu64 " -> %" PRIu64, last->frame_id, h->frame_id);
	if (h->seq - last->seq == 1 && h->frame_id == last->frame_id &&
	    h->slice_index != last->slice_index + 1)
		violation("slice_index %u -> %u in frame %" PRIu64, last->slice_index,
			  h->slice_index, h->frame_id);
	if (h->seq - last->seq == 1 && h->frame_id != last->frame_id &&
	    (h->slice_index != 0 || !(last->flags & LIDARD_SLICE_LAST)))
		violation("frame %" PRIu64 " ends in the middle", last->frame_id);
	if ((h->flags & last->flags & LIDARD_SLICE_SENSOR_TIME_VALID) &&
	    h->sensor_time_ns < last->sensor_time_ns)
		violation("sensor time goes back: %" PRIu64 " -> %" PRIu64, last->sensor_time_ns,
			  h->sensor_time_ns);
	seen.skipped += steps - 1;
	seen.lost += lost;
}

static void check_crc(const struct lidard_slice *slice)
{
	int r = lidard_slice_check_crc(slice);

	seen.crc_checked += r >= 0;
	if (r == 1)
		return;
	seen.crc_wrong++;
	violation(r == 0 ? "wrong CRC" : "no CRC");
}

/* lidar_sim: the slice's number and the page's. */
static void check_pattern(const struct lidard_slice *slice)
{
	const struct lidard_slice_header *h = lidard_slice_get_header(slice);
	const uint64_t *words = lidard_slice_get_payload(slice);
	uint64_t page;

	for (page = 0; page < h->payload_bytes / 4096; page++) {
		if (words[page * 512] == (h->seq << 20 | page))
			continue;
		violation("page %" PRIu64 " of slice %" PRIu64 " begins with %" PRIx64, page, (uint64_t)h->seq,
			  (uint64_t)words[page * 512]);
		return;
	}
}

static struct lidard_decoder *decoder;

static void decode(const struct lidard_slice *slice)
{
	size_t i, room = lidard_decoder_get_max(decoder, slice);
	struct lidard_point_xyzirt *points = calloc(room, sizeof(*points));
	struct lidard_decoded d;
	int r;

	r = points ? lidard_slice_decode(slice, decoder, points, room, &d) : -ENOMEM;
	if (r < 0)
		violation("decode: %s", strerrorname_np(-r));
	else if (d.bad_packets || d.ignored_packets || d.bad_columns)
		violation("%u bad packets, %u ignored, %u bad columns", d.bad_packets,
			  d.ignored_packets, d.bad_columns);
	for (i = 0; r == 0 && i < d.point_count; i++)
		seen.decoded_mm += (uint64_t)(points[i].range * 1000 + 0.5f);
	seen.decoded_points += r == 0 ? d.point_count : 0;
	free(points);
}

/* Which memory is it really? Needs CAP_SYS_ADMIN. */
static void say_page(const struct lidard_slice *slice)
{
	const struct lidard_slice_header *h = lidard_slice_get_header(slice);
	uintptr_t address = (uintptr_t)lidard_slice_get_payload(slice);
	static int fd = -1;
	uint64_t entry;

	/* a page that was never touched is not mapped yet */
	(void)*(const volatile uint8_t *)address;
	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pread(fd, &entry, sizeof(entry), (off_t)(address / 4096 * sizeof(entry))) !=
	    (ssize_t)sizeof(entry))
		entry = 0;
	printf("{\"event\": \"page\", \"seq\": %" PRIu64 ", \"frame\": %" PRIu64 "}\n", h->seq,
	       (uint64_t)(entry & ((1ull << 55) - 1)));
	fflush(stdout);
}

static void say_resumed(const struct lidard_slice_header *h, uint64_t now_ns)
{
	printf("{\"event\": \"resumed\", \"at_ns\": %" PRIu64 ", \"gap_ns\": %" PRIu64
	       ", \"incarnation\": %" PRIu64 "}\n",
	       now_ns, now_ns - seen.last_take_ns, h->incarnation);
	fflush(stdout);
}

/*
 * The library counts from the first slice it sees, which need not be the first
 * it lends: "latest only" may have found several waiting.
 */
static void look_at_first(const struct lidard_subscription *sub,
			  const struct lidard_slice_header *h)
{
	const struct lidard_subscriber_page *page = lidard_subscription_get_page(sub);

	if (opt.check && page->incarnation == h->incarnation)
		seen.skipped += h->publish_index - page->first_index;
	seen.incarnations++;
}

static void look_at(const struct lidard_subscription *sub, const struct lidard_slice *slice)
{
	const struct lidard_slice_header *h = lidard_slice_get_header(slice);
	uint64_t now_ns = clock_now_ns();

	if (opt.check)
		check_alone(h, slice, now_ns);
	if (seen.any && now_ns - seen.last_take_ns > seen.longest_gap_ns)
		seen.longest_gap_ns = now_ns - seen.last_take_ns;
	if (!seen.any || seen.last.incarnation != h->incarnation) {
		if (seen.any && h->incarnation < seen.last.incarnation)
			violation("an older incarnation");
		if (seen.any)
			say_resumed(h, now_ns);
		look_at_first(sub, h);
	} else if (opt.check) {
		check_order(&seen.last, h);
	}
	if (opt.crc)
		check_crc(slice);
	if (opt.pattern)
		check_pattern(slice);
	if (opt.pages)
		say_page(slice);
	if (decoder)
		decode(slice);
	if (h->slice_index == 0)
		seen.first_bytes = h->payload_bytes;
	seen.any = true;
	seen.slices++;
	seen.bytes += h->payload_bytes;
	seen.points += h->point_count;
	seen.partial_slices += (h->flags & (LIDARD_SLICE_PARTIAL | LIDARD_FRAME_PARTIAL)) != 0;
	seen.end_of_stream = h->flags & LIDARD_SLICE_END_OF_STREAM;
	seen.last = *h;
	seen.last_take_ns = now_ns;
}

static void look_at_frame(const struct lidard_subscription *sub, const struct lidard_frame *frame)
{
	uint64_t points = 0;
	size_t i;

	for (i = 0; i < lidard_frame_get_count(frame); i++) {
		const struct lidard_slice *slice = lidard_frame_get_slice(frame, i);

		if (lidard_slice_get_header(slice)->frame_id != lidard_frame_get_id(frame))
			violation("a slice of another frame");
		points += lidard_slice_get_header(slice)->point_count;
		look_at(sub, slice);
	}
	if (points != lidard_frame_get_point_count(frame))
		violation("points of a frame do not add up");
	seen.frames++;
	seen.incomplete_frames += !lidard_frame_is_complete(frame);
}

/* Our own count against the library's. */
static void check_stats(struct lidard_subscription *sub)
{
	struct lidard_stats st;

	if (lidard_subscription_get_stats(sub, &st, sizeof(st)) < 0)
		return violation("no stats");
	if (st.received != seen.slices)
		violation("received %" PRIu64 ", counted %" PRIu64, st.received, seen.slices);
	/* a frame under way, or one given up after the last that was lent, is beyond our count */
	if (!opt.frames && opt.check && seen.incarnations == 1 &&
	    st.skipped_queue_full + st.skipped_policy + st.skipped_invalid != seen.skipped)
		violation("skipped %" PRIu64 " + %" PRIu64 " + %" PRIu64 ", counted %" PRIu64,
			  st.skipped_queue_full, st.skipped_policy, st.skipped_invalid, seen.skipped);
	if (!opt.frames && opt.check && seen.incarnations == 1 && st.lost_upstream != seen.lost)
		violation("lost %" PRIu64 ", counted %" PRIu64, st.lost_upstream, seen.lost);
	if (!opt.frames && st.held != kept_count)
		violation("held %u, kept %u", st.held, kept_count);
}

/* ---- what it does ---- */

static void nap(uint64_t ns)
{
	struct timespec pause = clock_to_timespec(ns);

	nanosleep(&pause, NULL);
}

static void write_into(const struct lidard_slice *slice)
{
	union {
		const void *lent;
		volatile unsigned char *mine;
	} payload = { .lent = lidard_slice_get_payload(slice) };

	say("writing");
	payload.mine[0] ^= 1;
}

/* What a stage took all slices together: what it grows by is what one took, to the ns. */
static uint64_t stage_sum_ns(const struct lidard_subscription *sub, enum lidard_stage stage)
{
	return lidard_subscription_get_page(sub)->stages[stage].sum_ns;
}

static void release(const struct lidard_subscription *sub, struct lidard_slice *slice,
		    uint64_t take_ns)
{
	const struct lidard_slice_header *header = lidard_slice_get_header(slice);
	const struct lidard_slice_header h = *header;
	uint64_t before_ns = stage_sum_ns(sub, LIDARD_STAGE_HOLD);

	lidard_slice_release(slice);
	if (stamps)
		fprintf(stamps, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
			" %" PRIu64 "\n", h.seq,
			h.flags & LIDARD_SLICE_FIRST_BYTE_VALID ? h.first_byte_ns : 0, h.filled_ns,
			h.ready_ns, h.published_ns, take_ns,
			stage_sum_ns(sub, LIDARD_STAGE_HOLD) - before_ns);
}

static int take_slice(struct lidard_subscription *sub)
{
	uint64_t before_ns = stage_sum_ns(sub, LIDARD_STAGE_TAKE), take_ns;
	struct lidard_slice *slice;
	int r = lidard_subscription_take(sub, &slice);

	if (r != 1)
		return r;
	take_ns = stage_sum_ns(sub, LIDARD_STAGE_TAKE) - before_ns;
	look_at(sub, slice);
	if (opt.write)
		write_into(slice);
	if (opt.slow_ms)
		nap(opt.slow_ms * NSEC_PER_MSEC);
	if (kept_count < opt.keep)
		kept[kept_count++] = slice;
	else
		release(sub, slice, take_ns);
	return 1;
}

static int take_frame(struct lidard_subscription *sub)
{
	struct lidard_frame *frame;
	int r = lidard_subscription_take_frame(sub, &frame);

	if (r != 1)
		return r;
	look_at_frame(sub, frame);
	if (opt.slow_ms)
		nap(opt.slow_ms * NSEC_PER_MSEC);
	lidard_frame_release(frame);
	return 1;
}

static bool is_done(void)
{
	return ending || seen.end_of_stream ||
	       (opt.count && (opt.frames ? seen.frames : seen.slices) >= opt.count);
}

/* Take all there is. Return: 0 or what stopped it. */
static int drain(struct lidard_subscription *sub, uint64_t until_ns)
{
	int r = 0;

	while (!is_done() && !paused && clock_now_ns() < until_ns) {
		r = opt.frames ? take_frame(sub) : take_slice(sub);
		if (r == -ENOBUFS)
			seen.losses_reported++;
		else if (r != 1)
			break;
	}
	if (r == -EMFILE) {
		seen.too_many_held++;
		nap(NSEC_PER_MSEC);
	}
	return r == -EMFILE || r == -ENOBUFS || r == 1 ? 0 : r;
}

static int wait_for_data(struct lidard_subscription *sub)
{
	struct pollfd pfd = { .events = POLLIN };
	int r;

	if (opt.nap_ms) {
		nap(opt.nap_ms * NSEC_PER_MSEC);
		return 0;
	}
	if (opt.wait != WAIT_FD) {
		r = lidard_subscription_wait(sub, PERIOD_NS);
		return r == -ENOBUFS || r == -EMFILE || r == -EINTR ? 0 : r;
	}
	pfd.fd = lidard_subscription_get_fd(sub);
	if (pfd.fd < 0)
		return pfd.fd;
	r = poll(&pfd, 1, (int)(PERIOD_NS / NSEC_PER_MSEC));
	return r < 0 && errno != EINTR ? -errno : 0;
}

static void release_kept(void)
{
	while (kept_count > 0)
		lidard_slice_release(kept[--kept_count]);
}

static int read_on(struct lidard_client *client, struct lidard_subscription *sub)
{
	uint64_t next_stats_ns = 0, now_ns;
	bool connected = false, failing = false;
	struct lidard_stats st;
	int r;

	while (!is_done()) {
		now_ns = clock_now_ns();
		if (now_ns >= next_stats_ns) {
			say_account("stats", sub);
			next_stats_ns = now_ns + opt.stats_ms * NSEC_PER_MSEC;
		}
		if (paused == 2) {
			release_kept();
			opt.keep = 0;
			paused = 0;
		}
		if (paused) {
			nap(PERIOD_NS);
			continue;
		}
		r = wait_for_data(sub);
		if (r >= 0)
			r = drain(sub, next_stats_ns);
		if (r < 0 && !(failing && opt.patient))
			fail("take", r, lidard_client_get_error(client));
		failing = r < 0;
		if (r < 0 && !opt.patient)
			return r;
		lidard_subscription_get_stats(sub, &st, sizeof(st));
		if (st.connected && !connected)
			say("connected");
		connected = st.connected;
	}
	return 0;
}

/* A child inherits the library, but not iceoryx's threads. */
static void try_child(void)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		violation("the child did not end by itself");
}

static int run(struct lidard_client *client)
{
	struct lidard_subscribe_opts opts = {
		.size = sizeof(opts),
		.queue = opt.queue,
		.held = opt.held,
		.policy = opt.policy,
		.wait_mode = opt.wait == WAIT_FD ? LIDARD_WAIT_BLOCK : opt.wait,
	};
	struct lidard_subscription *sub;
	int r;

	r = opt.decode ? lidard_decoder_new(client, opt.sensor, &decoder) : 0;
	if (r < 0)
		return fail("decoder", r, lidard_client_get_error(client));
	r = lidard_subscribe(client, opt.sensor, &opts, &sub);
	if (r < 0)
		return fail("subscribe", r, lidard_client_get_error(client));
	say("subscribed");
	r = read_on(client, sub);
	if (opt.fork)
		try_child();
	check_stats(sub);
	say_account("final", sub);
	if (stamps)
		fflush(stamps);
	if (opt.leave)
		exit(seen.violations ? 3 : EXIT_SUCCESS);
	release_kept();
	lidard_subscription_free(sub);
	lidard_decoder_free(decoder);
	return r;
}

static void on_signal(int signal_number)
{
	if (signal_number == SIGUSR1)
		paused = 1;
	else if (signal_number == SIGUSR2)
		paused = 2;
	else
		ending = 1;
}

static void watch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
}

/* One of several words, or the program ends. */
static unsigned int choose(const char *word, const char *const *words)
{
	unsigned int i;

	for (i = 0; words[i]; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	fprintf(stderr, "test_reader: %s?\n", word);
	exit(2);
}

static void read_options(int argc, char **argv)
{
	static const char *const policies[] = { "bounded", "latest", "lossless", NULL };
	static const char *const waits[] = { "block", "spin", "poll", "fd", NULL };
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },  { "name", required_argument, NULL, 'n' },
		{ "queue", required_argument, NULL, 'q' },   { "held", required_argument, NULL, 'h' },
		{ "policy", required_argument, NULL, 'p' },  { "wait", required_argument, NULL, 'w' },
		{ "keep", required_argument, NULL, 'k' },    { "slow", required_argument, NULL, 'S' },
		{ "nap", required_argument, NULL, 'N' },
		{ "stats-ms", required_argument, NULL, 't' }, { "count", required_argument, NULL, 'c' },
		{ "crc", no_argument, NULL, 'C' },	     { "check", no_argument, NULL, 'x' },
		{ "write", no_argument, NULL, 'W' },	     { "frames", no_argument, NULL, 'f' },
		{ "patient", no_argument, NULL, 'P' },	     { "leave", no_argument, NULL, 'L' },
		{ "fork", no_argument, NULL, 'F' },	     { "pattern", no_argument, NULL, 'a' },
		{ "stamps", required_argument, NULL, 'T' },
		{ "pages", no_argument, NULL, 'g' },	     { "decode", no_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned long value;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		value = optarg ? strtoul(optarg, NULL, 10) : 0;
		switch (option) {
		case 's': opt.socket = optarg; break;
		case 'n': opt.name = optarg; break;
		case 'q': opt.queue = (uint32_t)value; break;
		case 'h': opt.held = (uint32_t)value; break;
		case 'p': opt.policy = choose(optarg, policies); break;
		case 'w': opt.wait = choose(optarg, waits); break;
		case 'N': opt.nap_ms = value; break;
		case 'k': opt.keep = value < 256 ? (unsigned int)value : 256; break;
		case 'S': opt.slow_ms = (unsigned int)value; break;
		case 't': opt.stats_ms = (unsigned int)value; break;
		case 'c': opt.count = value; break;
		case 'C': opt.crc = true; break;
		case 'x': opt.check = true; break;
		case 'W': opt.write = true; break;
		case 'f': opt.frames = true; break;
		case 'P': opt.patient = true; break;
		case 'L': opt.leave = true; break;
		case 'F': opt.fork = true; break;
		case 'a': opt.pattern = true; break;
		case 'g': opt.pages = true; break;
		case 'd': opt.decode = true; break;
		case 'T': opt.stamps = optarg; break;
		default: exit(2);
		}
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "usage: test_reader [OPTION] SENSOR\n");
		exit(2);
	}
	opt.sensor = argv[optind];
	stamps = opt.stamps ? fopen(opt.stamps, "we") : NULL;
	if (opt.stamps && !stamps) {
		fprintf(stderr, "test_reader: cannot write %s\n", opt.stamps);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct lidard_client_opts opts = { .size = sizeof(opts) };
	struct lidard_client *client;
	int r;

	read_options(argc, argv);
	watch_signals();
	opts.socket_path = opt.socket;
	opts.name = opt.name;
	opts.timeout_ns = 10 * NSEC_PER_SEC;
	r = lidard_client_new(&opts, &client);
	if (r < 0) {
		fail("client", r, "");
		return EXIT_FAILURE;
	}
	r = run(client);
	lidard_client_free(client);
	if (seen.violations)
		return 3;
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
