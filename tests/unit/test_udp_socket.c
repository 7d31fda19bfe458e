/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/udp_socket.h"
#include "tests/support/udp_sensor.h"

static struct udp_address here;
static struct udp_socket *receiver;
static struct udp_sensor sender;
static struct problem problem;

static void open_or_fail(size_t room_bytes)
{
	cr_assert_eq(udp_socket_open(&here, room_bytes, &receiver, &problem), 0, "%s", problem.text);
}

static void set_up(void)
{
	here = udp_sensor_address(1, 7502);
	udp_sensor_open(&sender, &here, udp_sensor_address(2, 0).address,
			&(struct ouster_capture_options){ 0 });
}

static void tear_down(void)
{
	udp_sensor_close(&sender);
	receiver = udp_socket_free(receiver);
}

TestSuite(udp_socket, .init = set_up, .fini = tear_down, .timeout = 60);

/* The kernel switches stamps on in its own time. */
static void wait_for_stamps(void)
{
	uint64_t sent_ns;
	int i;

	for (i = 0; i < 200; i++) {
		udp_sensor_send_bytes(&sender, "", 0);
		sent_ns = clock_now_ns();
		usleep(20000);
		cr_assert_eq(udp_socket_receive(receiver), 1);
		if (udp_socket_get(receiver, 0)->arrival_ns < sent_ns + 10 * NSEC_PER_MSEC)
			return;
	}
	cr_assert_fail("no stamps");
}

Test(udp_socket, a_datagram_comes_with_its_sender_and_its_time)
{
	const struct udp_datagram *d;
	uint64_t before_ns, after_ns;
	int64_t utc_ahead_ns = (int64_t)(clock_read_ns(CLOCK_REALTIME) - clock_now_ns());

	open_or_fail(UDP_DATAGRAM_BYTES_MAX);
	cr_assert_eq(udp_socket_receive(receiver), 0);
	wait_for_stamps();
	before_ns = clock_now_ns();
	udp_sensor_send_bytes(&sender, "point", 5);
	after_ns = clock_now_ns();
	usleep(50000);
	cr_assert_eq(udp_socket_receive(receiver), 1);
	d = udp_socket_get(receiver, 0);
	cr_assert_eq(d->bytes, 5);
	cr_assert_eq(memcmp(d->data, "point", 5), 0);
	cr_assert_eq(d->source.address, udp_sensor_address(2, 0).address);
	cr_assert_not(d->truncated);
	/* as it came, not as it was read; the two clocks are read one after the other */
	cr_assert_geq(d->arrival_ns, before_ns);
	cr_assert_leq(d->arrival_ns, after_ns + 10 * NSEC_PER_MSEC);
	/* the same moment by both clocks */
	cr_assert_leq(llabs((int64_t)(d->realtime_ns - d->arrival_ns) - utc_ahead_ns),
		      10 * (long long)NSEC_PER_MSEC);
}

Test(udp_socket, the_largest_datagram_fits_and_a_longer_one_than_its_room_is_truncated)
{
	static uint8_t data[UDP_DATAGRAM_BYTES_MAX] = { [UDP_DATAGRAM_BYTES_MAX - 1] = 7 };

	open_or_fail(UDP_DATAGRAM_BYTES_MAX);
	udp_sensor_send_bytes(&sender, data, sizeof(data));
	cr_assert_eq(udp_socket_receive(receiver), 1);
	cr_assert_eq(udp_socket_get(receiver, 0)->bytes, sizeof(data));
	cr_assert_eq(udp_socket_get(receiver, 0)->data[sizeof(data) - 1], 7);
	cr_assert_not(udp_socket_get(receiver, 0)->truncated);
	receiver = udp_socket_free(receiver);
	open_or_fail(100);
	udp_sensor_send_bytes(&sender, data, 100);
	udp_sensor_send_bytes(&sender, data, 101);
	cr_assert_eq(udp_socket_receive(receiver), 2);
	cr_assert_not(udp_socket_get(receiver, 0)->truncated);
	cr_assert(udp_socket_get(receiver, 1)->truncated);
	cr_assert_eq(udp_socket_get(receiver, 1)->bytes, 100);
}

static unsigned int receive_all(void)
{
	unsigned int sum = 0;
	int count;

	while ((count = udp_socket_receive(receiver)) > 0)
		sum += (unsigned int)count;
	cr_assert_eq(count, 0);
	return sum;
}

Test(udp_socket, what_the_kernel_drops_is_counted_to_the_last_datagram)
{
	unsigned int i, received;

	open_or_fail(UDP_DATAGRAM_BYTES_MAX);
	for (i = 0; i < 3000; i++)
		udp_sensor_send(&sender, 1);
	received = receive_all();
	cr_assert_lt(received, 3000);
	/* those after the last that came in are told by the kernel alone */
	cr_assert_eq(udp_socket_get_dropped(receiver), 0);
	cr_assert_eq(udp_socket_ask_dropped(receiver), 3000 - received);
	udp_sensor_send(&sender, 1);
	cr_assert_eq(receive_all(), 1);
	cr_assert_eq(udp_socket_get_dropped(receiver), 3000 - received);
}

Test(udp_socket, datagrams_tell_what_was_dropped_before_them)
{
	unsigned int i, received;

	open_or_fail(UDP_DATAGRAM_BYTES_MAX);
	for (i = 0; i < 3000; i++)
		udp_sensor_send(&sender, 1);
	received = receive_all();
	udp_sensor_send(&sender, 1);
	cr_assert_eq(receive_all(), 1);
	cr_assert_eq(udp_socket_get_dropped(receiver), 3000 - received);
	cr_assert_eq(udp_socket_ask_dropped(receiver), 3000 - received);
}

Test(udp_socket, more_room_means_fewer_drops)
{
	unsigned int i;

	if (geteuid() != 0)
		cr_skip_test("beyond net.core.rmem_max only with CAP_NET_ADMIN");
	open_or_fail(UDP_DATAGRAM_BYTES_MAX);
	cr_assert_geq(udp_socket_grow_buffer(receiver, 16 << 20), 16 << 20);
	/* and never less */
	cr_assert_geq(udp_socket_grow_buffer(receiver, 1 << 20), 16 << 20);
	for (i = 0; i < 2000; i++)
		udp_sensor_send(&sender, 1);
	cr_assert_eq(receive_all(), 2000);
	cr_assert_eq(udp_socket_ask_dropped(receiver), 0);
}

Test(udp_socket, what_came_to_a_socket_before_it_was_adopted_is_old)
{
	struct sockaddr_in sa = udp_address_to_sockaddr(&here);
	int i, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	for (i = 0; i < 3000; i++)
		udp_sensor_send(&sender, 1);
	cr_assert_eq(udp_socket_adopt(fd, UDP_DATAGRAM_BYTES_MAX, &receiver, &problem), 0);
	close(fd);
	cr_assert_eq(udp_socket_receive(receiver), 0);
	udp_sensor_send_bytes(&sender, "new", 3);
	cr_assert_eq(udp_socket_receive(receiver), 1);
	cr_assert_eq(udp_socket_get(receiver, 0)->bytes, 3);
	cr_assert_eq(udp_socket_ask_dropped(receiver), 0);
}

Test(udp_socket, an_address_that_is_taken_or_not_ours_is_named)
{
	struct udp_socket *other;
	char text[UDP_ADDRESS_TEXT_MAX];

	open_or_fail(UDP_DATAGRAM_BYTES_MAX);
	cr_assert_eq(udp_socket_open(&here, 100, &other, &problem), -EADDRINUSE);
	udp_address_format(&here, text);
	cr_assert(strstr(problem.text, text) && strstr(problem.text, "another program"), "%s",
		  problem.text);
	here.address = 192u << 24 | 2 << 8 | 1;
	cr_assert_eq(udp_socket_open(&here, 100, &other, &problem), -EADDRNOTAVAIL);
	cr_assert(strstr(problem.text, "192.0.2.1:7502") && strstr(problem.text, "does not have"),
		  "%s", problem.text);
}

Test(udp_socket, an_interface_that_is_not_there_is_named)
{
	here.address = 239u << 24 | 1;
	open_or_fail(UDP_DATAGRAM_BYTES_MAX);
	cr_assert_eq(udp_socket_join(receiver, here.address, "absent0", &problem), -ENODEV);
	cr_assert(strstr(problem.text, "interface = absent0"), "%s", problem.text);
	cr_assert_eq(udp_socket_join(receiver, here.address, "lo", &problem), 0);
	/* again, as it is done where an interface may have come back */
	cr_assert_eq(udp_socket_join(receiver, here.address, "lo", &problem), 0);
}

Test(udp_socket, a_stamp_keeps_its_age_from_one_clock_to_the_other)
{
	const uint64_t real_ns = 1700000000 * NSEC_PER_SEC, mono_ns = 5000 * NSEC_PER_SEC;

	cr_assert_eq(udp_time_to_monotonic(real_ns, real_ns, mono_ns), mono_ns);
	cr_assert_eq(udp_time_to_monotonic(real_ns - 1234567, real_ns, mono_ns), mono_ns - 1234567);
}

Test(udp_socket, a_stamp_that_cannot_be_is_now)
{
	const uint64_t real_ns = 1700000000 * NSEC_PER_SEC, mono_ns = 5000 * NSEC_PER_SEC;

	/* the clock was set back, set forward; there was no stamp */
	cr_assert_eq(udp_time_to_monotonic(real_ns + 1, real_ns, mono_ns), mono_ns);
	cr_assert_eq(udp_time_to_monotonic(real_ns - 3600 * NSEC_PER_SEC, real_ns, mono_ns), mono_ns);
	cr_assert_eq(udp_time_to_monotonic(UINT64_MAX, real_ns, mono_ns), mono_ns);
	cr_assert_eq(udp_time_to_monotonic(0, real_ns, mono_ns), mono_ns);
	/* before the machine was switched on */
	cr_assert_eq(udp_time_to_monotonic(real_ns - 200, real_ns, 100), 100);
}
