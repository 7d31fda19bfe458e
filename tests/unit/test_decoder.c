/* SPDX-License-Identifier: Apache-2.0 */
/* Which decoder is for a sensor. */
#include "decoder/decoder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static const struct decoder_ops *ops;
static struct problem problem;

static int choose(const char *name, const char *model, const char *metadata, const char *ret_model)
{
	struct decoder_sensor sensor = { .name = "front", .model = model, .metadata_path = metadata,
					 .calibration_path = "" };
	int r = decoder_choose(name, &sensor, &ops, &problem);

	if (r == 0)
		cr_expect_str_eq(sensor.model, ret_model);
	return r;
}

Test(decoder, is_found_by_name)
{
	cr_expect_eq(choose("ouster", "", "", ""), 0);
	cr_expect_eq(ops, &decoder_ouster);
	cr_expect_eq(choose("velodyne", "VLP-16", "", "VLP-16"), 0);
	cr_expect_eq(ops, &decoder_velodyne);
}

Test(decoder, one_that_is_not_there_is_told_with_those_that_are)
{
	cr_expect_eq(choose("oyster", "", "", ""), -EINVAL);
	cr_expect(strstr(problem.text, "\"oyster\"") &&
		  strstr(problem.text, "there is: ouster, velodyne"), "%s", problem.text);
}

Test(decoder, is_found_by_a_model_however_it_is_written)
{
	static const struct {
		const char *model;
		const struct decoder_ops *ops;
	} models[] = {
		{ "OS-1-128", &decoder_ouster },   { "OS0-32-U1", &decoder_ouster },
		{ "VLP-16", &decoder_velodyne },   { "vlp16", &decoder_velodyne },
		{ "HDL-32E", &decoder_velodyne },  { "Puck Hi-Res", &decoder_velodyne },
		{ "VLP-32C", &decoder_velodyne },  { "VLS-128", &decoder_velodyne },
	};
	size_t i;

	for (i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		cr_expect_eq(choose("auto", models[i].model, "", models[i].model), 0, "%s",
			     models[i].model);
		cr_expect_eq(ops, models[i].ops, "%s", models[i].model);
	}
}

Test(decoder, is_found_by_a_vendor_whose_data_tell_the_model)
{
	cr_expect_eq(choose("auto", "Velodyne", "", ""), 0);
	cr_expect_eq(ops, &decoder_velodyne);
	cr_expect_eq(choose("velodyne", "velodyne", "", ""), 0);
	cr_expect_eq(choose("auto", "ouster", "/m.json", ""), 0);
	cr_expect_eq(ops, &decoder_ouster);
}

Test(decoder, metadata_mean_an_ouster)
{
	cr_expect_eq(choose("auto", "", "/m.json", ""), 0);
	cr_expect_eq(ops, &decoder_ouster);
	cr_expect_eq(choose("auto", "my own", "/m.json", "my own"), 0);
	cr_expect_eq(ops, &decoder_ouster);
}

Test(decoder, a_sensor_of_which_nothing_is_said_is_refused)
{
	cr_expect_eq(choose("auto", "", "", ""), -EINVAL);
	cr_expect(strstr(problem.text, "model = NAME") && strstr(problem.text, "ouster, velodyne"), "%s",
		  problem.text);
	cr_expect_eq(choose("auto", "VLP-17", "", ""), -EINVAL);
	cr_expect(strstr(problem.text, "model = VLP-17"), "%s", problem.text);
}
