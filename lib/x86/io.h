/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_X86_IO_H
#define LIB_X86_IO_H

/*
 * Port I/O and memory-mapped I/O, each access of exactly the named width (SDM vol. 1, 19).
 *
 * The compiler moves no access to memory across any of them: what a device is told to fetch is
 * written before its doorbell rings, and what it wrote is read after it has said so.
 */

#include "lib/types.h"

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* Reads `count` 16-bit words from `port` to `buffer`. */
static inline void insw(uint16_t port, void *buffer, uint32_t count)
{
    __asm__ volatile("rep insw" : "+D"(buffer), "+c"(count) : "d"(port) : "memory");
}

/* About a microsecond, by a write to the POST port that no PC decodes to anything else. */
static inline void io_delay(void)
{
    outb(0x80, 0);
}

static inline uint8_t readb(const volatile void __iomem *addr)
{
    uint8_t value;
    __asm__ volatile("movb %1, %0"
                     : "=q"(value)
                     : "m"(*(__force const volatile uint8_t *)addr)
                     : "memory");
    return value;
}

static inline uint32_t readl(const volatile void __iomem *addr)
{
    uint32_t value;
    __asm__ volatile("movl %1, %0"
                     : "=r"(value)
                     : "m"(*(__force const volatile uint32_t *)addr)
                     : "memory");
    return value;
}

static inline void writeb(uint8_t value, volatile void __iomem *addr)
{
    __asm__ volatile("movb %0, %1"
                     :
                     : "q"(value), "m"(*(__force volatile uint8_t *)addr)
                     : "memory");
}

static inline void writew(uint16_t value, volatile void __iomem *addr)
{
    __asm__ volatile("movw %0, %1"
                     :
                     : "r"(value), "m"(*(__force volatile uint16_t *)addr)
                     : "memory");
}

static inline void writel(uint32_t value, volatile void __iomem *addr)
{
    __asm__ volatile("movl %0, %1"
                     :
                     : "r"(value), "m"(*(__force volatile uint32_t *)addr)
                     : "memory");
}

#endif
