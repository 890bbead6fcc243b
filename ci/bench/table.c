// SPDX-License-Identifier: BSD-2-Clause
#include "ci/bench/table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY "–"

/*
 * Linux is 6.1.0 686-pae, "tuned" (init_on_alloc=0 mitigations=off), on the same emulated machine,
 * by the same operations; memtest86+ is v8.10, 32-bit.
 */
static const struct description {
    const char *row, *what, *peer;
} descriptions[] = {
    {"kmap_cold", "kmap, touch, kunmap: 4096 pages in order, wraps and flushes included",
     "Linux 675"},
    {"kmap_hit", "the same, working set of 256, all hits", "Linux 336"},
    {"kmap_local", "kmap_local, touch, kunmap_local: 4096 pages", "Linux 262"},
    {"kmap_local_lowmem", "the same, a lowmem page", "Linux 79"},
    {"kmap_range_64", "kmap_range of 64 pages, a touch each, kunmap_range; per page", NOBODY},
    {"kmap_pages_64", "the same by kmap_pages, as if the pages were scattered", NOBODY},
    {"lowmem_touch", "lowmem address by arithmetic, touch: the floor", "Linux 12"},
    {"clear_highpage", "clear a highmem page (1024 for the stores)", "Linux 1298"},
    {"copy_highpage", "copy a highmem page to another (1024 for the copy)", "Linux 1533"},
    {"clear_highpages", "clear 4 MiB of highmem at once, per page", NOBODY},
    {"copy_highpages", "copy 4 MiB of highmem at once, per page", NOBODY},
    {"copy_lowmem", "copy a lowmem page to another", "Linux 1093"},
    {"sweep_map_per_mib", "read 1 GiB of high memory: the mapping, per MiB", NOBODY},
    {"alloc0", "allocate and free a page", "Linux 673"},
    {"alloc1", "allocate and free an order-1 block", "Linux 773"},
    {"alloc0_batch", "allocate 4096 pages, then free them, per pair", "Linux 682"},
    {"alloc0_random", "allocate 4096 pages, then free them in random order, per pair", NOBODY},
    {"kmalloc64", "kmalloc(64), a write and a read, kfree", "Linux 217"},
    {"kmalloc64_batch", "the same, 4096 at a time, per pair", NOBODY},
    {"vmalloc_8k", "vmalloc of two pages, a touch each, vfree", NOBODY},
    {"compact_page", "move a highmem page, its owner asked and told (1024 for the copy)", NOBODY},
    {"compact_scan", "look at a descriptor, and at whether its page can be moved", NOBODY},
    {"dma_direct", "map and unmap a page within the device's reach", "Linux 177"},
    {"dma_bounce_to_4k", "bounce 4 KiB from above 4 GiB to a 32-bit device", "Linux 4046"},
    {"dma_bounce_from_4k", "bounce 4 KiB from a 32-bit device to above 4 GiB", "Linux 5450"},
    {"dma_bounce_to_512", "bounce 512 bytes to a 32-bit device", "Linux 3129"},
    {"dma_bounce_run", "take 16 slots side by side, and give them back, in pools that are empty",
     NOBODY},
    {"dma_bounce_run_worst", "the same in 9 MiB of pools where no other run is free", NOBODY},
    {"dma_bounce_run_full", "the same, and that one is not free, either: refused", NOBODY},
    {"memory_init_per_page", "page descriptors and free lists, per page of RAM", "Linux 805"},
    {"boot_first_line", "from the entry point to the first line on the serial port",
     "memtest86+ 3.3 s"},
    {"image_bytes_x64", "bytes of paeload-x64.efi", "memtest86+ 159232"},
    {"image_bytes_ia32", "bytes of paeload-ia32.efi", "memtest86+ 159232"},
    {"image_bytes_elf", "bytes of paeload.elf", "memtest86+ 159232"},
};
#define DESCRIPTIONS (sizeof(descriptions) / sizeof(descriptions[0]))

/* What the row is about: instructions, or, for a file, its bytes. */
static double main_figure(const json_t *figures, const char *row)
{
    double instructions = figures_get(figures, row, "instructions");

    return instructions >= 0 ? instructions : figures_get(figures, row, "bytes");
}

/* Few digits for people: none behind the point where there are three before it. */
static char *number(double value)
{
    if (value < 0)
        return text_copy("");
    return text("%.*f", value < 100 && value != floor(value) ? 1 : 0, value);
}

static char *flushes(const json_t *figures, const char *row)
{
    static const char *const kinds[] = {"full", "page", "global"};
    char *all = text_copy("");

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char *name = text("flushes_%s", kinds[i]), *before = all;
        double each = figures_get(figures, row, name);

        free(name);
        if (each <= 0)
            continue;
        all = text("%s%s%.4g %s", before, *before ? ", " : "", each, kinds[i]);
        free(before);
    }
    return all;
}

static char *moved(const json_t *figures, const char *row)
{
    double bytes = figures_get(figures, row, "bytes");

    if (bytes <= 0 || figures_get(figures, row, "instructions") < 0)
        return text_copy("");
    return text("%.0f", bytes);
}

static void print_row(FILE *file, const json_t *figures, const char *row, const char *what,
                      const char *peer)
{
    char *figure = number(main_figure(figures, row));
    char *tlb = flushes(figures, row), *bytes = moved(figures, row);

    fprintf(file, "| `%s` | %s | %s | %s | %s | %s |\n", row, what, figure, peer, tlb, bytes);
    free(figure);
    free(tlb);
    free(bytes);
}

static const struct description *describe(const char *row)
{
    for (size_t i = 0; i < DESCRIPTIONS; i++) {
        if (!strcmp(descriptions[i].row, row))
            return &descriptions[i];
    }
    return NULL;
}

void table_print(FILE *file, const json_t *figures)
{
    const char *name;
    json_t *row;

    fputs("| row | operation | instructions | peer | TLB flushes | bytes moved |\n"
          "|---|---|---|---|---|---|\n",
          file);
    for (size_t i = 0; i < DESCRIPTIONS; i++) {
        const struct description *d = &descriptions[i];

        if (json_object_get(figures, d->row))
            print_row(file, figures, d->row, d->what, d->peer);
    }
    json_object_foreach((json_t *)figures, name, row)
    {
        if (!describe(name))
            print_row(file, figures, name, NOBODY, NOBODY);
    }
}

/* The third column of a row of the table, a number; its name goes to `name`. */
static bool parse_row(const char *line, char *name, double *value)
{
    return sscanf(line, "| `%63[^`]` | %*[^|] | %lf |", name, value) == 2;
}

static void check_row(const char *path, const json_t *figures, const char *name, double told,
                      double tolerance, struct words *wrong)
{
    double is = main_figure(figures, name);
    double rounding = is < 100 ? 0.05 : 0.5;

    if (is >= 0 && fabs(told - is) > is * tolerance + rounding)
        words_add(wrong, "%s: `%s` says %.10g, it is %.10g", path, name, told, is);
}

void table_check(const char *path, const json_t *figures, double tolerance, struct words *wrong)
{
    FILE *file = fopen(path, "r");
    char *line = NULL, name[64];
    json_t *seen = json_object(), *row;
    const char *row_name;
    size_t room = 0;
    double told;

    if (!file)
        words_add(wrong, "%s: %s", path, strerror(errno));
    while (file && getline(&line, &room, file) >= 0) {
        if (!parse_row(line, name, &told))
            continue;
        json_object_set_new(seen, name, json_true());
        check_row(path, figures, name, told, tolerance, wrong);
    }
    json_object_foreach((json_t *)figures, row_name, row)
    {
        if (file && !json_object_get(seen, row_name))
            words_add(wrong, "%s: no row `%s` in the table", path, row_name);
    }
    json_decref(seen);
    free(line);
    if (file)
        fclose(file);
}

unsigned table_print_ratios(FILE *file, const char *path)
{
    FILE *report = fopen(path, "r");
    char *line = NULL, name[64];
    size_t room = 0;
    unsigned permille, count = 0;

    while (report && getline(&line, &room, report) >= 0) {
        if (sscanf(line, "# metric bench_ratio.%63s %u permille", name, &permille) != 2)
            continue;
        fprintf(file, "%10.2f  %s\n", permille / 1000.0, name);
        count++;
    }
    free(line);
    if (report)
        fclose(report);
    return count;
}
