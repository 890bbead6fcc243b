/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_CPU_FACTS_H
#define PAYLOAD_CPU_FACTS_H

/* What CPUID says, read once, by code that runs on processors without it. */

#include "lib/types.h"

#define CPU_BRAND_MAX 49 /* 48 characters, SDM vol. 2A, CPUID, and an end */

struct cpu_facts {
    bool has_cpuid;
    bool has_pae;
    bool has_nx;
    bool is_tcg;                /* QEMU interprets: CPUID leaf 40000000H says TCGTCGTCGTCG */
    bool phys_bits_doubtful;    /* a guess: neither leaf 80000008H nor PSE-36 */
    uint32_t phys_bits;         /* MAXPHYADDR, 32..52 */
    uint32_t signature;         /* CPUID.01H:EAX, family, model, stepping */
    uint32_t features;          /* CPUID.01H:EDX */
    uint32_t extended_features; /* CPUID.80000001H:EDX */
    char brand[CPU_BRAND_MAX];
};

extern struct cpu_facts cpu_facts;

/* Context: any phase, any CPU from the 386 on. */
void cpu_facts_read(void);

#endif
