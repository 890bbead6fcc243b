/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_DMA_LAYER_H
#define CI_MODEL_DMA_LAYER_H

/*
 * What each source of the DMA mapping layer is compiled with for the model, as if it were its first
 * line: interrupts that can be switched off, which the host has not, and sections of
 * its own, so that all variables can be set back together, whatever they are called, and an address
 * in its code can be told from a caller's.
 */

#include "lib/x86/cpu.h"

extern unsigned model_irqs_off;

static inline uint32_t model_irq_save(void)
{
    return model_irqs_off++;
}

static inline void model_irq_restore(uint32_t flags)
{
    model_irqs_off = flags;
}

#define irq_save model_irq_save
#define irq_restore model_irq_restore

#ifdef __clang__
#pragma clang section bss = "layer_bss" text = "layer_text"
#endif

#endif
