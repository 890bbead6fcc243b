// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/machine.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ci/runner/disks.h"
#include "ci/runner/host.h"
#include "ci/runner/monitor.h"

/* 36 physical address bits and NX on a 32-bit CPU. */
#define CORE_DUO "coreduo,+pse36,+nx"

#define DEFAULT_MEM_BYTES (UINT64_C(6) << 30)

/* What an emulator needs besides the guest's memory. */
#define HOST_OVERHEAD_BYTES (UINT64_C(512) << 20)

static const struct {
    const char *name, *type, *cpu;
    const char *needs[4];
} firmwares[FIRMWARES] = {
    [FIRMWARE_OVMF_X64] = {"ovmf-x64", "pc", "qemu64", {"paeload-x64.efi"}},
    [FIRMWARE_OVMF_IA32] = {"ovmf-ia32", "q35", CORE_DUO, {"paeload-ia32.efi"}},
    [FIRMWARE_BIOS] = {"bios", "pc", CORE_DUO, {"paeload.elf"}},
    [FIRMWARE_GRUB] = {"grub", "pc", CORE_DUO, {"paeload.elf"}},
    [FIRMWARE_GRUB_MB1] = {"grub-mb1", "pc", CORE_DUO, {"paeload.elf"}},
    [FIRMWARE_IPXE_BIOS] = {"ipxe-bios", "pc", CORE_DUO, {"netboot/boot.ipxe"}},
    [FIRMWARE_IPXE_UEFI] = {"ipxe-uefi", "pc", "qemu64", {"netboot/boot.ipxe"}},
    [FIRMWARE_PXE_IA32] = {"pxe-ia32", "q35", CORE_DUO, {"netboot/paeload-ia32.efi"}},
    [FIRMWARE_BOCHS] = {"bochs", "i440fx", "core_duo_t2400_yonah", {"paeload.elf"}},
};

static const char *const serial_names[] = {
    [SERIAL_COM1] = "com1",
    [SERIAL_COM2] = "com2",
    [SERIAL_E9] = "e9",
};
#define SERIALS (sizeof(serial_names) / sizeof(serial_names[0]))

void machine_init(struct machine *machine)
{
    *machine = (struct machine){
        .firmware = FIRMWARE_OVMF_X64,
        .mem_bytes = DEFAULT_MEM_BYTES,
        .devices = DEVICES_DEFAULT,
        .timeout_s = MACHINE_TIMEOUT_S,
        .silence_s = MACHINE_SILENCE_S,
        .args = text_copy(""),
        .qemu_extra = text_copy(""),
        .accel = text_copy("tcg"),
        .vga = text_copy("std"),
    };
}

const char *firmware_name(enum firmware firmware)
{
    return firmwares[firmware].name;
}

const char *serial_name(enum serial_port serial)
{
    return serial_names[serial];
}

const char *machine_type(const struct machine *machine)
{
    return machine->type ? machine->type : firmwares[machine->firmware].type;
}

const char *machine_cpu(const struct machine *machine)
{
    return machine->cpu ? machine->cpu : firmwares[machine->firmware].cpu;
}

bool machine_takes_options(const struct machine *machine)
{
    return machine->firmware != FIRMWARE_PXE_IA32;
}

const char *const *machine_needs(const struct machine *machine)
{
    return firmwares[machine->firmware].needs;
}

char *size_text(uint64_t bytes)
{
    static const struct {
        unsigned shift;
        char suffix;
    } units[] = {{40, 'T'}, {30, 'G'}, {20, 'M'}, {10, 'K'}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (bytes && !(bytes & ((UINT64_C(1) << units[i].shift) - 1)))
            return text("%" PRIu64 "%c", bytes >> units[i].shift, units[i].suffix);
    }
    return text("%" PRIu64, bytes);
}

bool size_parse(const char *s, uint64_t *bytes)
{
    static const char suffixes[] = "KMGT";
    unsigned shift = 0;
    char *end;

    if (!isdigit((unsigned char)*s))
        return false;
    errno = 0;
    uint64_t number = strtoull(s, &end, 0);
    if (*end) {
        const char *suffix = strchr(suffixes, toupper((unsigned char)*end));
        if (!suffix || end[1])
            return false;
        shift = 10 * (unsigned)(suffix - suffixes + 1);
    }
    if (errno || !number || number > UINT64_MAX >> shift)
        return false;
    *bytes = number << shift;
    return true;
}

static void replace(char **field, const char *value)
{
    free(*field);
    *field = text_copy(value);
}

static int bad(char **message, const char *key, const char *value, const char *wanted)
{
    *message = text("%s=%s: %s", key, value, wanted);
    return -EINVAL;
}

/* All the names of a set, for a message; for free(). */
static char *firmware_list(void)
{
    char *list = text("one of");

    for (int i = 0; i < FIRMWARES; i++)
        text_add(&list, " %s", firmwares[i].name);
    return list;
}

static int set_firmware(struct machine *machine, const char *value, char **message)
{
    for (int i = 0; i < FIRMWARES; i++) {
        if (!strcmp(value, firmwares[i].name)) {
            machine->firmware = (enum firmware)i;
            return 0;
        }
    }
    char *list = firmware_list();
    bad(message, "FIRMWARE", value, list);
    free(list);
    return -EINVAL;
}

static int set_devices(struct machine *machine, const char *value, char **message)
{
    unsigned set = 0;
    char *copy = text_copy(value), *rest = copy, *name;
    int error = 0;

    while (!error && strcmp(value, "none") && (name = strsep(&rest, ","))) {
        unsigned bit = device_by_name(name);

        set |= bit;
        if (!bit) {
            char *known = devices_names(~0u);
            char *wanted =
                *name ? text("%s is none of %s", name, known) : text("names of %s", known);

            error = bad(message, "DEVICES", value, wanted);
            free(wanted);
            free(known);
        }
    }
    free(copy);
    if (!error)
        machine->devices = set;
    return error;
}

static int set_serial(struct machine *machine, const char *value, char **message)
{
    for (size_t i = 0; i < SERIALS; i++) {
        if (!strcmp(value, serial_names[i])) {
            machine->serial = (enum serial_port)i;
            return 0;
        }
    }
    return bad(message, "SERIAL", value, "one of com1 com2 e9");
}

static int set_seconds(unsigned *seconds, const char *key, const char *value, char **message)
{
    int used = 0;

    if (sscanf(value, "%u%n", seconds, &used) != 1 || value[used] || !*seconds)
        return bad(message, key, value, "a number of seconds");
    return 0;
}

/* As the payload takes it: lib/option.h. */
static int set_seed(struct machine *machine, const char *value, char **message)
{
    const char *digits = value + (strncasecmp(value, "0x", 2) ? 0 : 2);
    bool random = !strcmp(value, "random");

    if (!random &&
        (!*digits || strlen(digits) > 16 || digits[strspn(digits, "0123456789abcdefABCDEF")]))
        return bad(message, "SEED", value, "a hexadecimal number of at most 64 bits, or random");
    replace(&machine->seed, random ? NULL : value);
    return 0;
}

/* A name becomes a folder under build/run. */
static int set_name(struct machine *machine, const char *value, char **message)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "_.-/";

    if (!*value || value[strspn(value, allowed)] || *value == '/' || *value == '.' ||
        strstr(value, "/."))
        return bad(message, "NAME", value,
                   "letters, digits, _ . - and / only, no part of which begins with a dot");
    replace(&machine->name, value);
    return 0;
}

int machine_set(struct machine *machine, const char *key, const char *value, char **message)
{
    const struct {
        const char *key;
        char **field;
    } texts[] = {
        {"machine", &machine->type},          {"cpu", &machine->cpu},     {"args", &machine->args},
        {"qemu_extra", &machine->qemu_extra}, {"accel", &machine->accel}, {"vga", &machine->vga},
    };

    *message = NULL;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!strcasecmp(key, texts[i].key)) {
            replace(texts[i].field, value);
            return 0;
        }
    }
    if (!strcasecmp(key, "seed"))
        return set_seed(machine, value, message);
    if (!strcasecmp(key, "firmware"))
        return set_firmware(machine, value, message);
    if (!strcasecmp(key, "devices"))
        return set_devices(machine, value, message);
    if (!strcasecmp(key, "serial"))
        return set_serial(machine, value, message);
    if (!strcasecmp(key, "name"))
        return set_name(machine, value, message);
    if (!strcasecmp(key, "timeout"))
        return set_seconds(&machine->timeout_s, "TIMEOUT", value, message);
    if (!strcasecmp(key, "silence"))
        return set_seconds(&machine->silence_s, "SILENCE", value, message);
    if (!strcasecmp(key, "mem"))
        return size_parse(value, &machine->mem_bytes)
                   ? 0
                   : bad(message, "MEM", value, "a size such as 512M or 6G");
    if (!strcasecmp(key, "oracle")) {
        replace(&machine->oracle, strcmp(value, "no") ? value : NULL);
        return *value ? 0 : bad(message, "ORACLE", value, "yes, no, or names of points");
    }
    if (!strcasecmp(key, "bad_sectors")) {
        replace(&machine->bad_sectors, value);
        return disks_take_bad_sectors(value)
                   ? 0
                   : bad(message, "BAD_SECTORS", value, "ide:SECTOR, ahci:SECTOR:once, ...");
    }
    if (!strcasecmp(key, "monitor")) {
        replace(&machine->monitor, value);
        return monitor_takes(value) ? 0 : bad(message, "MONITOR", value, "REGEX => COMMAND; ...");
    }
    if (!strcasecmp(key, "icount")) {
        machine->icount = !strcmp(value, "yes");
        return machine->icount || !strcmp(value, "no") ? 0
                                                       : bad(message, "ICOUNT", value, "yes or no");
    }
    return -ENOENT;
}

void machine_fit(struct machine *machine)
{
    /* Bochs keeps most of a guest's memory in a file. */
    machine->beyond_host = machine->firmware != FIRMWARE_BOCHS &&
                           machine->mem_bytes + HOST_OVERHEAD_BYTES > host_memory_available();
    machine->sampled |= machine->beyond_host;
}

void machine_free(struct machine *machine)
{
    free(machine->name);
    free(machine->type);
    free(machine->cpu);
    free(machine->args);
    free(machine->qemu_extra);
    free(machine->accel);
    free(machine->vga);
    free(machine->seed);
    free(machine->oracle);
    free(machine->bad_sectors);
    free(machine->monitor);
    *machine = (struct machine){0};
}
