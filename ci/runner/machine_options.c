// SPDX-License-Identifier: BSD-2-Clause
/* What the payload of a machine is told, and the command that runs it again. */
#include <stdlib.h>
#include <string.h>

#include "ci/runner/machine.h"

/* The value of the last `key=` among the boot options, for free(), or NULL. */
static char *option_value(const char *args, const char *key)
{
    struct words words = {0};
    char *value = NULL;
    size_t length = strlen(key);

    words_split(&words, args);
    for (size_t i = 0; i < words.count; i++) {
        if (!strncmp(words.at[i], key, length) && words.at[i][length] == '=') {
            free(value);
            value = text_copy(words.at[i] + length + 1);
        }
    }
    words_free(&words);
    return value;
}

enum leave machine_leave(const struct machine *machine)
{
    enum leave leave = machine->firmware == FIRMWARE_BOCHS ? LEAVE_OFF : LEAVE_QEMU;

    if (!machine_takes_options(machine))
        return LEAVE_HALT;
    char *asked = option_value(machine->args, "exit");
    if (asked)
        leave = !strcmp(asked, "qemu")       ? LEAVE_QEMU
                : !strcmp(asked, "poweroff") ? LEAVE_OFF
                : !strcmp(asked, "reboot")   ? LEAVE_OFF
                                             : LEAVE_HALT;
    free(asked);
    return leave;
}

/* One more option behind the others, unless they have that key already. NULL: none; "": a flag. */
static void add_option(char **options, const char *key, const char *value)
{
    char *present = option_value(*options, key);

    if (value && !present)
        text_add(options, "%s%s%s%s", **options ? " " : "", key, *value ? "=" : "", value);
    free(present);
}

char *machine_options(const struct machine *machine)
{
    bool oracle_all = machine->oracle && !strcmp(machine->oracle, "yes");
    char *options;

    if (!machine_takes_options(machine))
        return text_copy("");
    options = text_copy(machine->args);
    add_option(&options, "exit", machine->firmware == FIRMWARE_BOCHS ? "poweroff" : "qemu");
    add_option(&options, "seed", machine->seed);
    add_option(&options, "depth", machine->sampled ? "sparse" : NULL);
    add_option(&options, "oracle", oracle_all ? "" : machine->oracle);
    return options;
}

static void add_setting(char **command, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    char *quoted = shell_quote(value);

    text_add(command, " %s=%s", key, quoted);
    free(quoted);
}

char *machine_repeat_command(const struct machine *machine, const char *seed)
{
    char *command = text_copy("make run");
    char *mem = size_text(machine->mem_bytes);
    char *timeout = text("%u", machine->timeout_s);
    char *silence = text("%u", machine->silence_s);
    char *set = devices_setting(machine->devices);
    char *args = text_copy(machine->args);

    if (machine_takes_options(machine)) {
        add_option(&args, "depth", machine->sampled ? NULL : "smoke");
        add_option(&args, "seed", *seed ? seed : NULL);
    }

    add_setting(&command, "FIRMWARE", firmware_name(machine->firmware));
    add_setting(&command, "MACHINE", machine->type);
    add_setting(&command, "CPU", machine->cpu);
    add_setting(&command, "MEM", mem);
    add_setting(&command, "DEVICES", set);
    if (machine->serial != SERIAL_COM1)
        add_setting(&command, "SERIAL", serial_name(machine->serial));
    add_setting(&command, "ARGS", args);
    add_setting(&command, "QEMU_EXTRA", machine->qemu_extra);
    if (strcmp(machine->accel, "tcg"))
        add_setting(&command, "ACCEL", machine->accel);
    if (strcmp(machine->vga, "std"))
        add_setting(&command, "VGA", machine->vga);
    if (machine->icount)
        add_setting(&command, "ICOUNT", "yes");
    add_setting(&command, "ORACLE", machine->oracle);
    add_setting(&command, "BAD_SECTORS", machine->bad_sectors);
    add_setting(&command, "MONITOR", machine->monitor);
    if (machine->timeout_s != MACHINE_TIMEOUT_S)
        add_setting(&command, "TIMEOUT", timeout);
    if (machine->silence_s != MACHINE_SILENCE_S)
        add_setting(&command, "SILENCE", silence);

    free(silence);
    free(timeout);
    free(args);
    free(set);
    free(mem);
    return command;
}
