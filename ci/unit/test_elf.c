/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader's ELF reader, and the image that it fills. */
#include "ci/unit/unit.h"
#include "loader/elf.h"

#define SEGMENTS 3

/* A file of a header, three program headers, and 256 bytes for each segment. */
struct file {
    struct elf32_header header;
    struct elf32_program_header program[SEGMENTS];
    uint8_t bytes[SEGMENTS][256];
};

static void make_file(struct file *file)
{
    *file = (struct file){
        .header =
            {
                .ident = {0x7f, 'E', 'L', 'F', ELF_CLASS_32, ELF_DATA_LITTLE_ENDIAN,
                          ELF_VERSION_CURRENT},
                .type = ELF_TYPE_EXEC,
                .machine = ELF_MACHINE_386,
                .version = 1,
                .entry = 0xc0100010,
                .phoff = offsetof(struct file, program),
                .phentsize = sizeof(struct elf32_program_header),
                .phnum = SEGMENTS,
            },
    };
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        file->program[i] = (struct elf32_program_header){
            .type = ELF_SEGMENT_LOAD,
            .offset = (uint32_t)offsetof(struct file, bytes) + i * 256,
            .vaddr = 0xc0100000 + i * 0x1000,
            .paddr = 0x100000 + i * 0x1000,
            .filesz = 256,
            .memsz = 256 + i * 100,
        };
        memset(file->bytes[i], 'a' + (int)i, 256);
    }
}

static struct image image;
static uint32_t entry;
static struct refusal why;

/* Reads the first `size` bytes, and nothing else can be read. */
static bool read_cut(const struct file *file, size_t size)
{
    uint8_t *room = malloc(size + 1), *copy = room + 1; /* at any alignment */
    bool ok;

    memcpy(copy, file, size);
    why = (struct refusal){0};
    ok = elf_read(copy, size, &image, &entry, &why);
    assert_int_equal(ok, why.check == NULL);
    free(room);
    return ok;
}

static bool read_whole(const struct file *file)
{
    return read_cut(file, sizeof(*file));
}

static void good_file(void **state)
{
    static uint8_t memory[0x2000 + 256 + 200];
    struct file file;

    make_file(&file);
    assert_true(read_whole(&file));
    assert_int_equal(image.nr_segments, SEGMENTS);
    assert_true(image.base == 0x100000);
    assert_true(image.end == 0x102000 + 256 + 200);
    assert_int_equal(entry, 0x100010); /* moved with its segment */
    assert_true(image_set_entry(&image, entry, &why));
    assert_int_equal(image.entry, entry);

    memset(memory, 0xee, sizeof(memory));
    image_copy(&image, &file, memory);
    for (uint32_t at = 0; at < sizeof(memory); at++)
        assert_int_equal(memory[at], at % 0x1000 < 256 ? 'a' + (int)(at / 0x1000) : 0);
}

static void shared_object(void **state)
{
    struct file file;

    make_file(&file);
    file.header.type = ELF_TYPE_DYN;
    file.program[1].type = 6; /* nothing to load */
    file.program[2].memsz = 0;
    file.program[2].filesz = 0;
    assert_true(read_whole(&file));
    assert_int_equal(image.nr_segments, 1);
    file.header.entry = 0x12345678; /* in no segment: as it stands, to be refused later */
    assert_true(read_whole(&file));
    assert_int_equal(entry, 0x12345678);
    assert_false(image_set_entry(&image, entry, &why));
}

/* Where the entry may lie: in the memory of a segment, also where the file has no bytes for it. */
static void entries(void **state)
{
    struct file file;

    make_file(&file);
    assert_true(read_whole(&file));
    assert_true(image_set_entry(&image, 0x102000 + 455, &why));
    assert_false(image_set_entry(&image, 0x102000 + 456, &why));
    assert_false(image_set_entry(&image, 0xfffff, &why));
    assert_false(image_set_entry(&image, 0x100100, &why)); /* between two */
    image_begin(&image);
    assert_false(image_set_entry(&image, 0, &why));
}

/* One wrong word each. */
static void refused_headers(void **state)
{
    struct file file;

    make_file(&file);
    for (unsigned i = 0; i <= ELF_IDENT_VERSION; i++) {
        file.header.ident[i] ^= 0x10;
        assert_false(read_whole(&file));
        file.header.ident[i] ^= 0x10;
    }
#define REFUSED(field, value)            \
    do {                                 \
        make_file(&file);                \
        file.field = value;              \
        assert_false(read_whole(&file)); \
    } while (0)
    REFUSED(header.machine, 62);
    REFUSED(header.type, 1);
    REFUSED(header.type, 4);
    REFUSED(header.phnum, 0);
    REFUSED(header.phnum, 1000);
    REFUSED(header.phnum, UINT16_MAX);
    REFUSED(header.phentsize, sizeof(struct elf32_program_header) - 1);
    REFUSED(header.phentsize, 0);
    REFUSED(header.phentsize, UINT16_MAX);
    REFUSED(header.phoff, sizeof(file));
    REFUSED(header.phoff, UINT32_MAX);
    REFUSED(header.phoff, 0xffffffff - 95);
    REFUSED(program[1].offset, sizeof(file) - 255);
    REFUSED(program[1].offset, UINT32_MAX);
    REFUSED(program[1].filesz, 400); /* more than in memory */
    REFUSED(program[1].filesz, UINT32_MAX);
    REFUSED(program[1].paddr, 0x1000ff); /* into the one before */
    REFUSED(program[1].paddr, 0x100000 - 355);
    REFUSED(program[1].memsz, 0x1001); /* into the one after */
    REFUSED(program[1].memsz, UINT32_MAX);
    REFUSED(program[2].paddr, UINT32_MAX - 454); /* past 4 GiB */
    make_file(&file);
    file.program[2].paddr = UINT32_MAX - 455; /* just up to there */
    assert_true(read_whole(&file));
    assert_true(image.end == UINT64_C(1) << 32);
}

static void too_many_segments(void **state)
{
    struct image_segment segment = {.memory_bytes = 16};

    image_begin(&image);
    for (uint32_t i = 0; i < IMAGE_MAX_SEGMENTS; i++) {
        segment.address = 0x1000 * (IMAGE_MAX_SEGMENTS - i);
        assert_true(image_add(&image, 0, &segment, &why));
    }
    assert_true(image.base == 0x1000);
    segment.address = 0x80;
    assert_false(image_add(&image, 0, &segment, &why));
    segment.memory_bytes = 0;
    assert_true(image_add(&image, 0, &segment, &why));
}

static void truncated_files(void **state)
{
    struct file file;

    make_file(&file);
    for (size_t size = 0; size < sizeof(file); size++)
        assert_false(read_cut(&file, size));
    assert_true(read_cut(&file, sizeof(file)));
}

/* Program headers at the end of the file, and further apart than they are long. */
static void odd_program_headers(void **state)
{
    enum { STRIDE = sizeof(struct elf32_program_header) + 8 };
    uint8_t room[sizeof(struct file) + 3 * STRIDE];
    struct file file;

    make_file(&file);
    file.header.phentsize = STRIDE;
    file.header.phoff = sizeof(file);
    memcpy(room, &file, sizeof(file));
    for (unsigned i = 0; i < SEGMENTS; i++)
        memcpy(room + sizeof(file) + i * STRIDE, &file.program[i], sizeof(file.program[i]));
    assert_true(elf_read(room, sizeof(room), &image, &entry, &why));
    assert_int_equal(image.nr_segments, 3);
    assert_false(elf_read(room, sizeof(room) - 1, &image, &entry, &why));
}

/* Whatever is damaged: either refused, or every byte of every segment exists and is alone. */
static void damaged_files(void **state)
{
    unsigned accepted = 0;
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 50000; round++) {
        struct file file;
        size_t size = one_in(&prng, 4) ? prng_below(&prng, sizeof(file)) : sizeof(file);

        make_file(&file);
        for (uint32_t n = between(&prng, 1, 3); n; n--) {
            uint32_t at = prng_below(&prng, offsetof(struct file, bytes) / 4);
            uint32_t value = (uint32_t)any_u64(&prng);

            memcpy((uint8_t *)&file + 4 * at, &value, one_in(&prng, 2) ? 4 : 1);
        }
        if (!read_cut(&file, size))
            continue;
        accepted++;
        for (unsigned i = 0; i < image.nr_segments; i++) {
            const struct image_segment *s = &image.segments[i];
            uint64_t end = (uint64_t)s->address + s->memory_bytes;

            assert_true((uint64_t)s->file_offset + s->file_bytes <= size);
            assert_true(s->file_bytes <= s->memory_bytes);
            assert_true(s->address >= image.base && end <= image.end);
            assert_true(image.end <= UINT64_C(1) << 32);
            for (unsigned j = 0; j < i; j++)
                assert_true(image.segments[j].address >= end ||
                            (uint64_t)image.segments[j].address + image.segments[j].memory_bytes <=
                                s->address);
        }
    }
    assert_true(accepted > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_file),
        cmocka_unit_test(shared_object),
        cmocka_unit_test(entries),
        cmocka_unit_test(refused_headers),
        cmocka_unit_test(too_many_segments),
        cmocka_unit_test(truncated_files),
        cmocka_unit_test(odd_program_headers),
        cmocka_unit_test(damaged_files),
    };

    return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
