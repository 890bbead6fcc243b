// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME ".lock"
#define TREE_DEPTH 16 /* file descriptors that a walk of a folder may hold */

int folders_make(const char *path)
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

void folder_remove(const char *path)
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
    int error = folders_make(dir);
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
    int error = fputs(content, file) == EOF ? -errno : 0;
    if (fclose(file) && !error)
        error = -errno;
    return error;
}

int file_copy(const char *from, const char *to)
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
        error = fwrite(buffer, 1, length, out) == length ? 0 : -errno;
    if (!error && ferror(in))
        error = -EIO;
    fclose(in);
    if (fclose(out) && !error)
        error = -errno;
    return error;
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
