/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-child.c - see lidar-compliance-child.h */
#include "tools/lidar-compliance-child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct child child_fork(const struct trial *trial)
{
	struct child child;
	int pair[2];

	trial_require(trial, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0,
		      "socketpair: %s", strerror(errno));
	child.pid = fork();
	trial_require(trial, child.pid >= 0, "fork: %s", strerror(errno));
	child.socket = pair[child.pid == 0];
	close(pair[child.pid != 0]);
	return child;
}

void child_wait(const struct trial *trial, pid_t pid)
{
	int status;

	trial_require(trial, waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
	trial_require(trial, !WIFSIGNALED(status), "a process of the check was killed by signal %d",
		      WTERMSIG(status));
	/* it has said itself what was wrong */
	if (WEXITSTATUS(status))
		_exit(1);
}

void child_kill(const struct trial *trial, pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	trial_require(trial, waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
	if (WIFEXITED(status))
		_exit(1);
}

void child_send(const struct trial *trial, const struct child *child, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {};
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	trial_require(trial, sendmsg(child->socket, &message, 0) == 1, "sendmsg: %s",
		      strerror(errno));
}

int child_receive(const struct trial *trial, const struct child *child)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {};
	char byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *header;
	int fd;

	trial_require(trial, recvmsg(child->socket, &message, MSG_CMSG_CLOEXEC) == 1,
		      "recvmsg: the other process has ended");
	header = CMSG_FIRSTHDR(&message);
	trial_require(trial, header && header->cmsg_type == SCM_RIGHTS, "no file came");
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

void child_tell(const struct trial *trial, const struct child *child)
{
	char byte = 0;

	trial_require(trial, send(child->socket, &byte, 1, MSG_NOSIGNAL) == 1, "send: %s",
		      strerror(errno));
}

void child_await(const struct trial *trial, const struct child *child)
{
	char byte;

	trial_require(trial, recv(child->socket, &byte, 1, 0) == 1,
		      "recv: the other process has ended");
}
