// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/emulator.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ci/runner/image.h"
#include "ci/runner/oracle.h"
#include "ci/runner/sound.h"

/* What Bochs holds in memory itself; the rest of a guest's memory lies in a file. */
#define HOST_MEMORY_MIB 256

#define DISK_HEADS 16
#define DISK_SECTORS_PER_TRACK 32 /* divides the image without a rest */

/*
 * About what Bochs does on a current host. It only sets how fast the guest's clocks run against
 * its instructions; with clock: sync=none they do not depend on the host at all.
 */
#define INSTRUCTIONS_PER_SECOND 50000000

static char *floppy_lines(const struct machine *machine, const struct run_files *files)
{
    if (!(machine->devices & DEVICE_FLOPPY))
        return text_copy("");
    return text("floppya: 1_44=\"%s\", status=inserted\n", files->floppy);
}

static char *disk_lines(const struct machine *machine, const struct run_files *files)
{
    if (!(machine->devices & DEVICE_IDE))
        return text_copy("");
    return text("ata0-master: type=disk, mode=flat, path=\"%s\", cylinders=%u, heads=%u, spt=%u\n",
                files->disk,
                IMAGE_DISK_BYTES / IMAGE_SECTOR_BYTES / DISK_HEADS / DISK_SECTORS_PER_TRACK,
                DISK_HEADS, DISK_SECTORS_PER_TRACK);
}

static char *serial_lines(const struct machine *machine, const struct run_files *files)
{
    if (machine->serial == SERIAL_COM2)
        return text("com1: enabled=1, mode=null\ncom2: enabled=1, mode=file, dev=\"%s\"\n",
                    files->serial);
    return text("com1: enabled=1, mode=file, dev=\"%s\"\n", files->serial);
}

char *bochs_lacks(const struct machine *machine)
{
    const struct {
        const char *key;
        bool asked;
    } settings[] = {
        {"MACHINE", machine->type},
        {"QEMU_EXTRA", *machine->qemu_extra},
        {"ACCEL", strcmp(machine->accel, "tcg")},
        {"VGA", strcmp(machine->vga, "std")},
        {"ICOUNT", machine->icount},
        {"BAD_SECTORS", machine->bad_sectors},
        {"MONITOR", machine->monitor},
        {"SERIAL=e9", machine->serial == SERIAL_E9},
    };
    const char *device =
        machine->devices == DEVICES_DEFAULT ? NULL : devices_not_in_bochs(machine->devices);

    if (machine->firmware != FIRMWARE_BOCHS)
        return NULL;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (settings[i].asked)
            return text("FIRMWARE=bochs: %s is for QEMU", settings[i].key);
    }
    return device ? text("DEVICES: Bochs has no %s", device) : NULL;
}

char *bochs_config(const struct machine *machine, const struct run_files *files)
{
    uint64_t mib = machine->mem_bytes >> 20;
    char *floppy = floppy_lines(machine, files);
    char *disk = disk_lines(machine, files);
    char *serial = serial_lines(machine, files);
    char *others = devices_bochs(machine->devices);
    char *sound = sound_bochs(machine, files);
    char *config = text("display_library: term\n"
                        "cpu: model=%s, count=1, ips=%u, reset_on_triple_fault=0\n"
                        "memory: guest=%" PRIu64 ", host=%" PRIu64 "\n"
                        "romimage: file=/usr/share/bochs/BIOS-bochs-latest\n"
                        "vgaromimage: file=/usr/share/vgabios/vgabios.bin\n"
                        "vga: extension=vbe, update_freq=2\n"
                        "pci: enabled=1, chipset=i440fx\n"
                        "clock: sync=none, time0=local\n"
                        /* The port that switches Bochs off belongs to this device. */
                        "plugin_ctrl: unmapped=1\n"
                        /*
                         * Without these two lines it opens a sound card of the host; and where
                         * there is none, its mixing thread goes on with a buffer whose length
                         * nobody set, which now and then is its end.
                         */
                        "sound: driver=dummy\n"
                        "speaker: enabled=1, mode=gui\n"
                        "%s%s%s%s%s"
                        "ata0: enabled=1\n"
                        "ata1: enabled=1\n"
                        "ata1-master: type=cdrom, path=\"%s\", status=inserted\n"
                        "boot: cdrom\n"
                        "log: \"%s\"\n"
                        "panic: action=fatal, dma=report\nerror: action=report\n"
                        "info: action=ignore\ndebug: action=ignore\n",
                        machine_cpu(machine), INSTRUCTIONS_PER_SECOND, mib,
                        mib < HOST_MEMORY_MIB ? mib : HOST_MEMORY_MIB, floppy, serial, disk, others,
                        sound, files->iso, files->emulator_log);

    free(floppy);
    free(disk);
    free(serial);
    free(others);
    free(sound);
    if (machine->oracle)
        text_add(&config, "magic_break: enabled=1\n");
    return config;
}

void bochs_command(const struct machine *machine, const struct run_files *files, struct words *argv)
{
    words_add_all(argv, "bochs", "-q", "-f", files->bochsrc, "-rc", files->bochs_script, NULL);
    oracle_arguments(machine, files, argv);
}
