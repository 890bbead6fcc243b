// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/sound.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ci/array.h"
#include "ci/runner/wav.h"

/* The file must have the rate that the driver sets: then no sample is computed from others. */
static const struct sound {
    unsigned device;
    const char *name;    /* of the file */
    const char *clients; /* a glob */
    const char *qemu;    /* QEMU's name of the device */
    const char *bochs;   /* what Bochs' line begins with, or NULL if it has no such device */
    unsigned rate_hz;
    bool records;    /* in QEMU, if there is a source */
    bool qemu_mutes; /* QEMU does what the mixer says; Bochs always does */
} sounds[] = {
    {DEVICE_ES1370, "es1370", "es1370", "ES1370", "es1370: enabled=1", 44100, true, false},
    {DEVICE_AC97, "ac97", "ac97", "AC97", NULL, 48000, true, true},
    {DEVICE_SB16, "sb16", "sb16_*", "sb16", "sb16: enabled=1, dmatimer=1000000, loglevel=0", 44100,
     false, false},
};
#define SOUNDS (sizeof(sounds) / sizeof(sounds[0]))

static char *wav_path(const struct run_files *files, const struct sound *sound)
{
    return text("%s/%s.wav", files->dir, sound->name);
}

void sound_qemu(const struct machine *machine, const struct run_files *files, struct words *argv)
{
    for (size_t i = 0; i < SOUNDS; i++) {
        const struct sound *sound = &sounds[i];

        if (!(machine->devices & sound->device))
            continue;
        char *path = wav_path(files, sound);
        char *quoted = qemu_value(path);
        words_add(argv, "-audiodev");
        words_add(argv,
                  "wav,id=%s,path=%s,out.frequency=%u,out.format=s16,out.channels=2,"
                  "out.fixed-settings=on",
                  sound->name, quoted, sound->rate_hz);
        words_add(argv, "-device");
        words_add(argv, "%s,audiodev=%s", sound->qemu, sound->name);
        free(quoted);
        free(path);
        if (!sound->records)
            continue;
        words_add(argv, "-audiodev");
        words_add(argv, "none,id=%s_source", sound->name);
        words_add(argv, "-device");
        words_add(argv, "%s,audiodev=%s_source", sound->qemu, sound->name);
    }
}

char *sound_bochs(const struct machine *machine, const struct run_files *files)
{
    char *lines = text_copy("");

    for (size_t i = 0; i < SOUNDS; i++) {
        const struct sound *sound = &sounds[i];

        if (!(machine->devices & sound->device) || !sound->bochs)
            continue;
        char *path = wav_path(files, sound);
        text_add(&lines, "%s, midimode=0, wavemode=2, wavefile=\"%s\"\n", sound->bochs, path);
        free(path);
    }
    return lines;
}

/* The blocks that the log says were played into the file. NULL with *wrong if it can't be read. */
static struct wav_block *read_log(const struct run_files *files, const struct sound *sound,
                                  bool mutes, size_t *count, char **wrong)
{
    FILE *log = fopen(files->serial, "r");
    struct wav_block *blocks = calloc(1, sizeof(*blocks)), block;
    char *line = NULL;
    size_t room = 0;

    if (!blocks)
        abort();
    *count = 0;
    if (!log)
        *wrong = text("%s: %s", files->serial, strerror(errno));
    while (log && !*wrong && getline(&line, &room, log) >= 0) {
        int found = 0;

        line[strcspn(line, "\r\n")] = '\0';
        found = wav_block_parse(line, &block);
        if (found < 0)
            *wrong = text("\"%s\" names no block", line);
        if (found <= 0 || fnmatch(sound->clients, block.client, 0))
            continue;
        /* Then there must be nothing of it. */
        if (mutes && block.muted)
            continue;
        *array_add(&blocks, count) = block;
    }
    free(line);
    if (log)
        fclose(log);
    return blocks;
}

/* A file that is not there is silent. */
static char *read_wav(const char *path, struct wav *wav)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    char *wrong = NULL;
    long size = 0;

    *wav = (struct wav){.channels = 2};
    if (!file)
        return errno == ENOENT ? NULL : text("%s", strerror(errno));
    if (!fseek(file, 0, SEEK_END))
        size = ftell(file);
    rewind(file);
    if (size > 0) {
        bytes = malloc((size_t)size);
        if (!bytes)
            abort();
        if (fread(bytes, 1, (size_t)size, file) == (size_t)size)
            wav_parse(wav, bytes, (size_t)size, &wrong);
        else
            wrong = text("%s", strerror(EIO));
    }
    free(bytes);
    fclose(file);
    return wrong;
}

void sound_check(const struct machine *machine, const struct run_files *files,
                 struct words *problems)
{
    for (size_t i = 0; i < SOUNDS; i++) {
        struct wav wav = {0};
        char *wrong = NULL;
        size_t count = 0;

        if (!(machine->devices & sounds[i].device))
            continue;
        char *path = wav_path(files, &sounds[i]);
        bool mutes = sounds[i].qemu_mutes || machine->firmware == FIRMWARE_BOCHS;
        struct wav_block *blocks = read_log(files, &sounds[i], mutes, &count, &wrong);
        if (!wrong)
            wrong = read_wav(path, &wav);
        if (!wrong)
            wrong = wav_compare(&wav, blocks, count);
        if (wrong)
            words_add(problems, "sound %s: %s", path, wrong);
        wav_free(&wav);
        free(wrong);
        free(blocks);
        free(path);
    }
}

void sound_drop(const struct machine *machine, const struct run_files *files)
{
    for (size_t i = 0; i < SOUNDS; i++) {
        char *path = wav_path(files, &sounds[i]);

        if (machine->devices & sounds[i].device)
            unlink(path);
        free(path);
    }
}
