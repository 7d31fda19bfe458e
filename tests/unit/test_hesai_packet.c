/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of decoder/hesai_packet.c, against what the formats' descriptions say in numbers. */
#include "decoder/hesai_packet.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bench/packets/hesai_packet_maker.h"

static struct hesai_packet_maker maker;
static struct hesai_packet packet;
static uint8_t data[HESAI_PACKET_BYTES_MAX];
static size_t bytes;

static void make(const char *model, unsigned int returns)
{
	hesai_packet_maker_init(&maker, hesai_model_find(model), returns);
	bytes = hesai_packet_maker_fill(&maker, 0, data);
}

static bool readable(void)
{
	return hesai_packet_read(maker.model, data, bytes, &packet);
}

static uint8_t *tail(void)
{
	return data + hesai_tail_offset(maker.model);
}

/* --- models --- */

Test(hesai_packet, packets_have_the_documented_sizes)
{
	static const struct {
		const char *model;
		uint32_t body_end;
		uint32_t bytes;
	} sizes[] = {
		{ "Pandar40P", 1240, 1266 }, { "Pandar64", 1172, 1198 },
		{ "PandarQT64", 1044, 1072 }, { "PandarXT16", 540, 568 },
		{ "PandarXT32", 1052, 1080 }, { "PandarXT32M", 792, 820 },
		{ "PandarQT128", 1040, 1127 },
	};
	unsigned int i;

	cr_assert_eq(hesai_model_count, sizeof(sizes) / sizeof(sizes[0]));
	for (i = 0; i < hesai_model_count; i++) {
		const struct hesai_model *m = hesai_model_find(sizes[i].model);

		cr_assert(m, "%s", sizes[i].model);
		cr_expect_eq(hesai_tail_offset(m), sizes[i].body_end, "%s", m->name);
		cr_expect_eq(hesai_packet_bytes(m), sizes[i].bytes, "%s", m->name);
		cr_expect_leq(sizes[i].bytes, HESAI_PACKET_BYTES_MAX);
		cr_expect_leq(m->blocks, HESAI_BLOCKS_MAX);
		cr_expect_leq(m->channels, HESAI_CHANNELS_MAX);
	}
}

Test(hesai_packet, models_are_found_by_name)
{
	cr_expect_str_eq(hesai_model_find("PandarXT32")->name, "PandarXT32");
	cr_expect_str_eq(hesai_model_find("xt32")->name, "PandarXT32");
	cr_expect_str_eq(hesai_model_find("QT128")->name, "PandarQT128");
	cr_expect_str_eq(hesai_model_find("pandar40p")->name, "Pandar40P");
	cr_expect_null(hesai_model_find("XT3"));
	cr_expect_null(hesai_model_find("Pandar"));
	cr_expect_null(hesai_model_find(""));
}

Test(hesai_packet, every_model_is_recognised_by_its_packets)
{
	unsigned int i, sequence;

	for (i = 0; i < hesai_model_count; i++)
		for (sequence = 0; sequence < 2; sequence++) {
			hesai_packet_maker_init(&maker, &hesai_models[i], 1);
			maker.has_sequence = sequence;
			bytes = hesai_packet_maker_fill(&maker, 0, data);
			cr_expect_eq(hesai_model_recognise(data, bytes), &hesai_models[i], "%s",
				     hesai_models[i].name);
		}
}

Test(hesai_packet, a_header_that_disagrees_with_the_length_is_nobodys)
{
	make("PandarXT32", 2);
	data[6] = 16;
	cr_expect_null(hesai_model_recognise(data, bytes));
	make("Pandar64", 2);
	data[3] = 7;
	cr_expect_null(hesai_model_recognise(data, bytes));
	make("Pandar40P", 2);
	data[1] = 0xed;
	cr_expect_null(hesai_model_recognise(data, bytes));
}

Test(hesai_packet, other_lengths_are_nobodys)
{
	unsigned int i;
	size_t length;

	for (i = 0; i < hesai_model_count; i++) {
		hesai_packet_maker_init(&maker, &hesai_models[i], 1);
		bytes = hesai_packet_maker_fill(&maker, 0, data);
		for (length = 0; length < sizeof(data); length++) {
			uint8_t *copy = malloc(length); /* so that a sanitizer sees a read beyond it */

			memcpy(copy, data, length);
			cr_expect_eq(hesai_model_recognise(copy, length) != NULL,
				     length == bytes || length == bytes - 4, "%s, %zu",
				     hesai_models[i].name, length);
			free(copy);
		}
	}
}

/* --- a packet, byte by byte --- */

Test(hesai_packet, an_xt32_packet_byte_by_byte)
{
	static const uint8_t header[12] = { 0xee, 0xff, 6, 1, 0, 0, 32, 8, 1, 5, 2, 1 };
	static const uint8_t end[28] = { [10] = 0x39, 0x57, 0x02, 119, 7, 25, 3, 19, 29,
					 0x9d, 0x72, 0x09, 0x00, 0x42, 0x6c, 0x9a, 0x04, 0x00 };

	memcpy(data, header, sizeof(header));
	data[12 + 130] = 0x9f;
	data[12 + 130 + 1] = 0x8c;
	memcpy(data + 1052, end, sizeof(end));
	maker.model = hesai_model_recognise(data, 1080);
	cr_assert(maker.model);
	cr_assert_str_eq(maker.model->name, "PandarXT32");
	cr_assert(hesai_packet_read(maker.model, data, 1080, &packet));
	cr_expect_eq(packet.return_mode, 0x39);
	cr_expect_eq(packet.returns, 2);
	cr_expect_eq(packet.unit_mm, 5);
	cr_expect_eq(packet.motor_rpm, 599);
	cr_expect(packet.has_sequence);
	cr_expect_eq(packet.sequence, 301676);
	/* 2019-07-25 03:19:29.619165 UTC */
	cr_expect_eq(packet.time_ns, 1564024769619165000ull);
	cr_expect_eq(hesai_block_azimuth(maker.model, data, 1), 35999);
}

Test(hesai_packet, a_40p_packet_byte_by_byte)
{
	static const uint8_t end[22] = { [8] = 0x58, 0x02, 0x9f, 0x73, 0x0d, 0x00, 0x39, 0x42,
					 17, 9, 6, 16, 19, 46 };
	unsigned int i;

	for (i = 0; i < 10; i++) {
		data[i * 124] = 0xff;
		data[i * 124 + 1] = 0xee;
	}
	data[9 * 124 + 2] = 0x34;
	data[9 * 124 + 3] = 0x12;
	memcpy(data + 1240, end, sizeof(end));
	maker.model = hesai_model_recognise(data, 1262);
	cr_assert(maker.model);
	cr_assert(hesai_packet_read(maker.model, data, 1262, &packet));
	cr_expect_eq(packet.unit_mm, 4);
	cr_expect_eq(packet.motor_rpm, 600);
	cr_expect_not(packet.has_sequence);
	/* 2017-09-06 16:19:46.881567 UTC */
	cr_expect_eq(packet.time_ns, 1504714786881567000ull);
	cr_expect_eq(hesai_block_azimuth(maker.model, data, 9), 0x1234);
}

/* --- returns --- */

static void expect_returns(uint8_t mode, unsigned int returns)
{
	tail()[maker.model->tail->return_mode] = mode;
	cr_assert(readable(), "mode %x", mode);
	cr_expect_eq(packet.returns, returns, "mode %x: %u", mode, packet.returns);
}

Test(hesai_packet, the_mode_says_how_many_returns)
{
	make("PandarXT32M", 1);
	expect_returns(0x33, 1);
	expect_returns(0x34, 1);
	expect_returns(0x37, 1);
	expect_returns(0x38, 1);
	expect_returns(0x39, 2);
	expect_returns(0x3a, 2);
	expect_returns(0x3b, 2);
	expect_returns(0x3c, 2);
	expect_returns(0x3e, 2);
	expect_returns(0x3d, 3);
}

Test(hesai_packet, with_an_unknown_mode_blocks_of_one_azimuth_are_returns)
{
	unsigned int returns;

	for (returns = 1; returns <= 3; returns++) {
		make("PandarXT32M", returns);
		expect_returns(0xc7, returns);
	}
}

Test(hesai_packet, a_head_that_stands_still_is_no_reason_for_many_returns)
{
	make("PandarXT32", 1);
	maker.step_cdeg = 0;
	bytes = hesai_packet_maker_fill(&maker, 0, data);
	expect_returns(0xc7, 1);
}

Test(hesai_packet, returns_that_do_not_fill_the_packet_are_damage)
{
	make("PandarXT32", 1);
	tail()[maker.model->tail->return_mode] = 0x3d;
	cr_expect_not(readable());
}

/* --- sequence numbers --- */

Test(hesai_packet, a_flag_or_the_length_says_whether_there_is_a_sequence_number)
{
	unsigned int i;

	for (i = 0; i < hesai_model_count; i++) {
		make(hesai_models[i].name, 1);
		cr_assert(readable());
		cr_expect(packet.has_sequence, "%s", maker.model->name);
		cr_expect_eq(packet.sequence, 100);
		maker.has_sequence = false;
		bytes = hesai_packet_maker_fill(&maker, 0, data);
		cr_assert(readable());
		cr_expect_not(packet.has_sequence, "%s", maker.model->name);
	}
}

Test(hesai_packet, a_packet_of_full_length_without_the_flag_has_no_sequence_number)
{
	make("PandarXT16", 1);
	data[11] &= 0xfe;
	cr_assert(readable());
	cr_expect_not(packet.has_sequence);
}

/* --- time --- */

static void expect_time(const char *model, uint8_t year, uint64_t seconds)
{
	make(model, 1);
	tail()[maker.model->tail->date] = year;
	cr_assert(readable());
	cr_expect_eq(packet.time_ns / 1000000000, seconds, "%s, %u: %lu", model, year,
		     packet.time_ns / 1000000000);
}

Test(hesai_packet, years_count_from_1900_or_2000)
{
	/* 14 November, 22:13:20 */
	expect_time("PandarXT32", 119, 1573769600);
	expect_time("PandarXT32", 70, 27468800);
	expect_time("PandarXT32", 24, 1731622400);
	expect_time("Pandar40P", 17, 1510697600);
	expect_time("Pandar40P", 70, 3183228800);
	expect_time("Pandar64", 120, 1605392000);
	expect_time("PandarQT128", 255, 5865516800);
}

Test(hesai_packet, times_are_right_in_every_month_and_leap_year)
{
	uint64_t day;

	make("PandarXT32", 1);
	for (day = 0; day < 366 * 60; day++) {
		uint64_t ns = (day * 86400 + day % 86400) * 1000000000 + day % 1000000 * 1000;

		hesai_packet_maker_set_time(&maker, data, ns);
		cr_assert(readable());
		cr_assert_eq(packet.time_ns, ns, "day %lu: %lu", day, packet.time_ns);
	}
}

Test(hesai_packet, the_last_microsecond_of_a_year_is_followed_by_the_next)
{
	uint64_t last;

	make("Pandar64", 1);
	hesai_packet_maker_set_time(&maker, data, 1704067199999999000ull);
	cr_assert(readable());
	last = packet.time_ns;
	hesai_packet_maker_set_time(&maker, data, 1704067200000000000ull);
	cr_assert(readable());
	cr_expect_eq(packet.time_ns - last, 1000);
}

Test(hesai_packet, a_clock_never_set_counts_from_the_first)
{
	make("Pandar40P", 1);
	memset(tail() + maker.model->tail->date, 0, 3);
	cr_assert(readable());
	cr_expect_eq(packet.time_ns, (946684800ull + 22 * 3600 + 13 * 60 + 20) * 1000000000);
}

Test(hesai_packet, impossible_times_are_damage)
{
	static const uint8_t wrong[6] = { 0, 13, 32, 24, 60, 61 };
	unsigned int i;

	for (i = 1; i < 6; i++) {
		make("PandarQT64", 1);
		tail()[maker.model->tail->date + i] = wrong[i];
		cr_expect_not(readable(), "%u", i);
	}
	make("PandarQT64", 1);
	memcpy(tail() + maker.model->tail->time_us, &(uint32_t){ htole32(1000000) }, 4);
	cr_expect_not(readable());
}

/* --- damage --- */

Test(hesai_packet, an_impossible_azimuth_is_damage)
{
	make("PandarXT32", 1);
	memcpy(data + hesai_block_offset(maker.model, 7), &(uint16_t){ htole16(36000) }, 2);
	cr_expect(readable(), "a whole turn is none");
	memcpy(data + hesai_block_offset(maker.model, 7), &(uint16_t){ htole16(36001) }, 2);
	cr_expect_not(readable());
}

Test(hesai_packet, a_unit_of_nothing_is_damage)
{
	make("PandarXT32", 1);
	data[9] = 0;
	cr_expect_not(readable());
	make("Pandar64", 1);
	data[5] = 0;
	cr_expect_not(readable());
}

Test(hesai_packet, a_block_without_its_mark_is_damage)
{
	make("Pandar40P", 1);
	data[hesai_block_offset(maker.model, 5)] = 0xfe;
	cr_expect_not(readable());
}

/* --- when beams fire --- */

static void expect_firing(const char *model, unsigned int block, unsigned int returns,
			  unsigned int channel, int32_t ns)
{
	const struct hesai_model *m = hesai_model_find(model);
	int32_t column = hesai_column_time_ns(m, block / returns, m->blocks / returns);
	int32_t found = column + (int32_t)hesai_beam_time_ns(m, channel);

	cr_expect_eq(found, ns, "%s, block %u of %u returns, channel %u: %d, not %d", model, block,
		     returns, channel, found, ns);
}

Test(hesai_packet, firing_times_are_the_documented_ones)
{
	expect_firing("PandarXT32", 7, 1, 0, 5632 + 368);
	expect_firing("PandarXT32", 0, 1, 31, 5632 - 350000 + 368 + 1512 * 31);
	expect_firing("PandarXT32", 0, 2, 0, 5632 - 150000 + 368);
	expect_firing("PandarXT32", 6, 2, 1, 5632 + 368 + 1512);
	expect_firing("PandarXT16", 3, 2, 15, 5632 - 100000 + 368 + 3024 * 15);
	expect_firing("PandarXT32M", 5, 1, 17, 5632 + 368 + 2888);
	expect_firing("PandarXT32M", 0, 3, 15, 5632 - 50000 + 368 + 2888 * 15);
	expect_firing("Pandar40P", 9, 1, 39, -28580);
	expect_firing("Pandar40P", 0, 2, 0, -28580 - 4 * 55560);
	expect_firing("Pandar64", 0, 1, 5, -42580 - 5 * 55560);
	expect_firing("PandarQT64", 0, 1, 9, 25710);
	expect_firing("PandarQT64", 3, 1, 9, 25710 + 3 * 166670);
	expect_firing("PandarQT64", 3, 2, 9, 25710 + 166670);
	expect_firing("PandarQT128", 0, 2, 127, 0);
	expect_firing("PandarQT128", 1, 1, 127, 111110);
}
