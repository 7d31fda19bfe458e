/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_scenarios.c - what liblidard promises, against a running lidard
 *
 * Prints TAP.  test_client.sh starts lidard with a synthetic sensor "front".
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lidard/control.h"
#include "common/clock.h"
#include "lidard/lidard.h"

#define SECOND 1000000000ll

/* Counted while counting is set: the hot path allocates nothing. */
static volatile int counting;
static volatile unsigned int allocations;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#if !SANITIZED
void *__libc_malloc(size_t bytes);

void *malloc(size_t bytes)
{
	if (counting)
		allocations++;
	return __libc_malloc(bytes);
}
#endif

/* Without link-map namespaces iceoryx is part of this process: less is promised. */
static int is_plain(void)
{
	return SANITIZED || getenv("LIDARD_NO_NAMESPACE");
}

static const char *failed;
static struct lidard_client *client;
static struct lidard_subscription *sub;

#define CHECK(condition)                                                             \
	do {                                                                         \
		if (!(condition)) {                                                  \
			printf("# line %d: %s; %s\n", __LINE__, #condition,          \
			       client ? lidard_client_get_error(client) : "");       \
			failed = #condition;                                         \
			return;                                                      \
		}                                                                    \
	} while (0)

static void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static int subscribe(uint32_t queue, uint32_t held, uint32_t policy, uint32_t wait_mode)
{
	struct lidard_subscribe_opts opts = {
		.size = sizeof(opts),
		.queue = queue,
		.held = held,
		.policy = policy,
		.wait_mode = wait_mode,
	};

	return lidard_subscribe(client, "front", &opts, &sub);
}

/* Return: 1 a slice; else what wait or take said. */
static int next(struct lidard_slice **slice)
{
	int r;

	do {
		r = lidard_subscription_wait(sub, 2 * SECOND);
		if (r <= 0)
			return r;
		r = lidard_subscription_take(sub, slice);
	} while (r == 0);
	return r;
}

static struct lidard_stats stats(void)
{
	struct lidard_stats st = { 0 };

	lidard_subscription_get_stats(sub, &st, sizeof(st));
	return st;
}

static void lists_sensors(void)
{
	struct lidard_sensor_list *list;
	const struct lidard_sensor_info *info;
	char *json;

	CHECK(lidard_client_list_sensors(client, &list) == 0);
	CHECK(lidard_sensor_list_get_count(list) >= 1);
	info = lidard_sensor_list_get(list, 0);
	CHECK(info && !lidard_sensor_list_get(list, 99));
	CHECK(strcmp(lidard_sensor_info_get_source(info), "sim") == 0);
	CHECK(lidard_sensor_info_get_format(info) == LIDARD_FORMAT_XYZIRT);
	lidard_sensor_list_free(list);
	CHECK(lidard_client_call(client, LIDARD_METHOD_GET_STATUS, NULL, &json) == 0);
	CHECK(strstr(json, "\"sensors\""));
	free(json);
	CHECK(lidard_client_call(client, "io.lidard.Nonsense", "{}", &json) == -EREMOTEIO);
	CHECK(strstr(json, "MethodNotFound"));
	free(json);
	CHECK(lidard_client_call(client, "io.lidard.Nonsense", "[]", &json) == -EINVAL);
}

static void refuses_clearly(void)
{
	CHECK(lidard_subscribe(client, "nowhere", NULL, &sub) == -ENOENT);
	CHECK(subscribe(256, 255, 0, 0) == -ENOSPC);
	CHECK(strstr(lidard_client_get_error(client), "subscriber_slices"));
	CHECK(subscribe(257, 1, 0, 0) == -EINVAL);
	sub = NULL;
}

static void takes_in_order_and_keeps_account(void)
{
	const struct lidard_subscriber_page *page;
	struct lidard_slice *slice;
	uint64_t last = 0;
	int i;

	CHECK(subscribe(0, 0, 0, 0) == 0);
	for (i = 0; i < 40; i++) {
		const struct lidard_slice_header *h;

		CHECK(next(&slice) == 1);
		h = lidard_slice_get_header(slice);
		CHECK(i == 0 || h->publish_index == last + 1);
		last = h->publish_index;
		CHECK(lidard_slice_check_crc(slice) == 1);
		CHECK(lidard_slice_get_points(slice)->range >= 0);
		CHECK(((uintptr_t)lidard_slice_get_payload(slice) & 4095) == 0);
		lidard_slice_release(slice);
	}
	page = lidard_subscription_get_page(sub);
	CHECK(page->connected == 1 && page->taken == 40 && page->held == 0);
	CHECK(page->next_index - page->first_index == 40);
	CHECK(page->stages[LIDARD_STAGE_HOLD].count == 40);
	CHECK(stats().connected == 1 && stats().latency_p50_ns > 0);
}

static void the_payload_cannot_be_written(void)
{
	volatile char *payload;
	struct lidard_slice *slice;
	int status;
	pid_t pid;

	CHECK(subscribe(0, 0, 0, 0) == 0);
	CHECK(next(&slice) == 1);
	payload = (volatile char *)lidard_slice_get_payload(slice);
	pid = fork();
	if (pid == 0) {
		payload[0] = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	lidard_slice_release(slice);
}

static void latest_passes_over(void)
{
	struct lidard_slice *slice;

	const struct lidard_subscriber_page *page;

	CHECK(subscribe(32, 1, LIDARD_POLICY_LATEST, 0) == 0);
	CHECK(lidard_subscription_wait(sub, 2 * SECOND) == 1);
	sleep_ms(100);
	CHECK(lidard_subscription_take(sub, &slice) == 1);
	/* the first slice seen is not the first lent */
	page = lidard_subscription_get_page(sub);
	CHECK(lidard_slice_get_header(slice)->publish_index - page->first_index ==
	      stats().skipped_policy);
	CHECK(stats().skipped_policy > 0);
	lidard_slice_release(slice);
	sleep_ms(100);
	CHECK(next(&slice) == 1);
	lidard_slice_release(slice);
	CHECK(stats().skipped_policy > 0);
	CHECK(stats().held == 0);
}

static void a_full_queue_is_counted(void)
{
	const struct lidard_subscriber_page *page;
	struct lidard_slice *slice;

	CHECK(subscribe(2, 2, 0, 0) == 0);
	CHECK(next(&slice) == 1);
	lidard_slice_release(slice);
	sleep_ms(200);
	CHECK(next(&slice) == 1);
	lidard_slice_release(slice);
	page = lidard_subscription_get_page(sub);
	CHECK(page->skipped[LIDARD_SKIP_QUEUE_FULL] > 0);
	CHECK(page->next_index - page->first_index ==
	      page->taken + page->skipped[LIDARD_SKIP_QUEUE_FULL]);
}

static void lossless_reports_a_loss_once(void)
{
	struct lidard_slice *slice;
	int losses = 0, i, r;

	CHECK(subscribe(4, 2, LIDARD_POLICY_LOSSLESS, 0) == 0);
	CHECK(next(&slice) == 1);
	lidard_slice_release(slice);
	sleep_ms(200);
	for (i = 0; i < 4; i++) {
		r = next(&slice);
		if (r == -ENOBUFS) {
			losses++;
			CHECK(lidard_subscription_take(sub, &slice) == 1);
			r = 1;
		}
		CHECK(r == 1);
		lidard_slice_release(slice);
	}
	CHECK(losses == 1);
}

static void more_than_reserved_cannot_be_held(void)
{
	struct lidard_slice *slices[3], *copy;

	CHECK(subscribe(8, 2, 0, 0) == 0);
	CHECK(next(&slices[0]) == 1 && next(&slices[1]) == 1);
	CHECK(next(&slices[2]) == -EMFILE);
	CHECK(stats().held == 2);
	CHECK(lidard_slice_copy(slices[0], &copy) == 0);
	lidard_slice_release(slices[0]);
	CHECK(next(&slices[0]) == 1);
	sub = lidard_subscription_free(sub);
	CHECK(lidard_slice_check_crc(copy) == 1);
	lidard_slice_release(copy);
}

static void whole_frames(void)
{
	struct lidard_frame *frames[2];
	uint64_t last = 0;
	int i, r;

	CHECK(subscribe(64, 64, 0, 0) == 0);
	for (i = 0; i < 6; i++) {
		do {
			CHECK(lidard_subscription_wait(sub, 2 * SECOND) == 1);
			r = lidard_subscription_take_frame(sub, &frames[i % 2]);
		} while (r == 0);
		CHECK(r == 1);
		CHECK(i == 0 || lidard_frame_is_complete(frames[i % 2]));
		CHECK(i == 0 || lidard_frame_get_id(frames[i % 2]) == last + 1);
		last = lidard_frame_get_id(frames[i % 2]);
		if (i > 0)
			lidard_frame_release(frames[(i + 1) % 2]);
	}
	lidard_frame_release(frames[1]);
	CHECK(stats().held < 16);
}

static void a_frame_too_large_is_an_error(void)
{
	struct lidard_frame *frame;
	int i, r, errors = 0;

	CHECK(subscribe(32, 4, 0, 0) == 0);
	for (i = 0; i < 100 && errors < 3; i++) {
		CHECK(lidard_subscription_wait(sub, 2 * SECOND) == 1);
		while ((r = lidard_subscription_take_frame(sub, &frame)) == 1)
			lidard_frame_release(frame);
		CHECK(r == 0 || r == -EMSGSIZE);
		errors += r == -EMSGSIZE;
	}
	CHECK(errors == 3);
	CHECK(strstr(lidard_client_get_error(client), "set opts.held = 17"));
}

static void the_fd_tells(void)
{
	struct lidard_slice *slice;
	struct pollfd pfd = { .events = POLLIN };
	int i, got = 0, idle = 0, r;

	CHECK(subscribe(0, 0, 0, 0) == 0);
	pfd.fd = lidard_subscription_get_fd(sub);
	CHECK(pfd.fd >= 0);
	/* on a busy machine many come at once */
	for (i = 0; i < 2000 && (got < 40 || idle <= 20); i++) {
		CHECK(poll(&pfd, 1, 1000) == 1);
		while ((r = lidard_subscription_take(sub, &slice)) == 1) {
			lidard_slice_release(slice);
			got++;
		}
		CHECK(r == 0);
		idle += poll(&pfd, 1, 0) == 0;
	}
	CHECK(got >= 40 && idle > 20);
	/* one slice at a time: still readable while more are waiting */
	sleep_ms(50);
	CHECK(lidard_subscription_take(sub, &slice) == 1);
	lidard_slice_release(slice);
	CHECK(poll(&pfd, 1, 0) == 1);
	CHECK(stats().skipped_queue_full == 0);
}

/* Return: of so many waits, how many ended because the time was over; negative: a wrong one. */
static int count_ended_waits(int waits)
{
	uint64_t begin_ns, slept_ns;
	struct lidard_slice *slice;
	int r, ended = 0;

	while (waits-- > 0) {
		while (lidard_subscription_take(sub, &slice) == 1)
			lidard_slice_release(slice);
		begin_ns = clock_now_ns();
		r = lidard_subscription_wait(sub, 3 * SECOND / 10);
		slept_ns = clock_now_ns() - begin_ns;
		if (r < 0 || (r == 0 && slept_ns < 3 * SECOND / 10))
			return -1;
		ended += r == 0;
	}
	return ended;
}

/* A slice comes every 1.2 s: if nobody ended them, the waits would end with it. */
static void a_wait_ends_in_time(void)
{
	struct lidard_subscribe_opts opts = { .size = sizeof(opts) };

	CHECK(lidard_subscribe(client, "slow", &opts, &sub) == 0);
	CHECK(count_ended_waits(5) >= 2);
}

static void on_alarm(int signal_number)
{
}

static void a_signal_ends_the_wait(void)
{
	struct sigaction action = { .sa_handler = on_alarm }, now;
	struct itimerval timer = { { 0, 1000 }, { 0, 1000 } }, none = { 0 };
	struct lidard_slice *slice;
	int i, r, interrupted = 0;

	CHECK(subscribe(0, 0, 0, 0) == 0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (i = 0; i < 300; i++) {
		r = lidard_subscription_wait(sub, SECOND);
		interrupted += r == -EINTR;
		while (r == 1 && lidard_subscription_take(sub, &slice) == 1)
			lidard_slice_release(slice);
	}
	setitimer(ITIMER_REAL, &none, NULL);
	CHECK(interrupted > 100);
	for (i = 1; i < 32; i++)
		if (i != SIGALRM && sigaction(i, NULL, &now) == 0)
			CHECK(now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN);
}

static void a_child_has_no_part_in_it(void)
{
	struct lidard_slice *slice, *other;
	struct lidard_client *own;
	int status;
	pid_t pid;

	CHECK(subscribe(0, 0, 0, 0) == 0);
	CHECK(next(&slice) == 1);
	pid = fork();
	if (pid == 0) {
		int bad = 0;
		char *json;

		alarm(20);
		bad |= (lidard_subscription_wait(sub, 0) != -ECHILD) << 0;
		bad |= (lidard_subscription_take(sub, &other) != -ECHILD) << 1;
		bad |= (lidard_subscription_get_fd(sub) != -ECHILD) << 2;
		bad |= (lidard_client_call(client, "x", NULL, &json) != -ECHILD) << 3;
		bad |= (lidard_slice_get_header(slice) != NULL) << 4;
		bad |= (lidard_slice_copy(slice, &other) != -ECHILD) << 5;
		lidard_slice_release(slice);
		lidard_client_free(client);
		/* a client of its own is fine */
		bad |= (lidard_client_new(NULL, &client) != 0) << 6;
		own = client;
		if (!bad)
			bad |= (subscribe(4, 4, 0, 0) != 0 || next(&slice) != 1) << 7;
		lidard_client_free(own);
		_exit(bad);
	}
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status));
	printf("# child: %d\n", WEXITSTATUS(status));
	CHECK(WEXITSTATUS(status) == 0);
	CHECK(lidard_slice_check_crc(slice) == 1);
	lidard_slice_release(slice);
	CHECK(next(&slice) == 1);
	lidard_slice_release(slice);
}

static void the_hot_path_allocates_nothing(void)
{
	struct lidard_slice *slice = NULL;
	int i, r = 0;

	CHECK(subscribe(0, 0, 0, 0) == 0);
	CHECK(next(&slice) == 1);
	lidard_slice_release(slice);
	allocations = 0;
	counting = 1;
	for (i = 0; i < 40; i++) {
		r = next(&slice);
		if (r != 1)
			break;
		lidard_slice_release(slice);
	}
	counting = 0;
	CHECK(r == 1);
	printf("# %u allocations\n", allocations);
	CHECK(allocations == 0);
}

static void *read_some(void *arg)
{
	struct lidard_subscription *own;
	struct lidard_client *c;
	struct lidard_slice *slice;
	uintptr_t got = 0;

	if (lidard_client_new(NULL, &c) < 0)
		return NULL;
	if (lidard_subscribe(c, "front", NULL, &own) == 0)
		while (got < 30 && lidard_subscription_wait(own, 2 * SECOND) == 1)
			while (lidard_subscription_take(own, &slice) == 1) {
				lidard_slice_release(slice);
				got++;
			}
	lidard_client_free(c);
	return (void *)got;
}

static void clients_in_threads(void)
{
	pthread_t threads[3];
	void *got;
	int i;

	for (i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, read_some, NULL);
	for (i = 0; i < 3; i++) {
		pthread_join(threads[i], &got);
		CHECK((uintptr_t)got >= 30);
	}
}

static void polling_and_spinning(void)
{
	struct lidard_slice *slice;
	int mode, i;

	for (mode = LIDARD_WAIT_SPIN_THEN_BLOCK; mode <= LIDARD_WAIT_POLL; mode++) {
		CHECK(subscribe(0, 0, 0, (uint32_t)mode) == 0);
		for (i = 0; i < 20; i++) {
			CHECK(next(&slice) == 1);
			lidard_slice_release(slice);
		}
		CHECK(lidard_subscription_wait(sub, 0) >= 0);
		sub = lidard_subscription_free(sub);
	}
}

static void memory_comes_back(void)
{
	int i;

	/* 40 subscriptions one after another, of half the memory each */
	for (i = 0; i < 40; i++) {
		CHECK(subscribe(32, 64, 0, 0) == 0);
		sub = lidard_subscription_free(sub);
	}
}

static void strange_options(void)
{
	struct {
		struct lidard_subscribe_opts known;
		uint64_t unknown;
	} grown = { .known.size = sizeof(grown) };
	struct lidard_client_opts opts = { .size = sizeof(opts) };
	struct lidard_client *other;
	char path[200];

	CHECK(lidard_subscribe(client, "front", &grown.known, &sub) == 0);
	sub = lidard_subscription_free(sub);
	grown.unknown = 1;
	CHECK(lidard_subscribe(client, "front", &grown.known, &sub) == -EINVAL);
	grown.known.size = SIZE_MAX;
	CHECK(lidard_subscribe(client, "front", &grown.known, &sub) == -EINVAL);
	grown.known.size = 0;
	CHECK(lidard_subscribe(client, "front", &grown.known, &sub) == -EINVAL);
	CHECK(lidard_subscribe(client, NULL, NULL, &sub) == -ENOENT);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	CHECK(lidard_subscribe(client, path, NULL, &sub) == -ENOENT);
	opts.socket_path = path;
	CHECK(lidard_client_new(&opts, &other) == -ENAMETOOLONG);
	opts = (struct lidard_client_opts){ .size = sizeof(opts), .timeout_ns = -1 };
	CHECK(lidard_client_new(&opts, &other) == -EINVAL);
}

static void waiting_for_ages(void)
{
	struct lidard_client_opts opts = { .size = sizeof(opts), .timeout_ns = INT64_MAX };
	struct lidard_subscribe_opts how = {
		.size = sizeof(how),
		.wait_mode = LIDARD_WAIT_SPIN_THEN_BLOCK,
		.spin_ns = INT64_MAX,
	};
	struct lidard_client *patient;

	CHECK(lidard_client_new(&opts, &patient) == 0);
	CHECK(lidard_subscribe(patient, "front", &how, &sub) == 0);
	CHECK(lidard_subscription_wait(sub, INT64_MAX) == 1);
	/* frees the subscription too */
	lidard_client_free(patient);
}

/*
 * iceoryx's threads, of another libc, allocate from this one's heap: it must not
 * believe itself alone.  The first scenario, before others start threads.
 */
static void the_heap_takes_its_lock(void)
{
	CHECK(is_plain() || __libc_single_threaded);
	CHECK(subscribe(8, 8, 0, 0) == 0);
	CHECK(!__libc_single_threaded);
}

static void a_second_release_does_nothing(void)
{
	struct lidard_slice *slices[2];
	struct lidard_frame *frame;
	int i, r;

	CHECK(subscribe(32, 64, 0, 0) == 0);
	for (i = 0; i < 10; i++) {
		CHECK(next(&slices[0]) == 1 && next(&slices[1]) == 1 && slices[0] != slices[1]);
		lidard_slice_release(slices[0]);
		lidard_slice_release(slices[0]);
		CHECK(stats().held == 1);
		lidard_slice_release(slices[1]);
	}
	sub = lidard_subscription_free(sub);
	CHECK(subscribe(64, 64, 0, 0) == 0);
	for (i = 0; i < 3; i++) {
		do {
			CHECK(lidard_subscription_wait(sub, 2 * SECOND) == 1);
			r = lidard_subscription_take_frame(sub, &frame);
		} while (r == 0);
		CHECK(r == 1);
		lidard_frame_release(frame);
		lidard_frame_release(frame);
	}
	CHECK(stats().held < 16);
}

static void as_many_subscriptions_as_there_may_be(void)
{
	struct lidard_subscription *all[LIDARD_SUBSCRIPTIONS_MAX], *more;
	struct lidard_subscribe_opts opts = { .size = sizeof(opts), .queue = 2, .held = 1 };
	struct lidard_slice *slice;
	unsigned int i;

	for (i = 0; i < LIDARD_SUBSCRIPTIONS_MAX; i++)
		CHECK(lidard_subscribe(client, "front", &opts, &all[i]) == 0);
	CHECK(lidard_subscribe(client, "front", &opts, &more) == -EUSERS);
	CHECK(strstr(lidard_client_get_error(client), "too many"));
	for (i = 0; i < LIDARD_SUBSCRIPTIONS_MAX; i++) {
		CHECK(lidard_subscription_wait(all[i], 2 * SECOND) == 1);
		CHECK(lidard_subscription_take(all[i], &slice) == 1);
		lidard_slice_release(slice);
	}
	for (i = 0; i < LIDARD_SUBSCRIPTIONS_MAX; i += 2)
		lidard_subscription_free(all[i]);
	/* the others go with the client */
}

static unsigned int count_fds(void)
{
	unsigned int count = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Memory of its own: the shared one has a place for every port there may be. */
static long count_kib(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* Ports are removed by RouDi some time later; nothing may pile up meanwhile. */
static void subscribing_again_and_again(void)
{
	unsigned int fds = 0;
	long kib = 0;
	int i;

	for (i = 0; i < 2500; i++) {
		/* RouDi looks for closed ports every 100 ms; a publisher has room for 256 */
		sleep_ms(1);
		if (i == 300) {
			fds = count_fds();
			kib = count_kib();
		}
		CHECK(subscribe(2, 2, 0, 0) == 0);
		if (i % 10 == 0)
			CHECK(lidard_subscription_get_fd(sub) >= 0);
		if (i % 100 == 0)
			CHECK(lidard_subscription_wait(sub, 2 * SECOND) == 1);
		sub = lidard_subscription_free(sub);
	}
	printf("# %u fds, %ld KiB more\n", count_fds() - fds, count_kib() - kib);
	CHECK(count_fds() == fds);
	CHECK(count_kib() - kib < 512 || is_plain());
	takes_in_order_and_keeps_account();
}

static void *take_over(void *slice)
{
	lidard_slice_release(slice);
	takes_in_order_and_keeps_account();
	sub = lidard_subscription_free(sub);
	return NULL;
}

static void another_thread_takes_over(void)
{
	struct lidard_slice *slice;
	pthread_t thread;

	CHECK(subscribe(0, 0, 0, 0) == 0);
	CHECK(next(&slice) == 1);
	CHECK(pthread_create(&thread, NULL, take_over, slice) == 0);
	pthread_join(thread, NULL);
	CHECK(!sub || failed);
}

/* Break the connection from inside, as a closed socket would be. */
static int hang_up(void)
{
	struct sockaddr_un address;
	socklen_t length;
	int fd, found = 0;

	for (fd = 3; fd < 256; fd++) {
		length = sizeof(address);
		if (getpeername(fd, (struct sockaddr *)&address, &length) == 0 &&
		    address.sun_family == AF_UNIX &&
		    strcmp(address.sun_path, getenv("LIDARD_SOCKET")) == 0)
			found += shutdown(fd, SHUT_RDWR) == 0;
	}
	return found;
}

/* The memory set aside is most of what there is: it cannot be had twice. */
static void outlives_its_connection(void)
{
	struct lidard_slice *slice;
	int i, j;

	CHECK(subscribe(60, 60, 0, 0) == 0);
	for (i = 0; i < 3; i++) {
		CHECK(hang_up() == 1);
		for (j = 0; j < 40; j++) {
			CHECK(next(&slice) == 1);
			lidard_slice_release(slice);
		}
		CHECK(stats().connected == 1);
	}
	CHECK(stats().restarts == 0 && stats().received == 120);
	CHECK(lidard_subscription_get_page(sub)->taken == 120);
}

/*
 * Without an fd iceoryx cannot be asked whether it is there, and the port stays,
 * with what its queue holds: as long as this process lives, so the last scenario.
 */
static void a_port_left_behind_keeps_its_memory(void)
{
	int fds[1024], count = 0, r;

	CHECK(subscribe(32, 16, 0, 0) == 0);
	while (count < 1024 && (fds[count] = dup(STDERR_FILENO)) >= 0)
		count++;
	CHECK(count < 1024 && errno == EMFILE);
	sub = lidard_subscription_free(sub);
	while (count > 0)
		close(fds[--count]);
	/* of 200 slices 48 are not lidard's to give, whoever asks */
	r = subscribe(113, 40, 0, 0);
	CHECK(r == -ENOSPC);
	CHECK(subscribe(112, 40, 0, 0) == 0);
}

static const struct {
	const char *name;
	void (*run)(void);
	/* needs iceoryx in a namespace of its own */
	int isolated;
} scenarios[] = {
#define SCENARIO(name) { #name, name, 0 }
#define ISOLATED(name) { #name, name, 1 }
	SCENARIO(the_heap_takes_its_lock),
	SCENARIO(lists_sensors),
	SCENARIO(refuses_clearly),
	SCENARIO(takes_in_order_and_keeps_account),
	ISOLATED(the_payload_cannot_be_written),
	SCENARIO(latest_passes_over),
	SCENARIO(a_full_queue_is_counted),
	SCENARIO(lossless_reports_a_loss_once),
	SCENARIO(more_than_reserved_cannot_be_held),
	SCENARIO(whole_frames),
	SCENARIO(a_frame_too_large_is_an_error),
	SCENARIO(the_fd_tells),
	SCENARIO(a_wait_ends_in_time),
	ISOLATED(a_signal_ends_the_wait),
	ISOLATED(a_child_has_no_part_in_it),
	SCENARIO(the_hot_path_allocates_nothing),
	SCENARIO(clients_in_threads),
	SCENARIO(polling_and_spinning),
	SCENARIO(memory_comes_back),
	SCENARIO(outlives_its_connection),
	SCENARIO(strange_options),
	SCENARIO(waiting_for_ages),
	SCENARIO(a_second_release_does_nothing),
	SCENARIO(as_many_subscriptions_as_there_may_be),
	SCENARIO(subscribing_again_and_again),
	SCENARIO(another_thread_takes_over),
	/* it is a leak, on purpose; in a namespace it is nobody's business */
	ISOLATED(a_port_left_behind_keeps_its_memory),
};

static int run_scenarios(const char *only)
{
	size_t i, count = sizeof(scenarios) / sizeof(scenarios[0]);
	int bad = 0;

	printf("1..%zu\n", count);
	for (i = 0; i < count; i++) {
		if (only && strcmp(only, scenarios[i].name))
			continue;
		if (scenarios[i].isolated && is_plain()) {
			printf("ok %zu - %s # SKIP iceoryx is loaded plainly\n", i + 1,
			       scenarios[i].name);
			continue;
		}
		failed = NULL;
		sub = NULL;
		if (lidard_client_new(NULL, &client) < 0)
			failed = "no lidard";
		else
			scenarios[i].run();
		client = lidard_client_free(client);
		printf("%sok %zu - %s\n", failed ? "not " : "", i + 1, scenarios[i].name);
		fflush(stdout);
		bad |= failed != NULL;
	}
	return bad;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "is-plain") == 0)
		return !is_plain();
	return run_scenarios(argc > 1 ? argv[1] : NULL);
}
