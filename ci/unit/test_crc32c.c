/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "lib/crc32c.h"

/* RFC 3720, B.4, and the check value that catalogues of CRCs give for "123456789". */
static void known_vectors(void **state)
{
    static const uint8_t iscsi_read[48] = {
        0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02,
    };
    uint8_t bytes[32];

    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc32c_update(0, bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(crc32c_update(0, bytes, sizeof(bytes)), 0x62a8ab43);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(crc32c_update(0, bytes, sizeof(bytes)), 0x46dd794e);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(31 - i);
    assert_int_equal(crc32c_update(0, bytes, sizeof(bytes)), 0x113fdb5c);
    assert_int_equal(crc32c_update(0, iscsi_read, sizeof(iscsi_read)), 0xd9963a56);
    assert_int_equal(crc32c_update(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c_update(0, NULL, 0), 0);
}

/* The definition, a bit at a time. */
static uint32_t crc_by_bits(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < size * 8; i++) {
        bool out = (crc ^ bytes[i / 8] >> i % 8) & 1;

        crc = crc >> 1 ^ (out ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static void any_bytes_in_any_parts(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 3000; round++) {
        size_t size = prng_below(&prng, 300), done = 0;
        uint8_t *bytes = malloc(size);
        uint32_t crc = 0;

        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)prng_u32(&prng);
        while (done < size) {
            size_t part = between(&prng, 0, (uint32_t)(size - done));

            crc = crc32c_update(crc, bytes + done, part);
            done += part;
        }
        assert_int_equal(crc, crc_by_bits(bytes, size));
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(any_bytes_in_any_parts),
    };

    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
