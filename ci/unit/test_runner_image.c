// SPDX-License-Identifier: BSD-2-Clause
/* The media of a run: what a sector holds, and that no change of a byte goes unnoticed. */
#include "ci/unit/unit.h"

#include <unistd.h>

#include "ci/runner/image.h"
#include "lib/crc32c.h"

#define SMALL_BYTES (64 * IMAGE_SECTOR_BYTES)

static uint32_t le32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The layout as the header gives it, put together by hand. */
static void layout(void **state)
{
    uint8_t sector[IMAGE_SECTOR_BYTES];
    uint32_t word = 12345u * 2654435761u + IMAGE_DISK;

    image_sector(sector, 12345, IMAGE_DISK);
    assert_memory_equal(sector, "PAELOAD-SECTOR\0\0", 16);
    assert_int_equal(le32(sector + 16), 12345);
    assert_int_equal(le32(sector + 20), 0);
    assert_int_equal(le32(sector + 24), IMAGE_DISK);
    assert_int_equal(le32(sector + 28),
                     crc32c_update(crc32c_update(0, sector, 28), sector + 32, 480));
    for (unsigned at = 32; at < IMAGE_SECTOR_BYTES; at += 4) {
        word ^= word << 13;
        word ^= word >> 17;
        word ^= word << 5;
        assert_int_equal(le32(sector + at), word);
    }
}

/* A firmware must not take the first sector for a boot sector. */
static void not_bootable(void **state)
{
    uint8_t sector[IMAGE_SECTOR_BYTES];

    for (enum image_id id = IMAGE_FLOPPY; id <= IMAGE_DISK; id++) {
        image_sector(sector, 0, id);
        assert_false(sector[510] == 0x55 && sector[511] == 0xaa);
    }
}

static void make_file(char *path)
{
    int file = mkstemp(path);

    assert_true(file >= 0);
    close(file);
    assert_int_equal(image_create(path, IMAGE_FLOPPY, SMALL_BYTES), 0);
}

static void changes_show(void **state)
{
    char path[] = "/tmp/paeload-image-XXXXXX";
    uint64_t bad;
    struct prng prng;

    prng_seed(&prng, 1);
    make_file(path);
    assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, &bad), 0);
    assert_int_equal(image_verify(path, IMAGE_DISK, SMALL_BYTES, &bad), 1);
    for (int i = 0; i < 50; i++) {
        long at = (long)prng_below(&prng, SMALL_BYTES);
        FILE *file = fopen(path, "r+b");

        assert_non_null(file);
        fseek(file, at, SEEK_SET);
        int before = fgetc(file);
        fseek(file, at, SEEK_SET);
        fputc(before ^ 0x10, file);
        fclose(file);
        assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, &bad), 1);
        assert_int_equal(bad, at / IMAGE_SECTOR_BYTES);
        assert_int_equal(image_create(path, IMAGE_FLOPPY, SMALL_BYTES), 0);
    }
    unlink(path);
}

static void length_shows(void **state)
{
    char path[] = "/tmp/paeload-image-XXXXXX";
    uint64_t bad;

    make_file(path);
    assert_int_equal(truncate(path, SMALL_BYTES - 1), 0);
    assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, &bad), 1);
    assert_int_equal(image_create(path, IMAGE_FLOPPY, SMALL_BYTES + IMAGE_SECTOR_BYTES), 0);
    assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, &bad), 1);
    assert_int_equal(bad, SMALL_BYTES / IMAGE_SECTOR_BYTES);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test(not_bootable),
        cmocka_unit_test(changes_show),
        cmocka_unit_test(length_shows),
    };

    return cmocka_run_group_tests_name("runner_image", tests, NULL, NULL);
}
