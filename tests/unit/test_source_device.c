/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What source_device.c says where there is no device; what it does with one is
 * tests/conformance/test_source.c's, in a guest that has the module.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/config.h"
#include "daemon/device.h"
#include "daemon/source.h"
#include "tests/support/source_driver.h"

static struct sensor_config config;
static struct problem problem;
static struct source *source;

static void begin(void)
{
	source_driver_defaults(&config);
	config.source = SOURCE_KIND_DEVICE;
	cr_assert_eq(source_new(&config, &source, &problem), 0);
}

static void end(void)
{
	source = source->ops->free(source);
}

TestSuite(source_device, .init = begin, .fini = end);

static void fail_to_start(int error, const char *why)
{
	int i;

	/* as often as the sensor tries */
	for (i = 0; i < 3; i++) {
		problem.text[0] = '\0';
		cr_assert_eq(source->ops->start(source, &problem), error);
		cr_assert(strstr(problem.text, why), "\"%s\" is not in: %s", why, problem.text);
		cr_assert_eq(source->ops->get_fd(source), -1);
		source->ops->stop(source);
	}
	cr_assert_eq(source->stats.produced, 0);
}

Test(source_device, a_device_that_is_absent_is_named)
{
	strcpy(config.device, "/dev/lidar-that-is-not-there");
	fail_to_start(-ENOENT, "there is no /dev/lidar-that-is-not-there");
}

Test(source_device, what_is_no_lidar_is_named)
{
	strcpy(config.device, "/dev/null");
	fail_to_start(-ENOTTY, "/dev/null is not a LIDAR device");
}

Test(source_device, a_device_without_permission_says_whom_it_must_belong_to)
{
	char path[] = "/tmp/lidard-test-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(chmod(path, 0), 0);
	strcpy(config.device, path);
	if (geteuid() == 0) {
		/* root may open it all the same: be somebody else */
		cr_assert_eq(seteuid(65534), 0);
		fail_to_start(-EACCES, "60-lidard.rules");
		cr_assert_eq(seteuid(0), 0);
	} else {
		fail_to_start(-EACCES, "60-lidard.rules");
	}
	unlink(path);
}

Test(source_device, a_device_that_is_absent_is_nobodys)
{
	cr_assert_eq(device_wait_until_free("/dev/lidar-that-is-not-there", NSEC_PER_SEC, &problem),
		     0);
}
