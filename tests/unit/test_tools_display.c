/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/display.h"

#include <criterion/criterion.h>

Test(display, colours_are_what_the_environment_says)
{
	cr_assert_eq(display_colours_of(NULL, NULL), TEXT_PICTURE_PLAIN);
	cr_assert_eq(display_colours_of("", "truecolor"), TEXT_PICTURE_PLAIN);
	cr_assert_eq(display_colours_of("dumb", "truecolor"), TEXT_PICTURE_PLAIN);
	cr_assert_eq(display_colours_of("xterm", "truecolor"), TEXT_PICTURE_24_BIT);
	cr_assert_eq(display_colours_of("xterm", "24bit"), TEXT_PICTURE_24_BIT);
	cr_assert_eq(display_colours_of("xterm-direct", NULL), TEXT_PICTURE_24_BIT);
	cr_assert_eq(display_colours_of("xterm-256color", NULL), TEXT_PICTURE_256);
	cr_assert_eq(display_colours_of("linux", "yes"), TEXT_PICTURE_256);
}

Test(display, a_terminal_with_sixels_lists_ability_4)
{
	cr_assert(display_answer_has_sixel("\033[?62;4;6c"));
	cr_assert(display_answer_has_sixel("\033[?64;1;2;4c"));
	cr_assert(display_answer_has_sixel("x\033[?1;4c"));
}

Test(display, everything_else_is_no_terminal_with_sixels)
{
	static const char *const answers[] = {
		"", "4", "\033[?", "\033[?c", "\033[?4c", "\033[?4;6c", "\033[?62;14;44;40c",
		"\033[?62;4", "\033[62;4c", "\033[?62;;6c", "\033[?62;4x", "\033[?99999999999999999999;6c",
	};
	size_t i;

	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		cr_assert_not(display_answer_has_sixel(answers[i]), "answer %zu", i);
}
