// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/oracle.h"

#include <stdlib.h>

void oracle_arguments(const struct machine *machine, const struct run_files *files,
                      struct words *argv)
{
    if (!machine->oracle)
        return;
    if (machine->firmware == FIRMWARE_BOCHS) {
        char *path = text("%s/" ORACLE_DEBUG_LOG, files->dir);

        words_add_all(argv, "-dbglog", path, NULL);
        free(path);
        return;
    }
    char *path = text("%s/" ORACLE_SOCKET, files->dir);
    words_add_all(argv, "-device", "pvpanic", "-action", "panic=pause", "-qmp", NULL);
    words_add(argv, "unix:%s,server=on,wait=on", path);
    free(path);
}
