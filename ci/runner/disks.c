// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/disks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ci/runner/image.h"

#define MIN_STEP 64 /* each sector is a rule of its own */

struct bad_sector {
    unsigned device;
    unsigned long long lba, step;
    bool once, all;
};

/* Takes one entry, without the comma. Returns false when it is none. */
static bool parse(const char *entry, struct bad_sector *bad)
{
    char name[16], how[8] = "";
    int used = 0;

    *bad = (struct bad_sector){.step = IMAGE_DISK_BYTES};
    if (sscanf(entry, " %15[a-z]:all%n", name, &used) == 1 && used)
        bad->all = true;
    else if (sscanf(entry, " %15[a-z]:%llu%n", name, &bad->lba, &used) != 2)
        return false;
    entry += used;
    if (*entry == '/' && sscanf(entry, "/%llu%n", &bad->step, &used) == 1)
        entry += used;
    if (*entry == ':' && sscanf(entry, ":%7[a-z]%n", how, &used) == 1)
        entry += used;
    bad->once = !strcmp(how, "once");
    bad->device = device_by_name(name);
    return !entry[strspn(entry, " ")] && bad->step >= MIN_STEP && (bad->once || !*how) &&
           (bad->device == DEVICE_IDE || bad->device == DEVICE_AHCI);
}

/* Appends the rules of one entry to the options. */
static void add_rules(const struct bad_sector *bad, unsigned *count, char **options)
{
    unsigned long long end = IMAGE_DISK_BYTES / IMAGE_SECTOR_BYTES;

    if (bad->all) {
        text_add(options, ",file.inject-error.%u.event=none", *count);
        ++*count;
        return;
    }
    for (unsigned long long lba = bad->lba; lba < end; lba += bad->step) {
        text_add(options, ",file.inject-error.%u.event=none,file.inject-error.%u.sector=%llu",
                 *count, *count, lba);
        if (bad->once)
            text_add(options, ",file.inject-error.%u.once=on", *count);
        ++*count;
    }
}

/* The options of blkdebug for the bad sectors of one device, or of none if `device` is 0. */
static bool walk(const char *list, unsigned device, char **options)
{
    char *copy = text_copy(list), *rest = copy, *entry;
    unsigned count = 0;
    bool good = true;

    *options = text_copy("");
    while (good && (entry = strsep(&rest, ","))) {
        struct bad_sector bad;

        good = parse(entry, &bad);
        if (good && bad.device == device)
            add_rules(&bad, &count, options);
    }
    free(copy);
    return good;
}

bool disks_take_bad_sectors(const char *value)
{
    char *options;
    bool good = walk(value, 0, &options);

    free(options);
    return good;
}

/* path: as an option's value */
static void add_drive(const struct machine *machine, unsigned device, const char *how,
                      const char *path, struct words *argv)
{
    char *errors = text_copy("");

    if (machine->bad_sectors) {
        free(errors);
        walk(machine->bad_sectors, device, &errors);
    }
    words_add(argv, "-drive");
    if (*errors)
        words_add(argv,
                  "%s,format=raw,cache=unsafe,file.driver=blkdebug,file.image.driver=file,"
                  "file.image.filename=%s%s",
                  how, path, errors);
    else
        words_add(argv, "%s,format=raw,cache=unsafe,file=%s", how, path);
    free(errors);
}

void disks_qemu(const struct machine *machine, const struct run_files *files, bool q35,
                struct words *argv)
{
    char *disk = qemu_value(files->disk);
    char *sata = qemu_value(files->sata);

    if (machine->devices & DEVICE_IDE) {
        add_drive(machine, DEVICE_IDE, q35 ? "if=none,id=disk0" : "if=ide,id=disk0", disk, argv);
        if (q35)
            words_add_all(argv, "-device", "piix3-ide,id=piix", "-device",
                          "ide-hd,bus=piix.0,drive=disk0", NULL);
    }
    if (machine->devices & DEVICE_AHCI) {
        add_drive(machine, DEVICE_AHCI, "if=none,id=sata0", sata, argv);
        words_add_all(argv, "-device", "ich9-ahci,id=ahci", "-device",
                      "ide-hd,bus=ahci.0,drive=sata0", NULL);
    }
    free(disk);
    free(sata);
}
