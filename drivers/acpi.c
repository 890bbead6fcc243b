/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/acpi.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "paging/ioremap.h"

/* Where a BIOS leaves the RSDP (ACPI 6.4, 5.2.5.1), on a paragraph boundary */
#define RSDP_STEP 16u
#define EBDA_SEGMENT_ADDRESS phys_make(0x40e) /* BIOS data area: its segment, real mode */
#define EBDA_LOWEST phys_make(0x80000)
#define EBDA_END phys_make(0xa0000)
#define EBDA_SEARCHED KIB(1)
#define BIOS_AREA phys_make(0xe0000)
#define BIOS_AREA_END phys_make(0x100000)

#define SIGNATURE_SIZE 4u
#define MAX_FOUND 16u

struct acpi_rsdp { /* ACPI 6.4, table 5.3 */
    char signature[8];
    uint8_t checksum; /* over the first 20 bytes, all that revision 0 has */
    char oem_id[6];
    uint8_t revision; /* 0: ACPI 1.0; 2 and up: the rest is there */
    uint32_t rsdt_address;
    uint32_t length;
    uint64_t xsdt_address;
    uint8_t extended_checksum; /* over all */
    uint8_t reserved[3];
} __packed;

#define RSDP_V1_BYTES offsetof(struct acpi_rsdp, length)
#define RSDP_V2_REVISION 2u

static const char rsdp_signature[8] = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '};

/* Where in the FADT the DSDT's address is (ACPI 6.4, table 5.9) */
#define FADT_DSDT 40u
#define FADT_X_DSDT 140u

static struct {
    const struct acpi_header *root; /* RSDT or XSDT */
    uint32_t entry_bytes;           /* 4 or 8 */
    unsigned rejected;
    const struct acpi_header *found[MAX_FOUND]; /* so that asking twice does not map twice */
    unsigned nr_found;
} acpi;

static bool sums_to_zero(const void *data, size_t bytes)
{
    const uint8_t *byte = data;
    uint8_t sum = 0;

    while (bytes--)
        sum = (uint8_t)(sum + *byte++);
    return sum == 0;
}

/* The table at `phys` if it has this signature and is sound, mapped whole. */
static const struct acpi_header *map_table(phys_addr_t phys, const char *signature)
{
    const struct acpi_header *header = phys ? ioremap_cache(phys, sizeof(*header)) : NULL;

    if (!header)
        return NULL;

    bool wanted = memcmp(header->signature, signature, SIGNATURE_SIZE) == 0;
    uint32_t length = header->length;

    iounmap_cache(header);
    if (!wanted)
        return NULL;
    if (length < sizeof(*header) || length > ACPI_MAX_TABLE_BYTES) {
        acpi.rejected++;
        return NULL;
    }
    header = ioremap_cache(phys, length);
    if (header && !sums_to_zero(header, length)) {
        iounmap_cache(header);
        acpi.rejected++;
        return NULL;
    }
    return header;
}

static bool rsdp_is_good(const struct acpi_rsdp *rsdp)
{
    return memcmp(rsdp->signature, rsdp_signature, sizeof(rsdp_signature)) == 0 &&
           sums_to_zero(rsdp, RSDP_V1_BYTES);
}

/* An address in [start, end) that looks like an RSDP with a good first checksum, or 0. */
static phys_addr_t search(phys_addr_t start, phys_addr_t end)
{
    const uint8_t *area = ioremap_cache(start, (size_t)(end - start));
    phys_addr_t found = 0;

    if (!area)
        return 0;
    for (phys_addr_t at = start; !found && at + RSDP_V1_BYTES <= end; at += RSDP_STEP) {
        if (rsdp_is_good((const struct acpi_rsdp *)(area + (at - start))))
            found = at;
    }
    iounmap_cache(area);
    return found;
}

static phys_addr_t search_bios(void)
{
    const uint16_t *segment = ioremap_cache(EBDA_SEGMENT_ADDRESS, sizeof(*segment));
    phys_addr_t ebda = phys_make(segment ? (uint64_t)*segment << 4 : 0);
    phys_addr_t rsdp = 0;

    iounmap_cache(segment);
    if (ebda >= EBDA_LOWEST && ebda < EBDA_END)
        rsdp = search(ebda, MIN(ebda + EBDA_SEARCHED, EBDA_END));
    return rsdp ? rsdp : search(BIOS_AREA, BIOS_AREA_END);
}

/* Reads both root addresses; what the RSDP does not have, or has unsound, is 0. */
static int read_rsdp(phys_addr_t phys, phys_addr_t *rsdt, phys_addr_t *xsdt)
{
    /* A copy of a revision 0 RSDP may end before the later fields, at the end of what is mapped. */
    const struct acpi_rsdp *rsdp = ioremap_cache(phys, RSDP_V1_BYTES);

    if (!rsdp)
        return -ENOMEM;

    bool good = rsdp_is_good(rsdp);
    bool extended = rsdp->revision >= RSDP_V2_REVISION;

    *rsdt = phys_make(rsdp->rsdt_address);
    *xsdt = 0;
    iounmap_cache(rsdp);
    if (!good)
        return -EINVAL;
    if (!extended)
        return 0;

    rsdp = ioremap_cache(phys, sizeof(*rsdp));
    if (!rsdp)
        return -ENOMEM;
    /* Its length is not believed: the fields that are read are those of revision 2. */
    if (sums_to_zero(rsdp, sizeof(*rsdp)))
        *xsdt = phys_make(rsdp->xsdt_address);
    iounmap_cache(rsdp);
    return 0;
}

int acpi_init(phys_addr_t rsdp)
{
    phys_addr_t rsdt, xsdt;

    acpi.root = NULL;
    acpi.nr_found = 0;
    if (!rsdp)
        rsdp = search_bios();
    if (!rsdp)
        return -ENODEV;

    int error = read_rsdp(rsdp, &rsdt, &xsdt);

    if (error)
        return error;
    acpi.root = map_table(xsdt, "XSDT");
    acpi.entry_bytes = sizeof(uint64_t);
    if (acpi.root)
        return 0;
    acpi.root = map_table(rsdt, "RSDT");
    acpi.entry_bytes = sizeof(uint32_t);
    return acpi.root ? 0 : -EINVAL;
}

static const struct acpi_header *find_listed(const char *signature)
{
    const uint8_t *entry = (const uint8_t *)(acpi.root + 1);
    uint32_t count = (acpi.root->length - sizeof(*acpi.root)) / acpi.entry_bytes;

    for (; count; count--, entry += acpi.entry_bytes) {
        uint64_t phys = 0;

        memcpy(&phys, entry, acpi.entry_bytes);

        const struct acpi_header *table = map_table(phys_make(phys), signature);

        if (table)
            return table;
    }
    return NULL;
}

static const struct acpi_header *found_before(const char *signature)
{
    for (unsigned i = 0; i < acpi.nr_found; i++) {
        if (memcmp(acpi.found[i]->signature, signature, SIGNATURE_SIZE) == 0)
            return acpi.found[i];
    }
    return NULL;
}

static const struct acpi_header *remember(const struct acpi_header *table)
{
    if (table && acpi.nr_found < MAX_FOUND)
        acpi.found[acpi.nr_found++] = table;
    return table;
}

static const struct acpi_header *listed_table(const char *signature)
{
    const struct acpi_header *table = found_before(signature);

    return table ? table : remember(find_listed(signature));
}

/* The DSDT is not listed: the FADT points to it, twice in later revisions. */
static const struct acpi_header *find_dsdt(void)
{
    const struct acpi_header *fadt = listed_table("FACP");
    const struct acpi_header *dsdt = NULL;
    uint32_t address = 0;
    uint64_t x_address = 0;

    if (!fadt)
        return NULL;
    if (fadt->length >= FADT_X_DSDT + sizeof(x_address)) {
        memcpy(&x_address, (const uint8_t *)fadt + FADT_X_DSDT, sizeof(x_address));
        dsdt = map_table(phys_make(x_address), "DSDT");
    }
    if (!dsdt && fadt->length >= FADT_DSDT + sizeof(address)) {
        memcpy(&address, (const uint8_t *)fadt + FADT_DSDT, sizeof(address));
        dsdt = map_table(phys_make(address), "DSDT");
    }
    return dsdt;
}

const void *acpi_find_table(const char sig[4])
{
    if (!acpi.root)
        return NULL;
    if (memcmp(sig, "DSDT", SIGNATURE_SIZE) != 0)
        return listed_table(sig);

    const struct acpi_header *dsdt = found_before(sig);

    return dsdt ? dsdt : remember(find_dsdt());
}

unsigned acpi_rejected_tables(void)
{
    return acpi.rejected;
}
