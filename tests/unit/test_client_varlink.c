/* SPDX-License-Identifier: Apache-2.0 */
#include "libclient/varlink.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "lidard/control.h"

static struct varlink varlink;
static int peer;

static void setup(void)
{
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	varlink.fd = fds[0];
	peer = fds[1];
}

static void teardown(void)
{
	varlink_close(&varlink);
	close(peer);
}

TestSuite(client_varlink, .init = setup, .fini = teardown);

static void answer(const char *data, size_t bytes)
{
	cr_assert_eq(send(peer, data, bytes, 0), (ssize_t)bytes);
}

static void answer_with_fds(const char *text, int count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (char *)text, .iov_len = strlen(text) + 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int i, fd = memfd_create("sent", MFD_CLOEXEC);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	for (i = 0; i < count; i++)
		memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &fd, sizeof(int));
	cr_assert_eq(sendmsg(peer, &msg, 0), (ssize_t)iov.iov_len);
	close(fd);
}

static int call(struct varlink_reply *reply)
{
	return varlink_call(&varlink, "io.lidard.Test", NULL, clock_now_ns() + 50 * NSEC_PER_MSEC,
			    reply);
}

static int call_answered(const char *text)
{
	struct varlink_reply reply;
	int r;

	answer(text, strlen(text) + 1);
	r = call(&reply);
	if (r == 0)
		varlink_reply_deinit(&reply);
	return r;
}

Test(client_varlink, sends_an_object_ended_by_nul)
{
	struct json_object *p = json_object_new_object();
	struct varlink_reply reply;
	char text[200] = "";

	json_object_object_add(p, "a", json_object_new_int(1));
	answer("{}", 3);
	cr_assert_eq(varlink_call(&varlink, "io.lidard.Test", p, clock_now_ns() + NSEC_PER_SEC,
				  &reply), 0);
	cr_assert_gt(recv(peer, text, sizeof(text), 0), 0);
	cr_assert_str_eq(text, "{\"method\":\"io.lidard.Test\",\"parameters\":{\"a\":1}}");
	cr_assert_null(reply.error);
	cr_assert_eq(json_object_object_length(reply.parameters), 0);
	cr_assert_eq(reply.fd, -1);
	varlink_reply_deinit(&reply);
	json_object_put(p);
}

Test(client_varlink, reads_an_error_with_its_parameters)
{
	static const char text[] =
		"{\"error\":\"io.lidard.NoSuchSensor\",\"parameters\":{\"sensor\":\"x\"}}";
	struct varlink_reply reply;

	answer(text, sizeof(text));
	cr_assert_eq(call(&reply), 0);
	cr_assert_str_eq(reply.error, LIDARD_ERROR_NO_SENSOR);
	cr_assert_str_eq(varlink_get_string(reply.parameters, "sensor"), "x");
	varlink_reply_deinit(&reply);
}

Test(client_varlink, receives_one_fd_and_closes_more)
{
	struct varlink_reply reply;
	int before = dup(0), after;

	close(before);
	answer_with_fds("{}", 3);
	cr_assert_eq(call(&reply), 0);
	cr_assert_geq(reply.fd, 0);
	varlink_reply_deinit(&reply);
	after = dup(0);
	cr_assert_eq(before, after, "an fd was leaked");
}

Test(client_varlink, more_fds_than_there_is_room_for_are_an_error)
{
	struct varlink_reply reply;
	int before = dup(0), after;

	close(before);
	answer_with_fds("{}", 8);
	cr_assert_eq(call(&reply), -EPROTO);
	after = dup(0);
	cr_assert_eq(before, after, "an fd was leaked");
}

Test(client_varlink, refuses_what_is_not_a_reply)
{
	static const char *const texts[] = {
		"", "null", "[]", "1", "{\"parameters\":[]}", "{\"error\":1}", "{}x", "{\"a\":",
		"{\"continues\":true}", "{} {}",
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		teardown();
		setup();
		cr_assert_eq(call_answered(texts[i]), -EPROTO, "%s", texts[i]);
	}
}

Test(client_varlink, refuses_deep_nesting)
{
	char text[512] = "{\"parameters\":";
	int i;

	for (i = 0; i < 100; i++)
		strcat(text, "[");
	for (i = 0; i < 100; i++)
		strcat(text, "]");
	strcat(text, "}");
	cr_assert_eq(call_answered(text), -EPROTO);
}

Test(client_varlink, refuses_a_second_message)
{
	struct varlink_reply reply;

	answer("{}\0{}", 6);
	cr_assert_eq(call(&reply), -EPROTO);
}

static void *flood(void *arg)
{
	char chunk[4096];
	int i;

	memset(chunk, ' ', sizeof(chunk));
	for (i = 0; i < 1024; i++)
		while (send(peer, chunk, sizeof(chunk), MSG_NOSIGNAL) < 0 && errno == EAGAIN)
			usleep(100);
	return NULL;
}

Test(client_varlink, refuses_a_message_without_end)
{
	struct varlink_reply reply;
	pthread_t thread;

	pthread_create(&thread, NULL, flood, NULL);
	cr_assert_eq(varlink_call(&varlink, "m", NULL, clock_now_ns() + 10 * NSEC_PER_SEC, &reply),
		     -EPROTO);
	varlink_close(&varlink);
	pthread_join(thread, NULL);
}

Test(client_varlink, gives_up_at_the_deadline)
{
	struct varlink_reply reply;
	uint64_t before = clock_now_ns();

	answer("{", 1);
	cr_assert_eq(call(&reply), -ETIMEDOUT);
	cr_assert_geq(clock_now_ns() - before, 50 * NSEC_PER_MSEC);
}

Test(client_varlink, a_hang_up_is_not_connected)
{
	struct varlink_reply reply;

	cr_assert_not(varlink_is_broken(&varlink));
	shutdown(peer, SHUT_RDWR);
	cr_assert(varlink_is_broken(&varlink));
	cr_assert_eq(call(&reply), -ENOTCONN);
}

Test(client_varlink, talking_out_of_turn_breaks_it)
{
	answer("{}", 3);
	cr_assert(varlink_is_broken(&varlink));
}

Test(client_varlink, a_path_that_is_too_long)
{
	char path[200];
	struct varlink v = { .fd = -1 };

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	cr_assert_eq(varlink_open(&v, path, clock_now_ns() + NSEC_PER_SEC), -ENAMETOOLONG);
	cr_assert_eq(varlink_open(&v, "/nonexistent/x", clock_now_ns() + NSEC_PER_SEC), -ENOENT);
}

Test(client_varlink, numbers_are_checked)
{
	struct json_object *o = json_tokener_parse(
		"{\"a\":5,\"b\":-1,\"c\":1.5,\"d\":\"5\",\"e\":99999999999999999999999}");
	uint64_t v = 0;

	cr_assert_eq(varlink_get_u64(o, "a", 5, &v), 0);
	cr_assert_eq(v, 5);
	cr_assert_eq(varlink_get_u64(o, "a", 4, &v), -EPROTO);
	cr_assert_eq(varlink_get_u64(o, "b", 9, &v), -EPROTO);
	cr_assert_eq(varlink_get_u64(o, "c", 9, &v), -EPROTO);
	cr_assert_eq(varlink_get_u64(o, "d", 9, &v), -EPROTO);
	cr_assert_eq(varlink_get_u64(o, "e", 9, &v), -EPROTO);
	cr_assert_eq(varlink_get_u64(o, "f", 9, &v), -EPROTO);
	json_object_put(o);
}
