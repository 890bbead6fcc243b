// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/devices.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned bit;
    const char *qemu;  /* arguments, or NULL */
    const char *bochs; /* a line, or NULL */
} kinds[] = {
    {"floppy", DEVICE_FLOPPY, NULL, NULL},
    {"floppy-empty", DEVICE_EMPTY_FLOPPY, "-device floppy,drive-type=144",
     "floppya: type=1_44, status=ejected"},
    {"ide", DEVICE_IDE, NULL, NULL},
    {"edu", DEVICE_EDU, "-device edu", NULL},
    {"edu28", DEVICE_EDU28, "-device edu,dma_mask=0xfffffff", NULL},
    {"edu32", DEVICE_EDU32, "-device edu,dma_mask=0xffffffff", NULL},
    {"edu64", DEVICE_EDU64, "-device edu,dma_mask=0xffffffffffffffff", NULL},
    {"rtl8139", DEVICE_RTL8139, NULL, NULL},
    /* A slot, and a network that nothing is connected to. */
    {"e1000", DEVICE_E1000, NULL,
     "pci: slot1=e1000\n"
     "e1000: enabled=1, mac=52:54:00:12:34:56, ethmod=slirp"},
    {"e1000-82545em", DEVICE_E1000_82545EM, NULL, NULL},
    {"e1000-82544gc", DEVICE_E1000_82544GC, NULL, NULL},
    {"pcnet", DEVICE_PCNET, NULL, NULL},
    {"i8255x", DEVICE_I8255X, NULL, NULL},
    {"tulip", DEVICE_TULIP, NULL, NULL},
    {"es1370", DEVICE_ES1370, NULL, NULL},
    {"ac97", DEVICE_AC97, NULL, NULL},
    {"sb16", DEVICE_SB16, NULL, NULL},
    {"uhci", DEVICE_UHCI, "-device piix3-usb-uhci", "usb_uhci: enabled=1"},
    {"ahci", DEVICE_AHCI, NULL, NULL},
    {"lsi", DEVICE_LSI, "-device lsi53c895a", NULL},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

unsigned device_by_name(const char *name)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (!strcmp(kinds[i].name, name))
            return kinds[i].bit;
    }
    return 0;
}

char *devices_names(unsigned devices)
{
    char *names = NULL;

    for (size_t i = 0; i < KINDS; i++) {
        if (devices & kinds[i].bit)
            text_add(&names, "%s%s", names ? "," : "", kinds[i].name);
    }
    return names ? names : text_copy("none");
}

char *devices_setting(unsigned devices)
{
    return devices == DEVICES_DEFAULT ? NULL : devices_names(devices);
}

void devices_qemu(unsigned devices, struct words *argv)
{
    for (size_t i = 0; i < KINDS; i++) {
        if ((devices & kinds[i].bit) && kinds[i].qemu)
            words_split(argv, kinds[i].qemu);
    }
}

const char *devices_not_in_bochs(unsigned devices)
{
    /* These have code of their own: bochs.c, sound.c. */
    const unsigned others = DEVICE_FLOPPY | DEVICE_IDE | DEVICE_ES1370 | DEVICE_SB16;

    for (size_t i = 0; i < KINDS; i++) {
        if ((devices & ~others & kinds[i].bit) && !kinds[i].bochs)
            return kinds[i].name;
    }
    return NULL;
}

char *devices_bochs(unsigned devices)
{
    char *lines = text_copy("");

    for (size_t i = 0; i < KINDS; i++) {
        if ((devices & kinds[i].bit) && kinds[i].bochs)
            text_add(&lines, "%s\n", kinds[i].bochs);
    }
    return lines;
}
