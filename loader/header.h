/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Multiboot 2 header in a kernel's file: found, checked, and boiled down to what this loader
 * acts on. A statement that we can't honour and that is not marked optional refuses the kernel,
 * as the specification asks.
 *
 * Pure: no firmware, tested on the host.
 */
#ifndef LOADER_HEADER_H
#define LOADER_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/refusal.h"

struct kernel_request {
    uint32_t header_offset; /* where in the file the header was found */

    /* MULTIBOOT2_HEADER_TAG_ADDRESS: load by these physical addresses, not by ELF */
    bool has_addresses;
    uint32_t header_addr;
    uint32_t load_addr;
    uint32_t load_end_addr; /* 0: all of the file */
    uint32_t bss_end_addr;  /* 0: nothing to clear */

    /* MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS: enter here, not where ELF says */
    bool has_entry;
    uint32_t entry_addr;

    /* MULTIBOOT2_HEADER_TAG_RELOCATABLE: the image may be put anywhere in these bounds */
    bool relocatable;
    bool prefers_high;
    uint32_t min_addr;
    uint32_t max_addr; /* of the last byte */
    uint32_t align;    /* bytes, a power of two */
};

/*
 * Finds and reads the header.
 *
 * file, size: the whole file, 8-byte aligned; nothing in it is believed.
 * request: overwritten.
 * Returns false, and why: no header in the first 32 KiB with a valid checksum, a tag that reaches
 * past the header, a tag or a request for information that is unknown here and not optional.
 */
bool header_read(const void *file, size_t size, struct kernel_request *request,
                 struct refusal *why);

#endif
