// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/emulator.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ci/runner/disks.h"
#include "ci/runner/monitor.h"
#include "ci/runner/oracle.h"
#include "ci/runner/sound.h"
#include "ci/runner/wire.h"

#define OVMF_X64 "/usr/share/ovmf/OVMF.fd"
#define OVMF_IA32_CODE "/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd"
#define OVMF_IA32_VARS "/usr/share/OVMF/OVMF32_VARS_4M.fd"

char *qemu_value(const char *value)
{
    char *result = malloc(2 * strlen(value) + 1), *out = result;

    if (!result)
        abort();
    for (; *value; value++) {
        *out++ = *value;
        if (*value == ',')
            *out++ = ',';
    }
    *out = '\0';
    return result;
}

static bool is_q35(const struct machine *machine)
{
    return !strncmp(machine_type(machine), "q35", strlen("q35"));
}

static bool is_uefi_ia32(const struct machine *machine)
{
    return machine->firmware == FIRMWARE_OVMF_IA32 || machine->firmware == FIRMWARE_PXE_IA32;
}

static void add_board(const struct machine *machine, struct words *argv)
{
    char *size = size_text(machine->mem_bytes);
    char *type = text("%s%s%s", machine_type(machine), is_uefi_ia32(machine) ? ",smm=on" : "",
                      machine->beyond_host ? ",memory-backend=ram" : "");

    if (machine->beyond_host) {
        words_add(argv, "-object");
        words_add(argv, "memory-backend-ram,id=ram,size=%s,reserve=off", size);
    }
    words_add_all(argv, "-machine", type, "-accel", machine->accel, "-cpu", machine_cpu(machine),
                  "-smp", "1", "-m", size, NULL);
    if (machine->icount)
        words_add_all(argv, "-icount", "shift=0,sleep=off", NULL);
    free(type);
    free(size);
}

static void add_firmware(const struct machine *machine, struct words *argv)
{
    switch (machine->firmware) {
    case FIRMWARE_OVMF_X64:
    case FIRMWARE_IPXE_UEFI:
        words_add_all(argv, "-bios", OVMF_X64, NULL);
        break;
    case FIRMWARE_OVMF_IA32:
    case FIRMWARE_PXE_IA32:
        /* Debian has the secure-boot build only, which insists on SMM and protected flash. */
        words_add_all(argv, "-global", "driver=cfi.pflash01,property=secure,value=on", "-drive",
                      "if=pflash,unit=0,format=raw,readonly=on,file=" OVMF_IA32_CODE, "-drive",
                      "if=pflash,unit=1,format=raw,snapshot=on,file=" OVMF_IA32_VARS, NULL);
        break;
    default:
        break;
    }
}

/* q35 has neither a floppy controller nor the PIIX3 IDE of a 32-bit PC; both can be added. */
static void add_devices(const struct machine *machine, const struct run_files *files,
                        struct words *argv)
{
    char *floppy = qemu_value(files->floppy);
    bool q35 = is_q35(machine);

    if (machine->devices & DEVICE_FLOPPY) {
        words_add(argv, "-drive");
        words_add(argv, "if=%s,id=floppy0,format=raw,cache=unsafe,file=%s", q35 ? "none" : "floppy",
                  floppy);
        if (q35)
            words_add_all(argv, "-device", "isa-fdc,id=fdc", "-device",
                          "floppy,bus=fdc.0,drive=floppy0", NULL);
    }
    disks_qemu(machine, files, q35, argv);
    devices_qemu(machine->devices, argv);
    sound_qemu(machine, files, argv);
    wire_qemu(machine, files, argv);
    free(floppy);
}

static void add_serial(const struct machine *machine, const struct run_files *files,
                       struct words *argv)
{
    char *path = qemu_value(files->serial);

    words_add(argv, "-chardev");
    words_add(argv, "file,id=report,path=%s", path);
    switch (machine->serial) {
    case SERIAL_COM1:
        words_add_all(argv, "-serial", "chardev:report", NULL);
        break;
    case SERIAL_COM2:
        words_add_all(argv, "-serial", "null", "-serial", "chardev:report", NULL);
        break;
    case SERIAL_E9:
        words_add_all(argv, "-serial", "none", "-device", "isa-debugcon,iobase=0xe9,chardev=report",
                      NULL);
        break;
    }
    free(path);
}

static void add_network(const struct run_files *files, const char *boot_file, const char *card,
                        struct words *argv)
{
    char *folder = qemu_value(files->tftp);

    words_add(argv, "-netdev");
    words_add(argv, "user,id=net,tftp=%s,bootfile=%s", folder, boot_file);
    words_add(argv, "-device");
    words_add(argv, "%s,netdev=net,bootindex=0", card);
    free(folder);
}

static void add_boot(const struct machine *machine, const struct run_files *files,
                     const char *options, struct words *argv)
{
    char *iso = qemu_value(files->iso);

    switch (machine->firmware) {
    case FIRMWARE_OVMF_X64:
    case FIRMWARE_OVMF_IA32:
    case FIRMWARE_BIOS:
        words_add(argv, "-kernel");
        words_add(argv, "%s/%s", files->build, machine_needs(machine)[0]);
        words_add_all(argv, "-append", options, NULL);
        break;
    case FIRMWARE_GRUB:
    case FIRMWARE_GRUB_MB1:
        words_add(argv, "-drive");
        words_add(argv, "if=ide,index=2,media=cdrom,format=raw,readonly=on,file=%s", iso);
        words_add_all(argv, "-boot", "d", NULL);
        break;
    case FIRMWARE_IPXE_BIOS:
    case FIRMWARE_IPXE_UEFI:
        add_network(files, "run.ipxe", "e1000", argv);
        break;
    case FIRMWARE_PXE_IA32:
        /* The card brings no ROM: the firmware's own PXE is what is meant here. */
        add_network(files, "paeload-ia32.efi", "virtio-net-pci,romfile=", argv);
        break;
    default:
        break;
    }
    free(iso);
}

bool qemu_command(const struct machine *machine, const struct run_files *files, const char *options,
                  struct words *argv)
{
    words_add_all(argv, "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
                  "-no-reboot", "-vga", machine->vga, NULL);
    add_board(machine, argv);
    add_firmware(machine, argv);
    add_devices(machine, files, argv);
    add_serial(machine, files, argv);
    words_add_all(argv, "-device", "isa-debug-exit,iobase=0xf4,iosize=4", NULL);
    oracle_arguments(machine, files, argv);
    monitor_arguments(machine, files, argv);
    add_boot(machine, files, options, argv);
    return words_split(argv, machine->qemu_extra);
}
