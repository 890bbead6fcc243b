// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/media.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ci/runner/image.h"
#include "ci/runner/process.h"
#include "ci/runner/written.h"

/* grub-mkrescue packs every module there is unless it is told which; these boot an ELF. */
#define GRUB_MODULES \
    "multiboot multiboot2 normal configfile iso9660 biosdisk part_msdos all_video serial halt"

/* GRUB speaks on the serial line too, so that its errors are in the log; after one it switches off.
 */
#define GRUB_START "set timeout=0\nserial --speed=115200\nterminal_output console serial\n"
#define GRUB_END "\nboot\nhalt\n"

static const struct {
    unsigned device;
    const char *name;
    enum image_id id;
    uint64_t bytes;
    const char *medium, *client; /* for destructive=, and in the report */
} media[] = {
    {DEVICE_FLOPPY, "floppy.img", IMAGE_FLOPPY, IMAGE_FLOPPY_BYTES, "fd0", "floppy"},
    {DEVICE_IDE, "disk.img", IMAGE_DISK, IMAGE_DISK_BYTES, "hda", "ide0"},
    {DEVICE_AHCI, "sata.img", IMAGE_SATA, IMAGE_DISK_BYTES, "sda", "ahci0"},
};
#define MEDIA (sizeof(media) / sizeof(media[0]))

static int make_images(const struct run_files *files, const struct machine *machine, char **message)
{
    int error = 0;

    for (size_t i = 0; i < MEDIA && !error; i++) {
        if (!(machine->devices & media[i].device))
            continue;
        char *path = text("%s/%s", files->dir, media[i].name);
        error = image_create(path, media[i].id, media[i].bytes);
        if (error)
            *message = text("%s: %s", path, strerror(-error));
        free(path);
    }
    return error;
}

/* The boot options as words of GRUB's script, so that nothing in them means anything there. */
static char *grub_script(const char *command, const char *options)
{
    char *copy = text_copy(options), *rest = copy, *word;
    char *script = text(GRUB_START "%s /boot/paeload.elf", command);

    while ((word = strsep(&rest, " "))) {
        if (!*word)
            continue;
        char *quoted = shell_quote(word);
        text_add(&script, " %s", quoted);
        free(quoted);
    }
    text_add(&script, GRUB_END);
    free(copy);
    return script;
}

/* Runs a tool of the host to its end, with its output in the emulator's log. */
static int run_tool(const struct run_files *files, const struct words *argv, char **message)
{
    struct process process;
    int error = process_start(&process, argv, files->emulator_log, 0);

    if (!error) {
        process_wait(&process);
        if (process.status)
            error = -EIO;
    }
    if (error)
        *message = text("%s failed, see %s", argv->at[0], files->emulator_log);
    return error;
}

static int make_iso(const struct run_files *files, const struct machine *machine,
                    const char *options, char **message)
{
    bool first = machine->firmware == FIRMWARE_GRUB_MB1;
    char *root = text("%s/iso", files->dir);
    char *grub_dir = text("%s/boot/grub", root);
    char *config = text("%s/grub.cfg", grub_dir);
    char *kernel = text("%s/boot/paeload.elf", root);
    char *elf = text("%s/paeload.elf", files->build);
    char *script = grub_script(first ? "multiboot" : "multiboot2", options);
    struct words argv = {0};

    words_add_all(&argv, "grub-mkrescue", "-d", "/usr/lib/grub/i386-pc",
                  "--fonts=", "--themes=", "--locales=", "--compress=no",
                  "--install-modules=" GRUB_MODULES, "-o", files->iso, root, NULL);
    folder_remove(root);
    int error = folders_make(grub_dir);
    if (!error)
        error = file_write(config, script);
    if (!error)
        error = file_copy(elf, kernel);
    if (error)
        *message = text("%s: %s", root, strerror(-error));
    else
        error = run_tool(files, &argv, message);
    words_free(&argv);
    free(script);
    free(elf);
    free(kernel);
    free(config);
    free(grub_dir);
    free(root);
    return error;
}

/* QEMU's TFTP server follows links, so the netboot folder's files need no copy. */
static int link_folder(const char *from, const char *to)
{
    char *whole = realpath(from, NULL);
    DIR *open_dir = whole ? opendir(whole) : NULL;
    struct dirent *entry;
    int error = 0;

    if (!open_dir) {
        error = -errno;
        free(whole);
        return error;
    }
    while (!error && (entry = readdir(open_dir))) {
        if (*entry->d_name == '.')
            continue;
        char *source = text("%s/%s", whole, entry->d_name);
        char *target = text("%s/%s", to, entry->d_name);
        if (symlink(source, target))
            error = -errno;
        free(source);
        free(target);
    }
    closedir(open_dir);
    free(whole);
    return error;
}

static int make_tftp(const struct run_files *files, const char *options, char **message)
{
    char *netboot = text("%s/netboot", files->build);
    char *path = text("%s/run.ipxe", files->tftp);
    char *script = text("#!ipxe\nset args %s\nchain boot.ipxe\n", options);

    folder_remove(files->tftp);
    int error = folders_make(files->tftp);
    if (!error)
        error = link_folder(netboot, files->tftp);
    if (!error)
        error = file_write(path, script);
    if (error)
        *message = text("%s: %s", files->tftp, strerror(-error));
    free(script);
    free(path);
    free(netboot);
    return error;
}

int media_make(const struct run_files *files, const struct machine *machine, const char *options,
               char **message)
{
    int error = make_images(files, machine, message);

    if (error)
        return error;
    switch (machine->firmware) {
    case FIRMWARE_GRUB:
    case FIRMWARE_GRUB_MB1:
    case FIRMWARE_BOCHS:
        return make_iso(files, machine, options, message);
    case FIRMWARE_IPXE_BIOS:
    case FIRMWARE_IPXE_UEFI:
    case FIRMWARE_PXE_IA32:
        return make_tftp(files, options, message);
    default:
        return 0;
    }
}

int media_check(const struct run_files *files, const struct machine *machine, char **message)
{
    for (size_t i = 0; i < MEDIA; i++) {
        struct written written = {0};
        uint64_t lba = 0;

        if (!(machine->devices & media[i].device))
            continue;
        char *path = text("%s/%s", files->dir, media[i].name);
        if (written_allowed(machine->args, media[i].medium))
            written_read(&written, files->serial, media[i].client);
        int result =
            image_verify(path, media[i].id, media[i].bytes, written.ranges, written.count, &lba);
        if (result > 0 && written.count)
            *message = text("%s: sector %" PRIu64 " is not what the report says was written",
                            media[i].name, lba);
        else if (result > 0)
            *message =
                text("%s was written to: sector %" PRIu64 " has changed", media[i].name, lba);
        else if (result < 0)
            *message = text("%s: %s", path, strerror(-result));
        free(path);
        written_free(&written);
        if (result)
            return 1;
    }
    return 0;
}

void media_drop(const struct run_files *files)
{
    char *root = text("%s/iso", files->dir);

    unlink(files->floppy);
    unlink(files->disk);
    unlink(files->sata);
    unlink(files->iso);
    folder_remove(root);
    folder_remove(files->tftp);
    free(root);
}
