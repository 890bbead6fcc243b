// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/host.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t host_memory_available(void)
{
    FILE *file = fopen("/proc/meminfo", "r");
    uint64_t kib = 0;
    char line[128];

    if (!file)
        return UINT64_MAX;
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
            break;
    }
    fclose(file);
    return kib ? kib << 10 : UINT64_MAX;
}
