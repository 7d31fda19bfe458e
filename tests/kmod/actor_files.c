/* SPDX-License-Identifier: Apache-2.0 */
/* actor_files.c - what an actor does with files */
#include "tests/kmod/actor_moves.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

int actor_open_any_device(struct actor *a)
{
	static const int modes[] = {O_RDWR, O_RDWR, O_RDWR, O_RDWR, O_RDWR, O_RDWR, O_RDONLY, O_WRONLY};
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/lidar%u", below(a, a->stage->devices));
	actor_begin_failing(a);
	fd = open(path, ONE_OF(a, modes) | O_CLOEXEC | (one_in(a, 3) ? O_NONBLOCK : 0));
	actor_end_failing(a);
	return fd;
}

void move_open_device(struct actor *a)
{
	actor_keep_file(a, actor_open_any_device(a));
}

void move_close_file(struct actor *a)
{
	int *file = actor_any_file(a);

	if (*file >= 0)
		close(*file);
	*file = -1;
}

void move_duplicate(struct actor *a)
{
	actor_keep_file(a, fcntl(actor_open_file(a), F_DUPFD_CLOEXEC, 3));
}

void move_pass_on(struct actor *a)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS}};
	struct iovec byte = {.iov_base = &(char){0}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int fd = actor_open_file(a);

	if (one_in(a, 2) && fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		sendmsg(a->stage->mailbox[0], &message, MSG_DONTWAIT);
	} else if (recvmsg(a->stage->mailbox[1], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0 &&
		   message.msg_controllen == sizeof(control)) {
		memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
		actor_keep_file(a, fd);
	}
}

void move_read_file(struct actor *a)
{
	static const size_t sizes[] = {0, 1, 100, 4096, 10000, 65536, 1 << 20};
	static char buffer[1 << 20]; /* nobody looks at it */
	struct iovec v[3] = {{buffer, ONE_OF(a, sizes)},
			     {actor_somewhere(a, buffer), ONE_OF(a, sizes)},
			     {buffer, ONE_OF(a, sizes)}};
	int fd = actor_ring_file(a);
	ssize_t got;

	actor_begin_failing(a);
	switch (below(a, 5)) {
	case 0: got = readv(fd, v, 3); break;
	case 1: got = preadv2(fd, v, 1, -1, (int)below(a, 64)); break;
	case 2: got = pread(fd, buffer, v->iov_len, (off_t)any(a)); break;
	default: got = read(fd, one_in(a, 16) ? actor_somewhere(a, buffer) : buffer, v->iov_len); break;
	}
	actor_end_failing(a);
	a->place->worked[a->place->action] += got > 0;
}

void move_wait_for_it(struct actor *a)
{
	struct pollfd p[ACTOR_FILES];
	struct timespec most = {.tv_nsec = below(a, 3000000)};
	struct epoll_event event = {.events = EPOLLIN | EPOLLPRI | (one_in(a, 2) ? EPOLLET : 0)};
	unsigned int i;
	int fd;

	actor_begin_failing(a);
	if (one_in(a, 2)) {
		for (i = 0; i < ACTOR_FILES; i++)
			p[i] = (struct pollfd){.fd = a->files[i], .events = (short)any(a)};
		ppoll(p, ACTOR_FILES, &most, NULL);
	} else {
		fd = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(fd, EPOLL_CTL_ADD, actor_open_file(a), &event);
		epoll_wait(fd, &event, 1, (int)below(a, 3));
		if (fd >= 0)
			close(fd);
	}
	actor_end_failing(a);
}

void move_misuse_file(struct actor *a)
{
	struct dma_buf_sync sync = {.flags = one_in(a, 4) ? any(a) : below(a, 8)};
	int fd = actor_open_file(a), pipes[2];

	actor_begin_failing(a);
	switch (below(a, 12)) {
	case 0: lseek(fd, (off_t)any(a), (int)below(a, 3)); break;
	case 1: if (write(fd, &sync, sizeof(sync)) < 0) break; break;
	case 2: fcntl(fd, F_SETFL, one_in(a, 2) ? O_NONBLOCK : 0); break;
	case 3: fcntl(fd, F_SETFL, O_ASYNC | O_DIRECT); break;
	case 4: if (ftruncate(fd, below(a, 10000)) < 0) break; break;
	case 5: fsync(fd); break;
	case 6: fallocate(fd, 0, 0, 4096); break;
	case 7:
		if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
			break;
		splice(fd, NULL, pipes[1], NULL, 4096, SPLICE_F_NONBLOCK);
		sendfile(pipes[1], fd, NULL, 4096);
		close(pipes[0]);
		close(pipes[1]);
		break;
	case 8: ioctl(fd, DMA_BUF_SET_NAME, "an actor's"); break;
	default: ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync); break;
	}
	actor_end_failing(a);
}

/* kmod/tests/lidar_import.c, if it is loaded: its calls take numbers. */
void move_import(struct actor *a)
{
	int ret;

	if (one_in(a, 8))
		actor_keep_file(a, open("/dev/lidar_import", O_RDWR | O_CLOEXEC));
	actor_begin_failing(a);
	ret = ioctl(actor_open_file(a), _IO(0xdd, below(a, 10)),
		    one_in(a, 3) ? actor_open_file(a) : (int)below(a, 5));
	actor_end_failing(a);
	a->place->worked[a->place->action] += ret >= 0;
}
