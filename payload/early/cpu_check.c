/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/cpu_facts.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"

#define CPUID_HYPERVISOR 0x40000000u
#define CPUID_EXTENDED 0x80000000u
#define CPUID_BRAND_FIRST 0x80000002u
#define CPUID_BRAND_LAST 0x80000004u
#define CPUID_ADDRESS_SIZES 0x80000008u

#define PAE_PHYS_BITS 36u
#define PAE_PHYS_BITS_MAX 52u
#define NO_PSE36_PHYS_BITS 32u

struct cpu_facts cpu_facts;

/* A flag that can be changed exists: AC since the 486, ID where there is CPUID (SDM vol. 1, 20.1).
 */
static bool flag_can_change(uint32_t flag)
{
    uint32_t before = eflags_read();
    bool changed;

    eflags_write(before ^ flag);
    changed = (eflags_read() ^ before) & flag;
    eflags_write(before);
    return changed;
}

static void read_brand(void)
{
    char *out = cpu_facts.brand;
    struct cpuid_regs r = cpuid(0, 0);

    if (cpuid(CPUID_EXTENDED, 0).eax >= CPUID_BRAND_LAST) {
        for (uint32_t leaf = CPUID_BRAND_FIRST; leaf <= CPUID_BRAND_LAST; leaf++) {
            r = cpuid(leaf, 0);
            memcpy(out, &r, sizeof(r));
            out += sizeof(r);
        }
        *out = '\0';
        return;
    }
    memcpy(out, &r.ebx, 4);
    memcpy(out + 4, &r.edx, 4);
    memcpy(out + 8, &r.ecx, 4);
    out[12] = '\0';
}

static bool read_is_tcg(void)
{
    struct cpuid_regs r = cpuid(CPUID_HYPERVISOR, 0);

    return memcmp(&r.ebx, "TCGTCGTCGTCG", 12) == 0;
}

static void read_features(void)
{
    struct cpuid_regs basic = cpuid(1, 0);
    uint32_t last_extended = cpuid(CPUID_EXTENDED, 0).eax;

    cpu_facts.signature = basic.eax;
    cpu_facts.features = basic.edx;
    if (last_extended > CPUID_EXTENDED && last_extended >> 16 == CPUID_EXTENDED >> 16)
        cpu_facts.extended_features = cpuid(CPUID_EXTENDED + 1, 0).edx;
    else
        last_extended = 0;
    cpu_facts.has_pae = basic.edx & CPUID1_EDX_PAE;
    cpu_facts.has_nx = cpu_facts.extended_features & CPUID_EXT_EDX_NX;
    /*
     * SDM vol. 3A, 4.1.4: without leaf 80000008H the width is 36 where there is PAE. Where PSE-36
     * is missing too, 32 is as likely: the payload then tries, see settle_width() in
     * payload/memory.c.
     */
    cpu_facts.phys_bits = PAE_PHYS_BITS;
    if (last_extended >= CPUID_ADDRESS_SIZES) {
        cpu_facts.phys_bits = cpuid(CPUID_ADDRESS_SIZES, 0).eax & 0xff;
        cpu_facts.phys_bits = MIN(cpu_facts.phys_bits, PAE_PHYS_BITS_MAX);
        cpu_facts.phys_bits = MAX(cpu_facts.phys_bits, NO_PSE36_PHYS_BITS);
    } else {
        cpu_facts.phys_bits_doubtful = !(basic.edx & CPUID1_EDX_PSE36);
    }
}

void cpu_facts_read(void)
{
    memset(&cpu_facts, 0, sizeof(cpu_facts));
    if (!flag_can_change(EFLAGS_ID)) {
        str_copy(cpu_facts.brand, sizeof(cpu_facts.brand),
                 flag_can_change(EFLAGS_AC) ? "486 without CPUID" : "386");
        return;
    }
    cpu_facts.has_cpuid = true;
    cpu_facts.is_tcg = read_is_tcg();
    read_brand();
    read_features();
}
