/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel to be started: its Multiboot 2 header and its image, read together, since the header
 * may overrule what ELF says.
 *
 * Pure: no firmware, tested on the host.
 */
#ifndef LOADER_KERNEL_H
#define LOADER_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "loader/header.h"
#include "loader/image.h"
#include "loader/place.h"
#include "loader/refusal.h"

struct kernel {
    struct kernel_request request;
    struct image image;
};

/*
 * Reads a kernel's file. Afterwards everything in *kernel has been checked against the file.
 *
 * file, size: the whole file, 8-byte aligned.
 * Returns false, and why: see header_read(), elf_read(), image_add() and image_set_entry().
 */
bool kernel_read(const void *file, size_t size, struct kernel *kernel, struct refusal *why);

/*
 * Where a relocatable kernel may be put. One that is not has its place in image.base.
 */
struct place_wish kernel_wish(const struct kernel *kernel);

#endif
