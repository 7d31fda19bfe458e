/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that sensors share, and those of the service manager. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/udp_port.h"
#include "tests/support/udp_sensor.h"

#define BUDGET 1000

struct ear {
	struct udp_listener listener;
	unsigned int delivered;
	unsigned int woken;
	/** Becomes full with each. */
	bool hoards;
};

static struct udp_ports ports;
static struct udp_address here;
static struct udp_sensor sender;
static struct ear left, right;
static struct problem problem, notice;

static void deliver(struct udp_listener *l, const struct udp_datagram *d)
{
	struct ear *e = (struct ear *)l;

	e->delivered++;
	l->full = e->hoards;
}

static void wake(struct udp_listener *l)
{
	((struct ear *)l)->woken++;
}

static int try_listen(struct ear *e, const char *name, size_t buffer_bytes)
{
	struct udp_wish wish = {
		.name = name,
		.listen = here,
		.interface = "",
		.buffer_bytes = buffer_bytes,
	};

	e->listener.deliver = deliver;
	e->listener.wake = wake;
	return udp_ports_listen(&ports, &e->listener, &wish, &notice, &problem);
}

static void listen_or_fail(struct ear *e, const char *name)
{
	cr_assert_eq(try_listen(e, name, 4096), 0, "%s", problem.text);
}

static void set_up(void)
{
	here = udp_sensor_address(1, 7502);
	udp_sensor_open(&sender, &here, 0, &(struct ouster_capture_options){ 0 });
}

static void tear_down(void)
{
	udp_listener_leave(&left.listener);
	udp_listener_leave(&right.listener);
	cr_assert(LIST_EMPTY(&ports.ports));
	udp_ports_deinit(&ports);
	udp_sensor_close(&sender);
}

TestSuite(udp_port, .init = set_up, .fini = tear_down, .timeout = 60);

Test(udp_port, all_who_listen_at_an_address_get_all_that_comes)
{
	listen_or_fail(&left, "left");
	listen_or_fail(&right, "right");
	cr_assert_eq(udp_listener_get_fd(&left.listener), udp_listener_get_fd(&right.listener));
	udp_sensor_send(&sender, 20);
	cr_assert_eq(udp_listener_dispatch(&right.listener, BUDGET), 0);
	cr_assert_eq(left.delivered, 20);
	cr_assert_eq(right.delivered, 20);
}

Test(udp_port, nothing_is_dispatched_while_somebody_is_full)
{
	listen_or_fail(&left, "left");
	listen_or_fail(&right, "right");
	left.hoards = true;
	udp_sensor_send(&sender, 20);
	cr_assert_eq(udp_listener_dispatch(&right.listener, BUDGET), 1);
	cr_assert_eq(right.delivered, 1);
	cr_assert_eq(udp_listener_dispatch(&right.listener, BUDGET), 1);
	cr_assert_eq(right.delivered, 1);
	left.listener.full = left.hoards = false;
	cr_assert_eq(udp_listener_dispatch(&left.listener, BUDGET), 0);
	cr_assert_eq(right.delivered, 20);
}

Test(udp_port, who_leaves_while_full_wakes_the_others)
{
	listen_or_fail(&left, "left");
	listen_or_fail(&right, "right");
	left.hoards = true;
	udp_sensor_send(&sender, 3);
	cr_assert_eq(udp_listener_dispatch(&right.listener, BUDGET), 1);
	udp_listener_leave(&left.listener);
	cr_assert_eq(right.woken, 1);
	cr_assert_eq(udp_listener_dispatch(&right.listener, BUDGET), 0);
	cr_assert_eq(right.delivered, 3);
}

Test(udp_port, a_budget_is_kept)
{
	listen_or_fail(&left, "left");
	udp_sensor_send(&sender, 20);
	cr_assert_eq(udp_listener_dispatch(&left.listener, 7), 1);
	cr_assert_eq(left.delivered, 7);
	cr_assert_eq(udp_listener_dispatch(&left.listener, 7), 1);
	cr_assert_eq(udp_listener_dispatch(&left.listener, 7), 0);
	cr_assert_eq(left.delivered, 20);
}

Test(udp_port, what_was_dropped_before_one_came_does_not_concern_it)
{
	listen_or_fail(&left, "left");
	udp_sensor_send(&sender, 3000);
	listen_or_fail(&right, "right");
	cr_assert_gt(left.listener.dropped, 0);
	cr_assert_eq(right.listener.dropped, 0);
	cr_assert_eq(udp_listener_dispatch(&left.listener, 3001), 0);
	cr_assert_eq(left.listener.dropped + left.delivered, 3000);
	cr_assert_eq(right.listener.dropped, 0);
}

Test(udp_port, too_small_a_receive_buffer_is_told_with_the_cure)
{
	if (geteuid() == 0)
		cr_assert_eq(setresuid(65534, 65534, 65534), 0);
	cr_assert_eq(try_listen(&left, "left", 1 << 30), 0);
	cr_assert(strstr(notice.text, "net.core.rmem_max to 1073741824"), "%s", notice.text);
	cr_assert(strstr(notice.text, "ReceiveBuffer=1073741824"), "%s", notice.text);
	udp_listener_leave(&left.listener);
	listen_or_fail(&left, "left");
	cr_assert_str_eq(notice.text, "");
}

/* A socket as the service manager binds it. */
static int bind_socket(int type, int *ret_fd)
{
	struct sockaddr_in sa = udp_address_to_sockaddr(&here);

	*ret_fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return bind(*ret_fd, (struct sockaddr *)&sa, sizeof(sa));
}

Test(udp_port, a_socket_of_the_service_manager_is_found_by_name_each_time)
{
	int fd, i;

	cr_assert_eq(bind_socket(SOCK_DGRAM, &fd), 0);
	cr_assert_eq(udp_ports_inherit(&ports, fd, "left", &problem), 0, "%s", problem.text);
	for (i = 0; i < 3; i++) {
		/* what came while nobody listened is old */
		udp_sensor_send(&sender, 10);
		listen_or_fail(&left, "left");
		udp_sensor_send(&sender, 2);
		cr_assert_eq(udp_listener_dispatch(&left.listener, BUDGET), 0);
		cr_assert_eq(left.delivered, (unsigned int)(i + 1) * 2);
		udp_listener_leave(&left.listener);
	}
	/* it stays bound */
	cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

Test(udp_port, another_sensor_finds_it_by_address)
{
	int fd;

	cr_assert_eq(bind_socket(SOCK_DGRAM, &fd), 0);
	cr_assert_eq(udp_ports_inherit(&ports, fd, "left", &problem), 0);
	/* by itself it could not: the address is taken */
	listen_or_fail(&right, "right");
	listen_or_fail(&left, "left");
	udp_sensor_send(&sender, 1);
	cr_assert_eq(udp_listener_dispatch(&right.listener, BUDGET), 0);
	cr_assert_eq(left.delivered + right.delivered, 2);
}

Test(udp_port, a_socket_bound_elsewhere_than_the_configuration_says_is_a_mistake)
{
	char bound[UDP_ADDRESS_TEXT_MAX];
	int fd;

	cr_assert_eq(bind_socket(SOCK_DGRAM, &fd), 0);
	cr_assert_eq(udp_ports_inherit(&ports, fd, "left", &problem), 0);
	udp_address_format(&here, bound);
	here.port++;
	cr_assert_eq(try_listen(&left, "left", 4096), -EINVAL);
	cr_assert(strstr(problem.text, bound) && strstr(problem.text, ":7503"), "%s", problem.text);
}

static void refuse(int fd, const char *says)
{
	cr_assert_lt(udp_ports_inherit(&ports, fd, "left", &problem), 0);
	cr_assert(strstr(problem.text, says), "%s", problem.text);
	/* taken all the same */
	cr_assert_eq(fcntl(fd, F_GETFD), -1);
}

Test(udp_port, what_is_no_bound_udp_socket_is_refused)
{
	int fd;

	refuse(open("/dev/null", O_RDONLY | O_CLOEXEC), "ListenDatagram=");
	refuse(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "ListenDatagram=");
	refuse(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "ListenDatagram=");
	cr_assert_eq(bind_socket(SOCK_STREAM, &fd), 0);
	refuse(fd, "ListenDatagram=");
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		refuse(fd, "IPv4");
}

Test(udp_port, no_more_sockets_are_taken_than_there_can_be_sensors)
{
	unsigned int i;
	int fd;

	for (i = 0; i < LIDARD_SENSORS_MAX; i++) {
		cr_assert_eq(bind_socket(SOCK_DGRAM, &fd), 0);
		cr_assert_eq(udp_ports_inherit(&ports, fd, "x", &problem), 0, "%s", problem.text);
		here.port++;
	}
	cr_assert_eq(bind_socket(SOCK_DGRAM, &fd), 0);
	refuse(fd, "one too many");
}
