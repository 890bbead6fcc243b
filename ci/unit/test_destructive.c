/* SPDX-License-Identifier: BSD-2-Clause */
/* Which media the boot option destructive= names: those, wholly, and no others. */
#include "ci/unit/unit.h"

#include "drivers/destructive.h"

static void test_names(void **state)
{
    char text[8];

    (void)state;
    destructive_init("");
    assert_false(destructive_allows("fd0"));
    assert_false(destructive_allows(""));
    assert_false(destructive_unknown(0, text, sizeof(text)));

    destructive_init("fd0,,hda,fd01");
    assert_true(destructive_allows("fd0"));
    assert_false(destructive_allows("fd"));
    assert_false(destructive_allows("fd00"));
    assert_false(destructive_allows("fd0,"));
    assert_false(destructive_allows(""));
    assert_true(destructive_unknown(0, text, sizeof(text)));
    assert_string_equal(text, "hda");
    assert_true(destructive_unknown(1, text, sizeof(text)));
    assert_string_equal(text, "fd01");
    assert_false(destructive_unknown(2, text, sizeof(text)));

    destructive_init("a-very-long-name");
    assert_true(destructive_unknown(0, text, sizeof(text)));
    assert_string_equal(text, "a-very-");
    assert_false(destructive_allows("a-very-"));
    assert_true(destructive_allows("a-very-long-name"));
    assert_false(destructive_unknown(0, text, sizeof(text)));

    destructive_init("a,b,c,d,e,f,g,h,i,j");
    assert_true(destructive_allows("h"));
    assert_false(destructive_allows("i"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
