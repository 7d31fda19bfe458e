/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subscription_wait.c - how an application sleeps until there is data
 *
 * Two ways to one end: wait() sleeps in the transport, which wakes it soonest;
 * get_fd() gives the application an fd that holds the transport's eventfd and
 * the control socket.  Once there is an fd, wait() sleeps on the same two.
 */
#include <errno.h>
#include <poll.h>

#include "common/clock.h"
#include "libclient/export.h"
#include "libclient/subscription.h"
#include "lidard/probes.h"

/*
 * While it sleeps in the transport, how often wait() looks whether lidard is still there.
 * A little longer than a revolution of most sensors: whose slices come as often needs no
 * other waking.
 */
#define CONTROL_PERIOD_NS (120 * NSEC_PER_MSEC)

static void relax_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
	__asm__ volatile("yield");
#endif
}

static uint64_t later(uint64_t now_ns, uint64_t duration_ns)
{
	return duration_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + duration_ns;
}

/* Has lidard gone, or said anything? Then service() looks into it at once. */
static void look_at_control(struct lidard_subscription *s)
{
	/* -1, and so ignored, while there is no connection */
	struct pollfd pfd = { .fd = s->client->link.fd, .events = POLLIN };

	if (poll(&pfd, 1, 0) > 0)
		s->service_ns = 0;
}

/* Return: as sleep_until(). */
static int sleep_in_transport(struct lidard_subscription *s, uint64_t now_ns, uint64_t until_ns)
{
	int r;

	if (until_ns - now_ns > CONTROL_PERIOD_NS)
		until_ns = now_ns + CONTROL_PERIOD_NS;
	r = s->port->ops->wait(s->port->handle, until_ns);
	if (r == 0)
		look_at_control(s);
	return r < 0 ? r : 0;
}

static int sleep_on_fds(struct lidard_subscription *s, uint64_t duration_ns)
{
	struct timespec ts = clock_to_timespec(duration_ns);
	struct pollfd pfds[2] = {
		{ .fd = s->port ? s->port->event_fd : -1, .events = POLLIN },
		{ .fd = s->client->link.fd, .events = POLLIN },
	};

	if (ppoll(pfds, 2, &ts, NULL) < 0)
		return -errno;
	if (pfds[1].revents)
		s->service_ns = 0;
	/* news of what was taken already must not wake us again */
	if (pfds[0].revents && !subscription_has_data(s))
		port_clear_event(s->port);
	return 0;
}

/* Return: 0; -EINTR; what the transport has against it. */
static int sleep_until(struct lidard_subscription *s, uint64_t now_ns, uint64_t until_ns)
{
	int r;

	if (s->port && s->port->event_fd < 0)
		r = sleep_in_transport(s, now_ns, until_ns);
	else
		r = sleep_on_fds(s, until_ns - now_ns);
	if (LIDARD_PROBE_ENABLED(wake))
		LIDARD_PROBE2(wake, s->account.reader, clock_now_ns() - now_ns);
	if (r != -ENOTRECOVERABLE)
		return r;
	subscription_lose_port(s);
	return 0;
}

LIDARD_EXPORT int lidard_subscription_wait(struct lidard_subscription *subscription,
					   int64_t timeout_ns)
{
	struct lidard_subscription *s = subscription;
	uint64_t now_ns, deadline_ns = 0, spin_until_ns = 0;
	bool first = true;
	int r;

	if (fork_guard_is_foreign(s->generation))
		return -ECHILD;
	for (;;) {
		if (subscription_has_data(s))
			return 1;
		now_ns = clock_now_ns();
		if (first) {
			deadline_ns = timeout_ns < 0 ? UINT64_MAX :
						       later(now_ns, (uint64_t)timeout_ns);
			if (s->wait_mode == LIDARD_WAIT_POLL)
				spin_until_ns = UINT64_MAX;
			else if (s->wait_mode == LIDARD_WAIT_SPIN_THEN_BLOCK)
				spin_until_ns = later(now_ns, s->spin_ns);
			first = false;
		}
		if (now_ns >= s->service_ns) {
			subscription_service(s, now_ns);
			if (s->error)
				return s->error;
		}
		if (now_ns >= deadline_ns)
			return 0;
		if (now_ns < spin_until_ns) {
			relax_cpu();
			continue;
		}
		r = sleep_until(s, now_ns, deadline_ns < s->service_ns ? deadline_ns :
									  s->service_ns);
		if (r < 0)
			return r;
	}
}

static int open_fd(struct lidard_subscription *s)
{
	int r;

	r = wake_open(&s->wake);
	if (r < 0)
		return r;
	if (s->port) {
		r = port_open_event(s->port);
		if (r == -ENOTRECOVERABLE)
			subscription_lose_port(s);
		else if (r < 0)
			wake_close(&s->wake);
		if (r < 0 && r != -ENOTRECOVERABLE)
			return r;
	}
	if (s->port)
		wake_set_event(&s->wake, s->port->event_fd);
	wake_add_control(&s->wake, s->client->link.fd);
	subscription_service(s, clock_now_ns());
	return 0;
}

LIDARD_EXPORT int lidard_subscription_get_fd(struct lidard_subscription *subscription)
{
	int r;

	if (fork_guard_is_foreign(subscription->generation))
		return -ECHILD;
	if (!wake_is_open(&subscription->wake)) {
		r = open_fd(subscription);
		if (r < 0)
			return r;
	}
	return subscription->wake.epoll_fd;
}
