/* SPDX-License-Identifier: Apache-2.0 */
/* The control interface, as docs/control.md describes it. */
#include "daemon/control.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/status.h"
#include "daemon/varlink.h"
#include "tests/support/needs.h"
#include "tests/support/test_daemon.h"

static struct test_daemon t;
static struct varlink *v;
static int fd;

static void begin(void)
{
	needs_pidfd();
	test_daemon_init(&t);
	fd = test_daemon_connect(&t, &v);
}

static void end(void)
{
	close(fd);
	test_daemon_deinit(&t);
}

TestSuite(control, .init = begin, .fini = end);

/* Feed one call, read one reply. */
static json_object *call(const char *message, int *ret_fd)
{
	static char text[256 * 1024];
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes) };
	ssize_t n;

	cr_assert_eq(varlink_feed(v, message, strlen(message) + 1), 0, "%s", message);
	n = recvmsg(fd, &header, MSG_DONTWAIT);
	cr_assert_gt(n, 0, "no reply to %s", message);
	cr_assert_eq(text[n - 1], '\0');
	if (ret_fd)
		*ret_fd = header.msg_controllen ? *(int *)(void *)CMSG_DATA(CMSG_FIRSTHDR(&header)) : -1;
	return json_tokener_parse(text);
}

static void expect_error(const char *message, const char *error)
{
	json_object *reply = call(message, NULL), *o;

	cr_assert(json_object_object_get_ex(reply, "error", &o), "%s was accepted", message);
	cr_assert_str_eq(json_object_get_string(o), error);
	json_object_put(reply);
}

#define HELLO "{\"method\":\"io.lidard.Hello\",\"parameters\":{\"version\":2,\"program\":\"t\",\"runtime_name\":\"\"}}"
#define SUBSCRIBE(sensor, queue, held)                                                          \
	"{\"method\":\"io.lidard.Subscribe\",\"parameters\":{\"sensor\":\"" sensor               \
	"\",\"queue\":" #queue ",\"held\":" #held ",\"policy\":0}}"

static void hello(void)
{
	json_object_put(call(HELLO, NULL));
}

Test(control, hello_names_the_broker_and_a_runtime_name)
{
	json_object *reply = call(HELLO, NULL), *p, *o;

	cr_assert(json_object_object_get_ex(reply, "parameters", &p));
	cr_assert(json_object_object_get_ex(p, "broker", &o));
	cr_assert_str_eq(json_object_get_string(o), "test");
	cr_assert(json_object_object_get_ex(p, "reader_group", &o));
	cr_assert_str_eq(json_object_get_string(o), "lidar");
	cr_assert(json_object_object_get_ex(p, "reader_gid", &o));
	cr_assert_eq(json_object_get_int(o), 61010);
	cr_assert(json_object_object_get_ex(p, "writer_group", &o));
	cr_assert(json_object_object_get_ex(p, "writer_gid", &o));
	cr_assert(json_object_object_get_ex(p, "runtime_name", &o));
	cr_assert_eq(strncmp(json_object_get_string(o), "lidard-client-", 14), 0);
	json_object_put(reply);
}

Test(control, a_program_name_is_made_printable)
{
	json_object_put(call("{\"method\":\"io.lidard.Hello\",\"parameters\":{\"version\":2,"
			     "\"program\":\"a\\nb\xff\",\"runtime_name\":\"\"}}",
			     NULL));
	cr_assert_str_eq(LIST_FIRST(&t.daemon.clients.clients)->program, "a?b?");
}

Test(control, another_version_is_refused)
{
	expect_error("{\"method\":\"io.lidard.Hello\",\"parameters\":{\"version\":1,\"program\":\"t\","
		     "\"runtime_name\":\"\"}}",
		     LIDARD_ERROR_VERSION);
}

Test(control, subscribing_before_hello_is_refused)
{
	expect_error(SUBSCRIBE("front", 4, 2), LIDARD_ERROR_NO_HELLO);
}

Test(control, an_unknown_sensor_is_refused)
{
	hello();
	expect_error(SUBSCRIBE("rear", 4, 2), LIDARD_ERROR_NO_SENSOR);
}

Test(control, absurd_queue_and_held_are_refused)
{
	hello();
	expect_error(SUBSCRIBE("front", 257, 2), "org.varlink.service.InvalidParameter");
	expect_error(SUBSCRIBE("front", 4, 256), "org.varlink.service.InvalidParameter");
	expect_error(SUBSCRIBE("front", -1, 2), "org.varlink.service.InvalidParameter");
	expect_error(SUBSCRIBE("front", 1e300, 2), "org.varlink.service.InvalidParameter");
}

#define GET_DECODER(sensor) \
	"{\"method\":\"io.lidard.GetDecoder\",\"parameters\":{\"sensor\":\"" sensor "\"}}"

static void expect_files(const char *metadata, const char *calibration)
{
	json_object *reply = call(GET_DECODER("front"), NULL), *p, *o;

	cr_assert(json_object_object_get_ex(reply, "parameters", &p));
	cr_assert(json_object_object_get_ex(p, "decoder", &o));
	cr_assert_str_eq(json_object_get_string(o), "auto");
	cr_assert(json_object_object_get_ex(p, "model", &o));
	cr_assert_str_eq(json_object_get_string(o), "");
	cr_assert(json_object_object_get_ex(p, "metadata", &o));
	cr_assert_str_eq(json_object_get_string(o), metadata);
	cr_assert(json_object_object_get_ex(p, "calibration", &o));
	cr_assert_str_eq(json_object_get_string(o), calibration);
	json_object_put(reply);
}

static void write_file(char *path, const char *name, const char *text)
{
	FILE *f;

	snprintf(path, PATH_MAX, "%s/%s", t.dir, name);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

Test(control, a_sensors_metadata_and_calibration_are_told_as_their_files_have_them)
{
	expect_files("", "");
	write_file(t.sensor->config.metadata, "metadata.json", "{\"a\": \"\\u00e9\"}\n");
	expect_files("{\"a\": \"\\u00e9\"}\n", "");
	write_file(t.sensor->config.calibration, "lasers.yaml", "lasers:\n");
	expect_files("{\"a\": \"\\u00e9\"}\n", "lasers:\n");
}

Test(control, metadata_that_cannot_be_read_are_refused)
{
	expect_error(GET_DECODER("rear"), LIDARD_ERROR_NO_SENSOR);
	expect_error("{\"method\":\"io.lidard.GetDecoder\"}",
		     "org.varlink.service.InvalidParameter");
	strcpy(t.sensor->config.metadata, "/nonexistent/metadata.json");
	expect_error(GET_DECODER("front"), LIDARD_ERROR_NO_METADATA);
	strcpy(t.sensor->config.metadata, "/dev/zero");
	expect_error(GET_DECODER("front"), LIDARD_ERROR_NO_METADATA);
	t.sensor->config.metadata[0] = '\0';
	strcpy(t.sensor->config.calibration, "/nonexistent/lasers.yaml");
	expect_error(GET_DECODER("front"), LIDARD_ERROR_NO_METADATA);
}

#define GET_SENSOR(sensor) \
	"{\"method\":\"io.lidard.GetSensor\",\"parameters\":{\"sensor\":\"" sensor "\"}}"

/* The caller puts it. */
static json_object *get_sensor_or_fail(void)
{
	json_object *reply = call(GET_SENSOR("front"), NULL), *p, *o;

	cr_assert(json_object_object_get_ex(reply, "parameters", &p));
	cr_assert(json_object_object_get_ex(p, "sensor", &o));
	json_object_get(o);
	json_object_put(reply);
	return o;
}

static void expect_text(json_object *object, const char *key, const char *text)
{
	json_object *o;

	cr_assert(json_object_object_get_ex(object, key, &o), "%s is missing", key);
	cr_assert_str_eq(json_object_get_string(o), text, "%s is %s", key,
			 json_object_get_string(o));
}

Test(control, a_sensor_is_told_with_all_that_is_known_of_it)
{
	json_object *sensor = get_sensor_or_fail(), *o;

	expect_text(sensor, "name", "front");
	expect_text(sensor, "source", "sim");
	expect_text(sensor, "vendor", "lidard");
	expect_text(sensor, "decoder", "");
	expect_text(sensor, "beams", "128");
	expect_text(sensor, "columns", "1024");
	expect_text(sensor, "metadata", "");
	expect_text(sensor, "problem", "");
	cr_assert(json_object_object_get_ex(sensor, "rate_hz", &o));
	cr_assert_float_eq(json_object_get_double(o), 10, 1e-9);
	cr_assert(json_object_object_get_ex(sensor, "pose", &o));
	cr_assert_null(o);
	json_object_put(sensor);
	expect_error(GET_SENSOR("rear"), LIDARD_ERROR_NO_SENSOR);
	expect_error("{\"method\":\"io.lidard.GetSensor\"}",
		     "org.varlink.service.InvalidParameter");
}

Test(control, a_sensors_pose_is_told_as_it_is_now)
{
	json_object *sensor, *o;

	cr_assert_eq(pose_read("1.5 0 -2 0 0 1 0", &t.sensor->config.pose), 0);
	sensor = get_sensor_or_fail();
	cr_assert(json_object_object_get_ex(sensor, "pose", &o));
	expect_text(o, "translation_m", "[ 1.5, 0.0, -2.0 ]");
	expect_text(o, "rotation_xyzw", "[ 0.0, 0.0, 1.0, 0.0 ]");
	json_object_put(sensor);
}

Test(control, a_file_that_cannot_be_read_hides_nothing_else)
{
	json_object *sensor, *o;

	write_file(t.sensor->config.metadata, "metadata.json", "{}\n");
	strcpy(t.sensor->config.calibration, "/nonexistent/lasers.yaml");
	sensor = get_sensor_or_fail();
	expect_text(sensor, "metadata", "{}\n");
	expect_text(sensor, "calibration", "");
	expect_text(sensor, "beams", "128");
	cr_assert(json_object_object_get_ex(sensor, "problem", &o));
	cr_assert(strstr(json_object_get_string(o), "/nonexistent/lasers.yaml"));
	json_object_put(sensor);
}

#define RECORD_PACKETS(sensor, bytes)                                                           \
	"{\"method\":\"io.lidard.RecordPackets\",\"parameters\":{\"sensor\":\"" sensor              \
	"\",\"bytes\":" #bytes "}}"

/* The simulator, as if it had any. */
static void pretend_packets(void)
{
	t.sensor->source->has_packets = true;
}

Test(control, packets_of_a_sensor_without_any_are_refused)
{
	expect_error(RECORD_PACKETS("front", 0), LIDARD_ERROR_NO_PACKETS);
	expect_error(RECORD_PACKETS("rear", 0), LIDARD_ERROR_NO_SENSOR);
	expect_error("{\"method\":\"io.lidard.RecordPackets\",\"parameters\":{\"sensor\":\"front\"}}",
		     "org.varlink.service.InvalidParameter");
}

Test(control, a_recording_ends_with_its_connection)
{
	struct lidard_packet_ring *ring;
	int ring_fd = -1;

	pretend_packets();
	expect_error(RECORD_PACKETS("front", 262143), "org.varlink.service.InvalidParameter");
	expect_error(RECORD_PACKETS("front", 67108865), "org.varlink.service.InvalidParameter");
	json_object_put(call(RECORD_PACKETS("front", 262145), &ring_fd));
	ring = mmap(NULL, 4096, PROT_READ, MAP_SHARED, ring_fd, 0);
	cr_assert_neq(ring, MAP_FAILED);
	cr_assert_eq(ring->data_bytes, 266240, "whole pages");
	cr_assert_not_null(LIST_FIRST(&t.sensor->source->taps.list));
	expect_error(RECORD_PACKETS("front", 262144), LIDARD_ERROR_LIMIT);
	varlink_free(v);
	cr_assert_null(LIST_FIRST(&t.sensor->source->taps.list));
	munmap(ring, 4096);
	close(ring_fd);
}

Test(control, recordings_are_limited_and_a_place_comes_free)
{
	struct varlink *others[LIDARD_RECORDINGS_MAX], *own = v;
	int fds[LIDARD_RECORDINGS_MAX], own_fd = fd, ring_fd;
	unsigned int i;

	pretend_packets();
	for (i = 0; i < LIDARD_RECORDINGS_MAX; i++) {
		fds[i] = fd = test_daemon_connect(&t, &others[i]);
		v = others[i];
		json_object_put(call(RECORD_PACKETS("front", 262144), &ring_fd));
		cr_assert_geq(ring_fd, 0, "recording %u", i);
		close(ring_fd);
	}
	v = own;
	fd = own_fd;
	expect_error(RECORD_PACKETS("front", 262144), LIDARD_ERROR_LIMIT);
	varlink_free(others[1]);
	json_object_put(call(RECORD_PACKETS("front", 262144), &ring_fd));
	cr_assert_geq(ring_fd, 0);
	close(ring_fd);
	for (i = 0; i < LIDARD_RECORDINGS_MAX; i++)
		close(fds[i]);
}

Test(control, an_unknown_method_is_refused)
{
	expect_error("{\"method\":\"io.lidard.Dance\"}", "org.varlink.service.MethodNotFound");
}

Test(control, subscribe_reserves_and_unsubscribe_gives_back)
{
	json_object *reply;
	int page_fd;

	hello();
	reply = call(SUBSCRIBE("front", 60, 20), &page_fd);
	json_object_put(reply);
	cr_assert_geq(page_fd, 0);
	close(page_fd);
	cr_assert_eq(t.sensor->reserved_slices, 80);
	expect_error(SUBSCRIBE("front", 20, 1), LIDARD_ERROR_NO_SPACE);
	json_object_put(call("{\"method\":\"io.lidard.Unsubscribe\",\"parameters\":{\"subscription\":1}}",
			     NULL));
	cr_assert_eq(t.sensor->reserved_slices, 0);
}

Test(control, a_closed_connection_keeps_the_reservation_while_the_process_lives)
{
	hello();
	json_object_put(call(SUBSCRIBE("front", 8, 4), NULL));
	varlink_free(v);
	cr_assert_eq(t.sensor->reserved_slices, 12);
}

Test(control, the_page_cannot_be_resized_by_the_reader)
{
	int page_fd;

	hello();
	json_object_put(call(SUBSCRIBE("front", 8, 4), &page_fd));
	cr_assert_lt(ftruncate(page_fd, 0), 0);
	cr_assert_lt(ftruncate(page_fd, 1 << 20), 0);
	close(page_fd);
}

Test(control, what_is_not_json_ends_the_connection)
{
	cr_assert_lt(varlink_feed(v, "GET / HTTP/1.1\r\n", 17), 0);
}

Test(control, a_message_without_end_ends_the_connection)
{
	static char spaces[65536];
	size_t sent;
	int r = 0;

	memset(spaces, ' ', sizeof(spaces));
	for (sent = 0; r == 0 && sent <= LIDARD_CONTROL_MESSAGE_MAX; sent += sizeof(spaces))
		r = varlink_feed(v, spaces, sizeof(spaces));
	cr_assert_lt(r, 0);
}

/* ---- a process that dies ---- */

static int end_loop(struct loop_timer *timer)
{
	return 2;
}

static int heard(struct loop_watch *watch, uint32_t events)
{
	return 1;
}

/* Run the daemon until something comes by @from; false after a few seconds. */
static bool run_until_heard(int from)
{
	struct loop_timer timer = LOOP_TIMER_NULL;
	struct loop_watch watch = LOOP_WATCH_NULL;
	int r;

	cr_assert_eq(loop_timer_init(&t.loop, &timer, end_loop), 0);
	cr_assert_eq(loop_add(&t.loop, &watch, from, EPOLLIN, heard), 0);
	loop_timer_set(&timer, 5ull * 1000 * 1000 * 1000, 0);
	r = loop_run(&t.loop);
	loop_remove(&t.loop, &watch);
	loop_timer_deinit(&t.loop, &timer);
	return r == 1;
}

static int connect_to_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", t.dir);
	return connect(s, (struct sockaddr *)&address, sizeof(address)) == 0 ? s : -1;
}

/* A client subscribes and dies; its own child keeps the connection, and says by @to when it is closed. */
static void live_and_die(int to)
{
	static const char calls[] = HELLO "\0" SUBSCRIBE("front", 8, 4);
	char bytes[4096];
	int s = connect_to_socket(), replies = 0;
	ssize_t n, i;

	if (write(s, calls, sizeof(calls)) != (ssize_t)sizeof(calls))
		_exit(1);
	while (replies < 2 && (n = read(s, bytes, sizeof(bytes))) > 0)
		for (i = 0; i < n; i++)
			replies += bytes[i] == '\0';
	if (replies == 2 && fork() == 0 && read(s, bytes, 1) == 0)
		(void)!write(to, "x", 1);
	_exit(0);
}

Test(control, a_dead_process_connection_is_closed_though_a_child_keeps_it)
{
	int ends[2];
	pid_t pid;

	cr_assert_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0)
		live_and_die(ends[1]);
	cr_assert(run_until_heard(ends[0]));
	cr_assert_eq(t.sensor->reserved_slices, 12);
	waitpid(pid, NULL, 0);
	close(ends[0]);
	close(ends[1]);
}

static int turn(struct loop_timer *timer)
{
	return 1;
}

/* Let the daemon do what there is to do. */
static void run_for_ms(uint64_t ms)
{
	struct loop_timer timer = LOOP_TIMER_NULL;

	cr_assert_eq(loop_timer_init(&t.loop, &timer, turn), 0);
	loop_timer_set(&timer, ms * 1000 * 1000, 0);
	cr_assert_eq(loop_run(&t.loop), 1);
	loop_timer_deinit(&t.loop, &timer);
}

static rlim_t count_fds(void)
{
	int lowest = dup(fd);

	close(lowest);
	return (rlim_t)lowest;
}

Test(control, without_descriptors_a_newcomer_is_turned_away_and_the_loop_rests)
{
	struct rlimit limit;
	char byte;
	int s = connect_to_socket();
	uint64_t cpu_ns;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = count_fds() + 1; /* one for the timer of run_for_ms() */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cpu_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	run_for_ms(200);
	cr_assert_lt(clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns, 100 * NSEC_PER_MSEC);
	cr_assert_eq(recv(s, &byte, 1, MSG_DONTWAIT), 0);
}

/* ---- a peer that does not read ---- */

#define LIST_SENSORS "{\"method\":\"io.lidard.ListSensors\"}"

/* Calls until the socket takes no more. Return: how many. */
static unsigned int call_without_reading(void)
{
	unsigned int calls = 0, before;

	do {
		before = calls;
		while (send(fd, LIST_SENSORS, sizeof(LIST_SENSORS), MSG_DONTWAIT) > 0)
			calls++;
		run_for_ms(20);
	} while (calls != before);
	return calls;
}

Test(control, a_peer_that_does_not_read_is_not_read_from_and_loses_nothing)
{
	static char replies[65536];
	unsigned int calls = call_without_reading(), answers = 0, idle = 0;
	ssize_t n, i;

	cr_assert_gt(v->out_bytes, 0);
	cr_assert_lt(v->out_bytes, 4096, "more than one answer waits");
	while (idle < 3) {
		run_for_ms(5);
		n = recv(fd, replies, sizeof(replies), MSG_DONTWAIT);
		for (i = 0; i < n; i++)
			answers += replies[i] == '\0';
		idle = n > 0 ? 0 : idle + 1;
	}
	cr_assert_eq(answers, calls);
}

Test(control, a_peer_that_will_not_read_any_more_is_left)
{
	call_without_reading();
	shutdown(fd, SHUT_RD);
	run_for_ms(20);
	cr_assert_lt(send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL), 0);
}

/* ---- accounts ---- */

static struct subscription *subscribe(struct lidard_subscriber_page **ret_page)
{
	int page_fd;

	hello();
	json_object_put(call(SUBSCRIBE("front", 8, 4), &page_fd));
	*ret_page = mmap(NULL, sizeof(**ret_page), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
	cr_assert_neq(*ret_page, MAP_FAILED);
	close(page_fd);
	return LIST_FIRST(&t.sensor->subscriptions);
}

static struct subscription_account account_of(struct subscription *s)
{
	static struct lidard_subscriber_page copy;
	struct subscription_account a;

	cr_assert(subscription_read_page(s, &copy));
	subscription_get_account(s, &copy, &a);
	return a;
}

/* Every bucket of every stage at its limit: nothing stops a client from writing that. */
static void fill_histograms(struct lidard_subscriber_page *page)
{
	unsigned int stage, i;

	for (stage = 0; stage < LIDARD_STAGE_COUNT; stage++)
		for (i = 0; i < LIDARD_HISTOGRAM_BUCKETS; i++)
			page->stages[stage].buckets[i] = UINT64_MAX;
}

Test(control, a_status_of_many_full_histograms_still_fits_a_message)
{
	struct lidard_subscriber_page *page;
	json_object *status, *subscribers, *o;
	size_t i, length;
	int page_fd;

	subscribe(&page);
	fill_histograms(page);
	for (i = 1; i < 40; i++) {
		json_object_put(call(SUBSCRIBE("front", 1, 1), &page_fd));
		page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
		cr_assert_neq(page, MAP_FAILED);
		close(page_fd);
		fill_histograms(page);
	}
	status = status_get(&t.daemon);
	json_object_to_json_string_length(status, JSON_C_TO_STRING_PLAIN, &length);
	cr_assert_lt(length, LIDARD_CONTROL_MESSAGE_MAX / 2);
	cr_assert(json_object_object_get_ex(status, "subscribers", &subscribers));
	cr_assert_eq(json_object_array_length(subscribers), 40);
	cr_assert(json_object_object_get_ex(json_object_array_get_idx(subscribers, 0), "stages", &o));
	cr_assert_not(json_object_object_get_ex(json_object_array_get_idx(subscribers, 39), "stages",
						&o));
	json_object_put(status);
}

Test(control, an_account_that_adds_up_holds)
{
	struct lidard_subscriber_page *page;
	struct subscription *s = subscribe(&page);
	struct subscription_account a;

	t.sensor->next_publish_index = 110;
	page->incarnation = 1;
	page->first_index = 10;
	page->next_index = 105;
	page->taken = 90;
	page->skipped[LIDARD_SKIP_QUEUE_FULL] = 5;
	a = account_of(s);
	cr_assert(a.holds);
	cr_assert_eq(a.published, 100);
	cr_assert_eq(a.waiting, 5);
	cr_assert_eq(a.unseen, 0);
}

Test(control, slices_of_a_frame_under_way_count_once)
{
	struct lidard_subscriber_page *page;
	struct subscription *s = subscribe(&page);
	struct subscription_account a;

	t.sensor->next_publish_index = 110;
	page->incarnation = 1;
	page->first_index = 10;
	page->next_index = 105;
	page->taken = 80;
	page->skipped[LIDARD_SKIP_POLICY] = 2;
	page->collecting = 13;
	a = account_of(s);
	cr_assert(a.holds);
	cr_assert_eq(a.collecting, 13);
	cr_assert_eq(a.waiting, 5);
}

Test(control, what_the_queue_cannot_hold_is_unseen)
{
	struct lidard_subscriber_page *page;
	struct subscription *s = subscribe(&page);
	struct subscription_account a;

	t.sensor->next_publish_index = 110;
	page->incarnation = 1;
	page->next_index = page->taken = 10;
	a = account_of(s);
	cr_assert(a.holds);
	cr_assert_eq(a.waiting, 8);
	cr_assert_eq(a.unseen, 92);
}

Test(control, a_reader_that_claims_more_than_was_published_violates)
{
	struct lidard_subscriber_page *page;
	struct subscription *s = subscribe(&page);

	t.sensor->next_publish_index = 10;
	page->incarnation = 1;
	page->next_index = page->taken = 11;
	cr_assert_not(account_of(s).holds);
}

Test(control, a_reader_whose_counters_do_not_add_up_violates)
{
	struct lidard_subscriber_page *page;
	struct subscription *s = subscribe(&page);

	t.sensor->next_publish_index = 100;
	page->incarnation = 1;
	page->next_index = 50;
	page->taken = 49;
	cr_assert_not(account_of(s).holds);
	page->skipped[LIDARD_SKIP_QUEUE_FULL] = UINT64_MAX;
	page->taken = 51;
	page->next_index = 50;
	page->first_index = UINT64_MAX - 5;
	cr_assert_not(account_of(s).holds);
}

Test(control, counters_that_overflow_to_the_right_sum_violate)
{
	struct lidard_subscriber_page *page;
	struct subscription *s = subscribe(&page);

	t.sensor->next_publish_index = 100;
	page->incarnation = 1;
	page->next_index = 50;
	page->taken = UINT64_MAX;
	page->skipped[LIDARD_SKIP_QUEUE_FULL] = 51;
	cr_assert_not(account_of(s).holds);
}

Test(control, a_reader_ahead_of_the_sensor_was_published_nothing)
{
	struct lidard_subscriber_page *page;
	struct subscription *s = subscribe(&page);

	t.sensor->next_publish_index = 100;
	page->incarnation = 1;
	page->first_index = page->next_index = 101;
	cr_assert_not(account_of(s).holds);
	cr_assert_eq(account_of(s).published, 0);
}

Test(control, a_replay_does_not_wait_for_a_dead_reader)
{
	struct lidard_subscriber_page *page;
	struct subscription *s = subscribe(&page);
	struct source_readers readers;

	page->connected = 1;
	subscriptions_get_readers(t.sensor, &readers);
	cr_assert_eq(readers.connected, 1);
	s->client->state = CLIENT_RECLAIMING;
	subscriptions_get_readers(t.sensor, &readers);
	cr_assert_eq(readers.connected, 0);
	cr_assert_eq(readers.room, UINT32_MAX);
}

Test(control, a_reader_in_the_middle_of_an_update_is_not_believed)
{
	struct lidard_subscriber_page *page, *copy;
	struct subscription *s = subscribe(&page);

	copy = malloc(sizeof(*copy));
	page->guard = 1;
	cr_assert_not(subscription_read_page(s, copy));
	page->guard = 2;
	cr_assert(subscription_read_page(s, copy));
	free(copy);
}

/* ---- clients that die ---- */

/*
 * A process that connects (SO_PEERCRED names it) and a child it forked, which
 * inherited the connection. Both wait to be killed.
 */
static pid_t fork_client(int *ret_fd, pid_t *ret_heir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), ready[2];
	pid_t pid, heir;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/child", t.dir);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int s = socket(AF_UNIX, SOCK_STREAM, 0);

		if (connect(s, (struct sockaddr *)&address, sizeof(address)) < 0)
			_exit(1);
		heir = fork();
		if (heir == 0 || write(ready[1], &heir, sizeof(heir)) == sizeof(heir))
			pause();
		_exit(1);
	}
	cr_assert_eq(read(ready[0], ret_heir, sizeof(*ret_heir)), sizeof(*ret_heir));
	*ret_fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	cr_assert_geq(*ret_fd, 0);
	close(listener);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* Let the loop run until the client list is as long as it should be. */
static int look_again(struct loop_timer *timer)
{
	struct client *c;

	LIST_FOREACH(c, &t.daemon.clients.clients, link)
		if (c->state == CLIENT_LIVE)
			return 0;
	return 1;
}

Test(control, a_dead_client_that_never_subscribed_needs_nothing_reclaimed)
{
	struct loop_timer timer = LOOP_TIMER_NULL;
	struct varlink *child;
	int child_fd;
	pid_t heir, pid = fork_client(&child_fd, &heir);

	cr_assert_eq(control_serve(t.daemon.control, child_fd, &child), 0);
	cr_assert_eq(varlink_feed(child, HELLO, sizeof(HELLO)), 0);
	cr_assert_eq(t.daemon.clients.count, 1);
	kill(pid, SIGKILL);
	cr_assert_eq(loop_timer_init(&t.loop, &timer, look_again), 0);
	loop_timer_set(&timer, 1000000, 1000000);
	cr_assert_eq(loop_run(&t.loop), 1);
	cr_assert_eq(t.daemon.clients.count, 0);
	loop_timer_deinit(&t.loop, &timer);
	waitpid(pid, NULL, 0);
	kill(heir, SIGKILL);
}

Test(control, a_dead_client_keeps_its_reservation_until_its_memory_is_free)
{
	struct loop_timer timer = LOOP_TIMER_NULL;
	struct varlink *child;
	char path[256];
	int child_fd;
	pid_t heir, pid = fork_client(&child_fd, &heir);

	cr_assert_eq(control_serve(t.daemon.control, child_fd, &child), 0);
	cr_assert_eq(varlink_feed(child, HELLO, sizeof(HELLO)), 0);
	cr_assert_eq(varlink_feed(child, SUBSCRIBE("front", 4, 2), sizeof(SUBSCRIBE("front", 4, 2))), 0);
	kill(pid, SIGKILL);
	cr_assert_eq(loop_timer_init(&t.loop, &timer, look_again), 0);
	loop_timer_set(&timer, 1000000, 1000000);
	cr_assert_eq(loop_run(&t.loop), 1);
	cr_assert_eq(t.sensor->reserved_slices, 6);
	/* what lidard-reclaim does when RouDi has freed it */
	snprintf(path, sizeof(path), "%s/dead/%s", t.dir, LIST_FIRST(&t.daemon.clients.clients)->name);
	cr_assert_eq(unlink(path), 0);
	while (t.sensor->reserved_slices)
		cr_assert_eq(loop_run(&t.loop), 1);
	loop_timer_deinit(&t.loop, &timer);
	waitpid(pid, NULL, 0);
	kill(heir, SIGKILL);
}
