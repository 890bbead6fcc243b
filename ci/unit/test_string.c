/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "lib/string.h"

/* lib/string.c, compiled as for the machine; the C library's functions are the oracle. */
void *own_memcpy(void *dst, const void *src, size_t size);
void *own_memmove(void *dst, const void *src, size_t size);
void *own_memset(void *dst, int value, size_t size);
int own_memcmp(const void *a, const void *b, size_t size);
size_t own_strlen(const char *s);
size_t own_strnlen(const char *s, size_t max);
int own_strcmp(const char *a, const char *b);
int own_strncmp(const char *a, const char *b, size_t max);
char *own_strchr(const char *s, int c);
char *own_strrchr(const char *s, int c);
char *own_strstr(const char *text, const char *part);

#define AREA 128

static void fill(struct prng *prng, uint8_t *area)
{
    for (int i = 0; i < AREA; i++)
        area[i] = (uint8_t)prng_u32(prng);
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void copies(void **state)
{
    uint8_t ours[AREA], theirs[AREA], source[AREA];
    struct prng prng;

    prng_seed(&prng, 1);
    for (size_t size = 0; size <= 40; size++) {
        for (size_t to = 0; to < 8; to++) {
            for (size_t from = 0; from < 8; from++) {
                fill(&prng, source);
                fill(&prng, ours);
                memcpy(theirs, ours, AREA);
                assert_ptr_equal(own_memcpy(ours + to, source + from, size), ours + to);
                memcpy(theirs + to, source + from, size);
                assert_memory_equal(ours, theirs, AREA);
            }
        }
    }
}

static void moves(void **state)
{
    uint8_t ours[AREA], theirs[AREA];
    struct prng prng;

    prng_seed(&prng, 2);
    for (size_t size = 0; size <= 40; size++) {
        for (size_t to = 0; to <= AREA - 40; to++) {
            size_t from = prng_below(&prng, AREA - 40 + 1);

            if (one_in(&prng, 2)) /* mostly overlapping */
                from = MIN(to + prng_below(&prng, 8), AREA - 40u);
            fill(&prng, ours);
            memcpy(theirs, ours, AREA);
            assert_ptr_equal(own_memmove(ours + to, ours + from, size), ours + to);
            memmove(theirs + to, theirs + from, size);
            assert_memory_equal(ours, theirs, AREA);
        }
    }
    for (size_t size = 0; size <= 40; size++)
        for (size_t up = 0; up < 20; up++) {
            fill(&prng, ours);
            memcpy(theirs, ours, AREA);
            own_memmove(ours + 10 + up, ours + 10, size);
            memmove(theirs + 10 + up, theirs + 10, size);
            assert_memory_equal(ours, theirs, AREA);
        }
}

static void sets(void **state)
{
    uint8_t ours[AREA], theirs[AREA];
    struct prng prng;

    prng_seed(&prng, 3);
    for (size_t size = 0; size <= 40; size++) {
        for (size_t to = 0; to < 8; to++) {
            int value = (int)prng_u32(&prng);

            fill(&prng, ours);
            memcpy(theirs, ours, AREA);
            assert_ptr_equal(own_memset(ours + to, value, size), ours + to);
            memset(theirs + to, value, size);
            assert_memory_equal(ours, theirs, AREA);
        }
    }
}

static void memory_comparisons(void **state)
{
    struct prng prng;

    prng_seed(&prng, 4);
    for (int i = 0; i < 20000; i++) {
        size_t size = prng_below(&prng, 20);
        uint8_t *a = malloc(size), *b;

        for (size_t k = 0; k < size; k++)
            a[k] = (uint8_t)prng_u32(&prng);
        b = exact_copy(a, size);
        for (unsigned change = prng_below(&prng, 3); change && size; change--)
            b[prng_below(&prng, (uint32_t)size)] = (uint8_t)prng_u32(&prng);
        assert_int_equal(sign(own_memcmp(a, b, size)), sign(memcmp(a, b, size)));
        free(a);
        free(b);
    }
}

/* A short text over few characters, one of them with the top bit set; ends with its heap block. */
static char *random_text(struct prng *prng)
{
    size_t length = prng_below(prng, 10);
    char *text = malloc(length + 1);

    for (size_t i = 0; i < length; i++)
        text[i] = "ab\xe4"[prng_below(prng, 3)];
    text[length] = '\0';
    return text;
}

static void strings(void **state)
{
    struct prng prng;

    prng_seed(&prng, 5);
    for (int i = 0; i < 100000; i++) {
        char *a = random_text(&prng), *b = random_text(&prng);
        size_t max = prng_below(&prng, 12);
        int c = "ab\xe4\0z"[prng_below(&prng, 5)];

        assert_int_equal(own_strlen(a), strlen(a));
        assert_int_equal(own_strnlen(a, max), strnlen(a, max));
        assert_int_equal(sign(own_strcmp(a, b)), sign(strcmp(a, b)));
        assert_int_equal(sign(own_strncmp(a, b, max)), sign(strncmp(a, b, max)));
        assert_ptr_equal(own_strchr(a, c), strchr(a, c));
        assert_ptr_equal(own_strrchr(a, c), strrchr(a, c));
        assert_ptr_equal(own_strstr(a, b), strstr(a, b));
        free(a);
        free(b);
    }
}

/* Limits are kept also where no zero follows. */
static void texts_without_an_end(void **state)
{
    char *text = exact_copy("abc", 3);

    assert_int_equal(own_strnlen(text, 3), 3);
    assert_int_equal(own_strncmp(text, "abcd", 3), 0);
    free(text);
}

static void bounded_copies(void **state)
{
    for (size_t length = 0; length < 12; length++) {
        for (size_t size = 0; size < 14; size++) {
            char *src = exact_copy(&"abcdefghijkl"[12 - length], length + 1);
            char *dst = malloc(size);

            assert_int_equal(str_copy(dst, size, src), length < size);
            if (size) {
                assert_int_equal(strlen(dst), MIN(length, size - 1));
                assert_int_equal(strncmp(dst, src, size - 1), 0);
            }
            free(src);
            free(dst);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies),         cmocka_unit_test(moves),
        cmocka_unit_test(sets),           cmocka_unit_test(memory_comparisons),
        cmocka_unit_test(strings),        cmocka_unit_test(texts_without_an_end),
        cmocka_unit_test(bounded_copies),
    };

    return cmocka_run_group_tests_name("string", tests, NULL, NULL);
}
