// SPDX-License-Identifier: BSD-2-Clause
/* The media of a run: what a sector holds, and that no change of a byte goes unnoticed. */
#include "ci/unit/unit.h"

#include <unistd.h>

#include "ci/runner/image.h"
#include "ci/runner/written.h"
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
    assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, NULL, 0, &bad), 0);
    assert_int_equal(image_verify(path, IMAGE_DISK, SMALL_BYTES, NULL, 0, &bad), 1);
    for (int i = 0; i < 50; i++) {
        long at = (long)prng_below(&prng, SMALL_BYTES);
        FILE *file = fopen(path, "r+b");

        assert_non_null(file);
        fseek(file, at, SEEK_SET);
        int before = fgetc(file);
        fseek(file, at, SEEK_SET);
        fputc(before ^ 0x10, file);
        fclose(file);
        assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, NULL, 0, &bad), 1);
        assert_int_equal(bad, at / IMAGE_SECTOR_BYTES);
        assert_int_equal(image_create(path, IMAGE_FLOPPY, SMALL_BYTES), 0);
    }
    unlink(path);
}

static void write_sector(const char *path, uint64_t lba, enum image_id id)
{
    uint8_t sector[IMAGE_SECTOR_BYTES];
    FILE *file = fopen(path, "r+b");

    assert_non_null(file);
    image_sector(sector, lba, id);
    fseek(file, (long)(lba * IMAGE_SECTOR_BYTES), SEEK_SET);
    assert_int_equal(fwrite(sector, sizeof(sector), 1, file), 1);
    fclose(file);
}

/* What was told must be there, and nothing else may. */
static void writes_are_judged(void **state)
{
    static const struct image_range told[] = {{3, 5}, {5, 5}, {63, 63}};
    char path[] = "/tmp/paeload-image-XXXXXX";
    uint64_t bad;

    make_file(path);
    assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, told, 3, &bad), 1);
    assert_int_equal(bad, 3);
    for (uint64_t lba = 3; lba <= 5; lba++)
        write_sector(path, lba, IMAGE_WRITTEN);
    assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, told, 3, &bad), 1);
    assert_int_equal(bad, 63);
    write_sector(path, 63, IMAGE_WRITTEN);
    assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, told, 3, &bad), 0);
    assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, told, 2, &bad), 1);
    assert_int_equal(bad, 63);
    assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, NULL, 0, &bad), 1);
    assert_int_equal(bad, 3);
    write_sector(path, 6, IMAGE_WRITTEN);
    assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, told, 3, &bad), 1);
    assert_int_equal(bad, 6);
    unlink(path);
}

/* What counts as told, and for which medium. */
static void words_are_read(void **state)
{
    static const char report[] = "    # wrote floppy: sectors 100-163\r\n"
                                 "    # wrote ide0: sectors 1-2\n"
                                 "# wrote floppy: sectors 7-7\n"
                                 "# wrote floppy: sectors 9\n"
                                 "ok 1 wrote floppy: sectors 5-6\n";
    char path[] = "/tmp/paeload-report-XXXXXX";
    struct written written;
    int file = mkstemp(path);

    assert_true(file >= 0);
    assert_int_equal(write(file, report, sizeof(report) - 1), sizeof(report) - 1);
    close(file);
    written_read(&written, path, "floppy");
    assert_int_equal(written.count, 2);
    assert_int_equal(written.ranges[0].first, 100);
    assert_int_equal(written.ranges[0].last, 163);
    assert_int_equal(written.ranges[1].first, 7);
    written_free(&written);
    unlink(path);
    written_read(&written, path, "floppy");
    assert_int_equal(written.count, 0);

    assert_true(written_allowed("destructive=fd0", "fd0"));
    assert_true(written_allowed("a=b destructive=hda,fd0 c", "fd0"));
    assert_false(written_allowed("a=b destructive=hda,fd01 fd0", "fd0"));
    assert_false(written_allowed("nondestructive=fd0", "fd0"));
    assert_false(written_allowed("", "fd0"));
}

static void length_shows(void **state)
{
    char path[] = "/tmp/paeload-image-XXXXXX";
    uint64_t bad;

    make_file(path);
    assert_int_equal(truncate(path, SMALL_BYTES - 1), 0);
    assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, NULL, 0, &bad), 1);
    assert_int_equal(image_create(path, IMAGE_FLOPPY, SMALL_BYTES + IMAGE_SECTOR_BYTES), 0);
    assert_int_equal(image_verify(path, IMAGE_FLOPPY, SMALL_BYTES, NULL, 0, &bad), 1);
    assert_int_equal(bad, SMALL_BYTES / IMAGE_SECTOR_BYTES);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),         cmocka_unit_test(not_bootable),
        cmocka_unit_test(changes_show),   cmocka_unit_test(writes_are_judged),
        cmocka_unit_test(words_are_read), cmocka_unit_test(length_shows),
    };

    return cmocka_run_group_tests_name("runner_image", tests, NULL, NULL);
}
