/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_ACPI_H
#define DRIVERS_ACPI_H

/*
 * Finding ACPI tables, and no interpreter: RSDP, then XSDT or RSDT, then tables by signature (ACPI
 * 6.4, 5.2). Nothing that firmware wrote is believed before its checksum is right and its length is
 * plausible. Tables are mapped from wherever they are, above 4 GiB too, and stay mapped.
 * Context of all functions: thread, paged phase.
 */

#include "lib/types.h"

#define ACPI_MAX_TABLE_BYTES MIB(4)

struct acpi_header { /* ACPI 6.4, table 5.4 */
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum;
    char oem_id[6];
    char oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
} __packed;

struct acpi_generic_address { /* ACPI 6.4, table 5.1 */
    uint8_t space;            /* ACPI_SPACE_... */
    uint8_t bit_width;
    uint8_t bit_offset;
    uint8_t access_size;
    uint64_t address;
} __packed;

#define ACPI_SPACE_MEMORY 0u
#define ACPI_SPACE_IO 1u
#define ACPI_SPACE_PCI_CONFIG 2u

/*
 * Finds the root tables.
 *   rsdp: physical address of the RSDP, or of a copy of it as boot loaders pass; 0: search where a
 *     BIOS puts it, in the first KiB of the EBDA and in 0xE0000 to 0xFFFFF
 * Returns 0; -ENODEV: no RSDP; -EINVAL: RSDP, XSDT or RSDT has a bad checksum or length, and there
 * is no good one beside it; -ENOMEM: no room to map them.
 */
int acpi_init(phys_addr_t rsdp);

/*
 * The first good table of that signature, e.g. "FACP" or "DSDT", mapped; its length field and
 * checksum are right. NULL if there is none, or acpi_init() found no tables.
 */
const void *acpi_find_table(const char sig[4]);

/* How many tables were passed over so far for a bad checksum or length. */
unsigned acpi_rejected_tables(void);

#endif
