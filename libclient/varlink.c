/* SPDX-License-Identifier: Apache-2.0 */
/* varlink.c - see varlink.h */
#include "libclient/varlink.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lidard/control.h"

/* lidard nests five deep. */
#define DEPTH_MAX 16
#define READ_BYTES 4096u

static int wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	uint64_t now = clock_now_ns();
	struct timespec ts;
	int r;

	if (now >= deadline_ns)
		return -ETIMEDOUT;
	ts = clock_to_timespec(deadline_ns - now);
	r = ppoll(&pfd, 1, &ts, NULL);
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	return r == 0 ? -ETIMEDOUT : 0;
}

int varlink_open(struct varlink *v, const char *path, uint64_t deadline_ns)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timespec pause = { .tv_nsec = 5 * NSEC_PER_MSEC };
	CLEANUP(cleanup_fd) int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		/* EAGAIN: the backlog is full, and nothing to poll for tells when it is not */
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	v->fd = steal_fd(&fd);
	return 0;
}

void varlink_close(struct varlink *v)
{
	v->fd = close_fd(v->fd);
}

bool varlink_is_broken(const struct varlink *v)
{
	char c;

	/* between calls nothing may arrive: neither an end nor data */
	return recv(v->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != EINTR);
}

static int gone(int error)
{
	return error == EPIPE || error == ECONNRESET ? -ENOTCONN : -error;
}

static int send_all(int fd, const char *data, size_t bytes, uint64_t deadline_ns)
{
	ssize_t n;
	int r;

	while (bytes > 0) {
		n = send(fd, data, bytes, MSG_NOSIGNAL);
		if (n >= 0) {
			data += n;
			bytes -= (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return gone(errno);
		r = wait_for(fd, POLLOUT, deadline_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Keep the first fd, close any other. Return: 0; -EPROTO some were cut off. */
static int keep_fd(struct msghdr *msg, int *fd)
{
	struct cmsghdr *c;
	size_t i, count;
	int got;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (*fd < 0)
				*fd = got;
			else
				close_fd(got);
		}
	}
	return msg->msg_flags & MSG_CTRUNC ? -EPROTO : 0;
}

/* Return: bytes; 0 the end; -errno. */
static ssize_t receive_some(int fd, char *data, size_t size, int *ret_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;
	int r;

	n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return gone(errno);
	r = keep_fd(&msg, ret_fd);
	return r < 0 ? r : n;
}

/* Read up to and including the NUL byte, which must be the last byte there is. */
static int receive_message(int fd, uint64_t deadline_ns, char **ret_text, int *ret_fd)
{
	CLEANUP(cleanup_free) char *text = NULL;
	size_t used = 0, size = 0;
	char *grown, *end;
	ssize_t n;
	int r;

	for (;;) {
		if (used == size) {
			if (size >= LIDARD_CONTROL_MESSAGE_MAX)
				return -EPROTO;
			size = size ? size * 2 : READ_BYTES;
			grown = realloc(text, size);
			if (!grown)
				return -ENOMEM;
			text = grown;
		}
		n = receive_some(fd, text + used, size - used, ret_fd);
		if (n == -EAGAIN || n == -EINTR) {
			r = wait_for(fd, POLLIN, deadline_ns);
			if (r < 0)
				return r;
			continue;
		}
		if (n <= 0)
			return n < 0 ? (int)n : -ENOTCONN;
		end = memchr(text + used, '\0', (size_t)n);
		used += (size_t)n;
		if (!end)
			continue;
		if (end != text + used - 1)
			return -EPROTO;
		*ret_text = STEAL(text);
		return 0;
	}
}

static struct json_object *parse(const char *text)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *object;

	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	/* with the NUL, so that a bare number would be complete too */
	object = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
	if (json_tokener_get_error(tokener) != json_tokener_success) {
		json_object_put(object);
		object = NULL;
	}
	json_tokener_free(tokener);
	return object;
}

static int read_reply(const char *text, struct varlink_reply *reply)
{
	struct json_object *member;

	reply->message = parse(text);
	if (!json_object_is_type(reply->message, json_type_object))
		return -EPROTO;
	if (json_object_object_get_ex(reply->message, "error", &member)) {
		if (!json_object_is_type(member, json_type_string))
			return -EPROTO;
		reply->error = json_object_get_string(member);
	}
	if (json_object_object_get_ex(reply->message, "continues", &member) &&
	    json_object_get_boolean(member))
		return -EPROTO;
	if (!json_object_object_get_ex(reply->message, "parameters", &reply->parameters)) {
		reply->parameters = json_object_new_object();
		if (!reply->parameters)
			return -ENOMEM;
		json_object_object_add(reply->message, "parameters", reply->parameters);
	}
	return json_object_is_type(reply->parameters, json_type_object) ? 0 : -EPROTO;
}

static int send_call(struct varlink *v, const char *method, struct json_object *parameters,
		     uint64_t deadline_ns)
{
	struct json_object *call = json_object_new_object();
	const char *text;
	size_t bytes;
	int r;

	if (!call)
		return -ENOMEM;
	json_object_object_add(call, "method", json_object_new_string(method));
	if (parameters)
		json_object_object_add(call, "parameters", json_object_get(parameters));
	text = json_object_to_json_string_ext(call, JSON_C_TO_STRING_PLAIN);
	bytes = text ? strlen(text) + 1 : 0;
	if (!text)
		r = -ENOMEM;
	else if (bytes > LIDARD_CONTROL_MESSAGE_MAX)
		r = -EMSGSIZE;
	else
		r = send_all(v->fd, text, bytes, deadline_ns);
	json_object_put(call);
	return r;
}

int varlink_call(struct varlink *v, const char *method, struct json_object *parameters,
		 uint64_t deadline_ns, struct varlink_reply *ret_reply)
{
	struct varlink_reply reply = { .fd = -1 };
	CLEANUP(cleanup_free) char *text = NULL;
	int r;

	if (v->fd < 0)
		return -ENOTCONN;
	r = send_call(v, method, parameters, deadline_ns);
	if (r < 0)
		return r;
	r = receive_message(v->fd, deadline_ns, &text, &reply.fd);
	if (r == 0)
		r = read_reply(text, &reply);
	if (r < 0) {
		varlink_reply_deinit(&reply);
		return r;
	}
	*ret_reply = reply;
	return 0;
}

void varlink_reply_deinit(struct varlink_reply *reply)
{
	json_object_put(reply->message);
	reply->message = NULL;
	reply->error = NULL;
	reply->parameters = NULL;
	reply->fd = close_fd(reply->fd);
}

const char *varlink_get_string(struct json_object *object, const char *key)
{
	struct json_object *member;

	if (!json_object_object_get_ex(object, key, &member) ||
	    !json_object_is_type(member, json_type_string))
		return NULL;
	return json_object_get_string(member);
}

int varlink_get_u64(struct json_object *object, const char *key, uint64_t max, uint64_t *ret_value)
{
	struct json_object *member;
	int64_t value;

	if (!json_object_object_get_ex(object, key, &member) ||
	    !json_object_is_type(member, json_type_int))
		return -EPROTO;
	value = json_object_get_int64(member);
	if (value < 0 || (uint64_t)value > max)
		return -EPROTO;
	*ret_value = (uint64_t)value;
	return 0;
}
