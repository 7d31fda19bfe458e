/* SPDX-License-Identifier: Apache-2.0 */
/* The control interface, as docs/control.md describes it. */
#include "daemon/control.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/varlink.h"
#include "tests/support/test_daemon.h"

static struct test_daemon t;
static struct varlink *v;
static int fd;

static void begin(void)
{
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

#define HELLO "{\"method\":\"io.lidard.Hello\",\"parameters\":{\"version\":1,\"program\":\"t\",\"runtime_name\":\"\"}}"
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

Test(control, another_version_is_refused)
{
	expect_error("{\"method\":\"io.lidard.Hello\",\"parameters\":{\"version\":2,\"program\":\"t\","
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
