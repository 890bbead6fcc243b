/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loader has to know about the processor before it leaves the firmware, by CPUID. Firmware
 * that has UEFI runs on no processor that lacks the instruction.
 *
 * Rules: Intel SDM vol. 2A, CPUID; AMD64 APM vol. 3, appendix E.
 */
#ifndef LOADER_CPU_H
#define LOADER_CPU_H

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

#define CPUID_FEATURES 1
#define CPUID_FEATURES_EDX_PAE (1u << 6)
#define CPUID_EXTENDED_FEATURES 0x80000001u
#define CPUID_EXTENDED_FEATURES_EDX_SYSCALL (1u << 11)
#define CPUID_EXTENDED_FEATURES_EDX_NX (1u << 20)
#define CPUID_EXTENDED_FEATURES_EDX_LM (1u << 29)

/* CPUID.1:EDX */
static inline uint32_t cpu_features(void)
{
    unsigned eax, ebx, ecx, edx;

    return __get_cpuid(CPUID_FEATURES, &eax, &ebx, &ecx, &edx) ? edx : 0;
}

/* EFER exists where one of its bits does; reading it elsewhere is a fault. */
static inline bool cpu_has_efer(void)
{
    unsigned eax, ebx, ecx, edx;

    return __get_cpuid(CPUID_EXTENDED_FEATURES, &eax, &ebx, &ecx, &edx) &&
           (edx & (CPUID_EXTENDED_FEATURES_EDX_SYSCALL | CPUID_EXTENDED_FEATURES_EDX_NX |
                   CPUID_EXTENDED_FEATURES_EDX_LM));
}

#endif
