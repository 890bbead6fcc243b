/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_SETUP_H
#define PAYLOAD_SETUP_H

/* What the flat phase decided and the paged phase goes on with. */

#include "payload/boot_facts.h"
#include "payload/entry.h"
#include "payload/options.h"

#define PAELOAD_VERSION "0.1"

/* For isa-debug-exit; the emulator's status is 2 * value + 1. */
enum exit_value { EXIT_PASS = 0x10, EXIT_FAIL = 0x11, EXIT_ERROR = 0x12, EXIT_REFUSED = 0x13 };

struct setup {
    struct options options;
    struct memmap map; /* sanitised; what we took is reserved */
    phys_addr_t image; /* physical address of image_start */
    struct paging_switch paging;
    uint32_t first_line_tsc; /* counts from _start to the end of the first line; 0: no TSC */
};

extern struct setup setup;

/* Reports the boot notes there are, as warnings, and forgets them. Context: either phase. */
void say_boot_notes(void);

#endif
