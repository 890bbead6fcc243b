// SPDX-License-Identifier: BSD-2-Clause
/* The list of mutations, read from ELF files made here. */
#include "ci/unit/unit.h"

#include <elf.h>
#include <errno.h>
#include <unistd.h>

#include "ci/runner/inject_list.h"

static const char section_names[] = "\0.inject_names\0.shstrtab";

struct image {
    Elf32_Ehdr header;
    Elf32_Shdr sections[3];
    char names[sizeof(section_names)];
    char content[256];
};

static void make_image(struct image *image, const char *content, size_t size)
{
    *image = (struct image){0};
    memcpy(image->header.e_ident, ELFMAG, SELFMAG);
    image->header.e_ident[EI_CLASS] = ELFCLASS32;
    image->header.e_shoff = offsetof(struct image, sections);
    image->header.e_shentsize = sizeof(Elf32_Shdr);
    image->header.e_shnum = ARRAY_SIZE(image->sections);
    image->header.e_shstrndx = 2;
    image->sections[1].sh_name = 1;
    image->sections[1].sh_offset = offsetof(struct image, content);
    image->sections[1].sh_size = (uint32_t)size;
    image->sections[2].sh_name = 1 + sizeof(".inject_names");
    image->sections[2].sh_offset = offsetof(struct image, names);
    image->sections[2].sh_size = sizeof(section_names);
    memcpy(image->names, section_names, sizeof(section_names));
    memcpy(image->content, content, size);
}

static int read_bytes(const void *bytes, size_t size, struct mutation_list *list, char **message)
{
    char path[] = "/tmp/paeload-elf-XXXXXX";
    int file = mkstemp(path);

    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), size);
    close(file);
    int error = mutation_list_read(list, path, message);
    unlink(path);
    return error;
}

static void names(void **state)
{
    static const char content[] = "skip_flush\0kmap\0flip\0highmem\0skip_flush\0kmap\0last\0x";
    struct image image;
    struct mutation_list list;
    char *message;

    make_image(&image, content, sizeof(content));
    assert_int_equal(read_bytes(&image, sizeof(image), &list, &message), 0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.mutations[0].name, "skip_flush");
    assert_string_equal(list.mutations[0].suite, "kmap");
    assert_string_equal(list.mutations[1].name, "flip");
    assert_string_equal(list.mutations[2].suite, "x");
    mutation_list_free(&list);
}

static void two_suites(void **state)
{
    static const char content[] = "flip\0highmem\0flip\0kmap";
    struct image image;
    struct mutation_list list;
    char *message;

    make_image(&image, content, sizeof(content));
    assert_int_equal(read_bytes(&image, sizeof(image), &list, &message), -EINVAL);
    assert_non_null(strstr(message, "names two suites"));
    mutation_list_free(&list);
    free(message);
}

static void no_mutations(void **state)
{
    struct image image;
    struct mutation_list list;
    char *message;

    make_image(&image, "", 0);
    assert_int_equal(read_bytes(&image, sizeof(image), &list, &message), 0);
    assert_int_equal(list.count, 0);
    mutation_list_free(&list);
}

/* Damaged files are refused or give some list; neither reads past its end. */
static void damaged(void **state)
{
    static const char content[] = "skip_flush\0kmap";
    struct image image;
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 400; round++) {
        struct mutation_list list;
        char *message;
        size_t size = round % 2 ? sizeof(image) : prng_below(&prng, sizeof(image));

        make_image(&image, content, sizeof(content));
        for (unsigned i = prng_below(&prng, 8); i; i--)
            ((char *)&image)[prng_below(&prng, offsetof(struct image, content))] =
                (char)prng_u32(&prng);
        read_bytes(&image, size, &list, &message);
        mutation_list_free(&list);
        free(message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(two_suites),
        cmocka_unit_test(no_mutations),
        cmocka_unit_test(damaged),
    };

    return cmocka_run_group_tests_name("runner_inject", tests, NULL, NULL);
}
