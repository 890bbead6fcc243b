// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The pcap format: a header, and one in front of each frame (draft-ietf-opsawg-pcap). */
#define PCAP_HEADER_BYTES 24
struct pcap_record {
    uint32_t seconds, microseconds;
    uint32_t kept_bytes, frame_bytes;
};

static const struct card {
    unsigned device;
    const char *name; /* of the device's key, and in those of the file and the wire */
    const char *qemu; /* QEMU's name of the device */
} cards[] = {
    {DEVICE_RTL8139, "rtl8139", "rtl8139"},
    {DEVICE_E1000, "e1000", "e1000"},
    {DEVICE_PCNET, "pcnet", "pcnet"},
    {DEVICE_I8255X, "i8255x", "i82559er"},
    {DEVICE_TULIP, "tulip", "tulip"},
    {DEVICE_E1000_82545EM, "e1000-82545em", "e1000-82545em"},
    {DEVICE_E1000_82544GC, "e1000-82544gc", "e1000-82544gc"},
};
#define CARDS (sizeof(cards) / sizeof(cards[0]))

static char *record_path(const struct run_files *files, const struct card *card)
{
    return text("%s/wire-%s.pcap", files->dir, card->name);
}

/* Only QEMU keeps records. */
static bool has_card(const struct machine *machine, const struct card *card)
{
    return (machine->devices & card->device) && machine->firmware != FIRMWARE_BOCHS;
}

void wire_qemu(const struct machine *machine, const struct run_files *files, struct words *argv)
{
    for (size_t i = 0; i < CARDS; i++) {
        const struct card *card = &cards[i];

        if (!has_card(machine, card))
            continue;
        char *path = record_path(files, card);
        char *quoted = qemu_value(path);
        words_add(argv, "-netdev");
        words_add(argv, "hubport,id=wire-%s,hubid=0", card->name);
        words_add(argv, "-object");
        words_add(argv, "filter-dump,id=record-%s,netdev=wire-%s,file=%s", card->name, card->name,
                  quoted);
        words_add(argv, "-device");
        words_add(argv, "%s,romfile=,netdev=wire-%s", card->qemu, card->name);
        free(quoted);
        free(path);
    }
}

/* What is wrong with a record, for free(), or NULL. */
static char *judge_record(const struct card *card, const char *path)
{
    struct pcap_record record;
    char header[PCAP_HEADER_BYTES];
    FILE *file = fopen(path, "r");
    char *wrong = NULL;

    if (!file)
        return text("wire: %s: %s", path, strerror(errno));
    if (fread(header, sizeof(header), 1, file) != 1)
        wrong = text("wire: %s has no header", path);
    else if (fread(&record, sizeof(record), 1, file) == 1)
        wrong = text("wire: %s sent or got a frame of %" PRIu32 " bytes; see %s", card->name,
                     record.frame_bytes, path);
    fclose(file);
    return wrong;
}

void wire_check(const struct machine *machine, const struct run_files *files,
                struct words *problems)
{
    for (size_t i = 0; i < CARDS; i++) {
        if (!has_card(machine, &cards[i]))
            continue;
        char *path = record_path(files, &cards[i]);
        char *wrong = judge_record(&cards[i], path);

        if (wrong)
            words_add(problems, "%s", wrong);
        free(wrong);
        free(path);
    }
}

void wire_drop(const struct machine *machine, const struct run_files *files)
{
    for (size_t i = 0; i < CARDS; i++) {
        if (!has_card(machine, &cards[i]))
            continue;
        char *path = record_path(files, &cards[i]);

        unlink(path);
        free(path);
    }
}
