/* SPDX-License-Identifier: Apache-2.0 */
/* vhost_user.c - see vhost_user.h */
#include "tests/vm/vhost_user.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Protocol features are offered though there are none: without, QEMU 7.2 takes no memory. */
#define FEATURES                                                                     \
	(1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_INDIRECT_DESC |          \
	 1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VHOST_USER_F_PROTOCOL_FEATURES)
#define VHOST_USER_F_PROTOCOL_FEATURES 30
#define PROTOCOL_FEATURES 0

enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	SET_VRING_ENABLE = 18,
};

#define MESSAGE_VERSION 1u
#define MESSAGE_VERSION_MASK 3u
#define MESSAGE_REPLY (1u << 2)
/* of the u64 that comes with an fd */
#define VRING_INDEX_MASK 0xffu
#define VRING_NO_FD (1u << 8)

struct memory_table {
	uint32_t count;
	uint32_t padding;
	struct {
		uint64_t guest, bytes, user, offset;
	} regions[GUEST_REGIONS];
};

struct vring_state {
	uint32_t index, value;
};

struct vring_addresses {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct message {
	struct {
		uint32_t request, flags, bytes;
	} head;
	union {
		uint64_t value;
		struct memory_table table;
		struct vring_state state;
		struct vring_addresses addresses;
	} body;
	int fds[GUEST_REGIONS]; /* owned */
	unsigned int fd_count;
};

static void close_fds(struct message *m)
{
	while (m->fd_count)
		close_fd(m->fds[--m->fd_count]);
}

static int read_all(int fd, void *to, size_t bytes)
{
	ssize_t n = recv(fd, to, bytes, MSG_WAITALL);

	if (n < 0)
		return -errno;
	return (size_t)n == bytes ? 1 : -EPROTO;
}

static void keep_fds(struct msghdr *header, struct message *m)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		m->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(m->fds, CMSG_DATA(c), m->fd_count * sizeof(int));
	}
}

/* Return: 1 and a message whose fds are the caller's, 0 at the end, -errno. */
static int receive(int fd, struct message *m)
{
	union {
		char bytes[CMSG_SPACE(sizeof(m->fds))];
		struct cmsghdr align;
	} control;
	struct iovec part = {&m->head, sizeof(m->head)};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	ssize_t n;

	memset(m, 0, sizeof(*m));
	n = recvmsg(fd, &header, MSG_WAITALL | MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	keep_fds(&header, m);
	if (n != sizeof(m->head) || header.msg_flags & MSG_CTRUNC ||
	    (m->head.flags & MESSAGE_VERSION_MASK) != MESSAGE_VERSION ||
	    m->head.bytes > sizeof(m->body)) {
		close_fds(m);
		return -EPROTO;
	}
	return m->head.bytes ? read_all(fd, &m->body, m->head.bytes) : 1;
}

static int reply(int fd, struct message *m, uint32_t bytes)
{
	m->head.flags = MESSAGE_VERSION | MESSAGE_REPLY;
	m->head.bytes = bytes;
	if (send(fd, &m->head, sizeof(m->head), MSG_NOSIGNAL | MSG_MORE) < 0 ||
	    send(fd, &m->body, bytes, MSG_NOSIGNAL) < 0)
		return -errno;
	return 1;
}

static int set_memory(struct vhost_user *v, struct message *m)
{
	const struct memory_table *t = &m->body.table;
	unsigned int i;
	int r;

	if (t->count > GUEST_REGIONS || t->count != m->fd_count)
		return -EPROTO;
	guest_memory_clear(&v->memory);
	for (i = 0; i < t->count; i++) {
		r = guest_memory_add(&v->memory, t->regions[i].guest, t->regions[i].user,
				     t->regions[i].bytes, t->regions[i].offset, m->fds[i]);
		if (r < 0)
			return r;
	}
	if (v->running)
		device_queue_map(&v->queue);
	return 1;
}

static int set_entries(struct vhost_user *v, uint32_t entries)
{
	if (!entries || entries > QUEUE_ENTRIES_MAX || entries & (entries - 1) || v->running)
		return -EPROTO;
	v->queue.entries = entries;
	return 1;
}

static int set_addresses(struct vhost_user *v, const struct vring_addresses *a)
{
	v->queue.desc_user = a->desc;
	v->queue.avail_user = a->avail;
	v->queue.used_user = a->used;
	if (v->running)
		device_queue_map(&v->queue);
	return 1;
}

static int start(struct vhost_user *v)
{
	struct device_queue *q = &v->queue;

	if (!q->entries)
		return -EPROTO;
	q->has_event_index = v->features & 1ull << VIRTIO_RING_F_EVENT_IDX;
	q->broken = false;
	q->untold = 0;
	v->running = true;
	v->starts++;
	if (device_queue_map(q) == 0)
		q->next_used = q->used[1];
	return 1;
}

static void stop(struct vhost_user *v)
{
	v->running = false;
	v->kick_fd = close_fd(v->kick_fd);
	v->queue.call_fd = close_fd(v->queue.call_fd);
}

/* An fd that came with the number of a queue. */
static int take_fd(struct message *m, int *fd)
{
	bool has_fd = !(m->body.value & VRING_NO_FD);

	if (m->fd_count != has_fd)
		return -EPROTO;
	close_fd(*fd);
	*fd = has_fd ? m->fds[0] : -1;
	m->fd_count = 0;
	return 1;
}

static int set_kick(struct vhost_user *v, struct message *m)
{
	int r = take_fd(m, &v->kick_fd);

	return r < 0 || v->running ? r : start(v);
}

static int get_base(struct vhost_user *v, struct message *m)
{
	stop(v);
	m->body.state.value = v->queue.next_avail;
	return reply(v->fd, m, sizeof(m->body.state));
}

static int reply_value(struct vhost_user *v, struct message *m, uint64_t value)
{
	m->body.value = value;
	return reply(v->fd, m, sizeof(m->body.value));
}

/* Return: the message is about a queue other than the first, which no guest uses. */
static bool is_of_other_queue(const struct message *m)
{
	switch (m->head.request) {
	case SET_VRING_NUM:
	case SET_VRING_BASE:
	case GET_VRING_BASE:
	case SET_VRING_ENABLE:
		return m->body.state.index != 0;
	case SET_VRING_ADDR:
		return m->body.addresses.index != 0;
	case SET_VRING_KICK:
	case SET_VRING_CALL:
	case SET_VRING_ERR:
		return m->body.value & VRING_INDEX_MASK;
	default:
		return false;
	}
}

static int obey(struct vhost_user *v, struct message *m)
{
	if (is_of_other_queue(m))
		return m->head.request == GET_VRING_BASE ? reply(v->fd, m, sizeof(m->body.state)) : 1;
	switch (m->head.request) {
	case GET_FEATURES:
		return reply_value(v, m, FEATURES);
	case GET_PROTOCOL_FEATURES:
		return reply_value(v, m, PROTOCOL_FEATURES);
	case SET_FEATURES:
		v->features = m->body.value;
		return 1;
	case SET_OWNER:
	case RESET_OWNER:
	case SET_VRING_ERR:
	case SET_PROTOCOL_FEATURES:
	case SET_VRING_ENABLE:
		return 1;
	case SET_MEM_TABLE:
		return set_memory(v, m);
	case SET_VRING_NUM:
		return set_entries(v, m->body.state.value);
	case SET_VRING_ADDR:
		return set_addresses(v, &m->body.addresses);
	case SET_VRING_BASE:
		v->queue.next_avail = m->body.state.value;
		return 1;
	case GET_VRING_BASE:
		return get_base(v, m);
	case SET_VRING_KICK:
		return set_kick(v, m);
	case SET_VRING_CALL:
		return take_fd(m, &v->queue.call_fd);
	default:
		return -EPROTO;
	}
}

int vhost_user_handle(struct vhost_user *v)
{
	struct message m;
	int r = receive(v->fd, &m);

	if (r > 0)
		r = obey(v, &m);
	close_fds(&m);
	return r;
}

void vhost_user_init(struct vhost_user *v, int fd)
{
	*v = (struct vhost_user){.fd = fd, .kick_fd = -1, .queue.call_fd = -1};
	v->queue.memory = &v->memory;
}

void vhost_user_deinit(struct vhost_user *v)
{
	stop(v);
	guest_memory_clear(&v->memory);
	v->fd = close_fd(v->fd);
}
