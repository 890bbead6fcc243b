/* SPDX-License-Identifier: BSD-2-Clause */
/* How findings of the DMA mapping API are named and told. */
#include "drivers/dma_track.h"
#include "lib/finding.h"
#include "lib/format.h"

static const char *const finding_names[DMA_NR_FINDINGS] = {
    [DMA_FINDING_BAD_ARGUMENT] = "bad argument",
    [DMA_FINDING_UNKNOWN] = "unknown address",
    [DMA_FINDING_DOUBLE_UNMAP] = "double unmap",
    [DMA_FINDING_WRONG_SIZE] = "wrong size",
    [DMA_FINDING_WRONG_DIRECTION] = "wrong direction",
    [DMA_FINDING_WRONG_KIND] = "wrong kind",
    [DMA_FINDING_OVERLAP] = "overlap",
    [DMA_FINDING_LEAK] = "leak",
    [DMA_FINDING_CPU_ACCESS] = "CPU access",
    [DMA_FINDING_NOT_SYNCED] = "not synced",
    [DMA_FINDING_OVERRUN] = "overrun",
    [DMA_FINDING_UNWRITTEN] = "unwritten",
    [DMA_FINDING_FREED_WRITTEN] = "freed block written",
};

const char *dma_finding_name(enum dma_finding kind)
{
    return (unsigned)kind < DMA_NR_FINDINGS ? finding_names[kind] : "?";
}

const char *dma_direction_name(unsigned dir)
{
    static const char *const names[] = {"bidirectional", "to device", "from device"};

    return dir < ARRAY_SIZE(names) ? names[dir] : "?";
}

void dma_report(struct device *dev, enum dma_finding kind, const char *fmt, ...)
{
    char text[96];
    va_list args;

    dev->counters.findings++;
    dev->counters.finding[kind]++;
    va_start(args, fmt);
    vformat(text, sizeof(text), fmt, args);
    va_end(args);
    finding("%.12s: %s: %s", dev->name, dma_finding_name(kind), text);
}
