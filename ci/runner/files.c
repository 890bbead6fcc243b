// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ci/runner/image.h"
#include "ci/runner/process.h"
#include "ci/runner/written.h"

#define LOCK_NAME ".lock"
#define TREE_DEPTH 16 /* file descriptors that a walk of a folder may hold */

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

static int make_folders(const char *path)
{
    char *copy = text_copy(path);
    int error = 0;

    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0777) && errno != EEXIST)
            error = -errno;
        *slash = '/';
    }
    if (mkdir(copy, 0777) && errno != EEXIST)
        error = -errno;
    free(copy);
    return error;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, TREE_DEPTH, FTW_DEPTH | FTW_PHYS);
}

/* Removes the files of an earlier run; folders of other runs lie in it too and stay. */
static void clear_folder(const char *dir)
{
    DIR *open_dir = opendir(dir);
    struct dirent *entry;

    if (!open_dir)
        return;
    while ((entry = readdir(open_dir))) {
        if (entry->d_type == DT_DIR || !strcmp(entry->d_name, LOCK_NAME))
            continue;
        char *path = text("%s/%s", dir, entry->d_name);
        unlink(path);
        free(path);
    }
    closedir(open_dir);
}

static int take_lock(struct run_files *files)
{
    char *path = text("%s/" LOCK_NAME, files->dir);
    int error = 0;

    files->lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    if (files->lock < 0)
        error = -errno;
    else if (flock(files->lock, LOCK_EX | LOCK_NB))
        error = errno == EWOULDBLOCK ? -EBUSY : -errno;
    free(path);
    return error;
}

int files_open(struct run_files *files, const char *build, const char *name, char **message)
{
    char *dir = text("%s/run/%s", build, name);

    *files = (struct run_files){
        .build = text_copy(build),
        .dir = dir,
        .serial = text("%s/serial.log", dir),
        .emulator_log = text("%s/emulator.log", dir),
        .command = text("%s/command", dir),
        .xml = text("%s/report.xml", dir),
        .json = text("%s/report.json", dir),
        .html = text("%s/report.html", dir),
        .floppy = text("%s/floppy.img", dir),
        .disk = text("%s/disk.img", dir),
        .sata = text("%s/sata.img", dir),
        .iso = text("%s/boot.iso", dir),
        .tftp = text("%s/tftp", dir),
        .bochsrc = text("%s/bochsrc", dir),
        .bochs_script = text("%s/bochs.rc", dir),
        .lock = -1,
    };
    int error = make_folders(dir);
    if (!error)
        error = take_lock(files);
    if (error == -EBUSY)
        *message = text("another run is using %s; choose another with NAME=", dir);
    else if (error)
        *message = text("%s: %s", dir, strerror(-error));
    if (error)
        return error;
    clear_folder(dir);
    return 0;
}

int file_write(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return -errno;
    int error = fputs(content, file) == EOF ? -EIO : 0;
    if (fclose(file) && !error)
        error = -errno;
    return error;
}

static int copy_file(const char *from, const char *to)
{
    char buffer[1 << 16];
    size_t length;
    FILE *in = fopen(from, "rb");
    if (!in)
        return -errno;
    FILE *out = fopen(to, "wb");
    int error = 0;

    if (!out) {
        error = -errno;
        fclose(in);
        return error;
    }
    while (!error && (length = fread(buffer, 1, sizeof(buffer), in)))
        error = fwrite(buffer, 1, length, out) == length ? 0 : -EIO;
    if (!error && ferror(in))
        error = -EIO;
    fclose(in);
    if (fclose(out) && !error)
        error = -errno;
    return error;
}

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
    struct words words = {0};
    char *copy = text_copy(options), *rest = copy, *word;
    char *script = text(GRUB_START "%s /boot/paeload.elf", command);

    while ((word = strsep(&rest, " "))) {
        if (!*word)
            continue;
        words_free(&words);
        words_add(&words, "%s", word);
        char *quoted = words_join(&words);
        char *longer = text("%s %s", script, quoted);
        free(quoted);
        free(script);
        script = longer;
    }
    char *whole = text("%s" GRUB_END, script);
    free(script);
    free(copy);
    words_free(&words);
    return whole;
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
    remove_tree(root);
    int error = make_folders(grub_dir);
    if (!error)
        error = file_write(config, script);
    if (!error)
        error = copy_file(elf, kernel);
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

    remove_tree(files->tftp);
    int error = make_folders(files->tftp);
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

int files_make_media(const struct run_files *files, const struct machine *machine,
                     const char *options, char **message)
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

int files_check_media(const struct run_files *files, const struct machine *machine, char **message)
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

void files_drop_media(const struct run_files *files)
{
    char *root = text("%s/iso", files->dir);

    unlink(files->floppy);
    unlink(files->disk);
    unlink(files->sata);
    unlink(files->iso);
    remove_tree(root);
    remove_tree(files->tftp);
    free(root);
}

void files_close(struct run_files *files)
{
    free(files->build);
    free(files->dir);
    free(files->serial);
    free(files->emulator_log);
    free(files->command);
    free(files->xml);
    free(files->json);
    free(files->html);
    free(files->floppy);
    free(files->disk);
    free(files->sata);
    free(files->iso);
    free(files->tftp);
    free(files->bochsrc);
    free(files->bochs_script);
    if (files->lock >= 0)
        close(files->lock);
    *files = (struct run_files){.lock = -1};
}
