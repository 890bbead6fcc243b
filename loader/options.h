/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line. UEFI hands an application "load options", a blob that nobody agrees on:
 *   - UTF-16 text: `a=b` (QEMU's -append) or `loader.efi a=b` (iPXE, UEFI Shell);
 *   - 8-bit text, as `efibootmgr` writes it without --unicode;
 *   - a whole boot entry (EFI_LOAD_OPTION: attributes, description, device path, and only then the
 *     text), as some firmware passes for entries in its own boot menu;
 *   - nothing, or bytes that are no text at all.
 * All are brought to a line of printable ASCII. Whether a file name comes first is left to the
 * kernel, which has to sort that out for other loaders anyway.
 *
 * Pure: no firmware, tested on the host.
 */
#ifndef LOADER_OPTIONS_H
#define LOADER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes the options as zero-terminated ASCII, without space at either end. Control characters
 * become spaces, other characters outside of ASCII become '?'.
 *
 * options, bytes: the load options, at any alignment; may be NULL and 0.
 * line, line_size: where the text goes, at least 1 byte; what does not fit is cut off.
 * Returns false if something was cut off.
 */
bool options_to_line(const void *options, size_t bytes, char *line, size_t line_size);

#endif
