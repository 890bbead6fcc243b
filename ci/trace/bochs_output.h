/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_BOCHS_OUTPUT_H
#define CI_TRACE_BOCHS_OUTPUT_H

/*
 * What Bochs' debugger prints, line by line. Of Debian's Bochs 2.7, with `trace on` and
 * `trace-mem on`:
 *
 *     (0).[794951899] [0x00000010cda6] 0008:00000000c010cda6 (unk. ctxt): push edi ; 57
 *     [CPU0 WR]: LIN 0x00000000c017ee84 PHY 0x00000017ee84 (len=4, WB): 0x00000000
 *     [CPU0 RW]: LIN 0x... PHY 0x... (len=4, WB): 0x...       read, to be written back:
 *     [CPU0 WR]: PHY 0x000000179ae8 (len=4, WB): 0x00000000   here
 *     [CPU0 RD]: PHY 0x000037ffb000 (len=8, WB): 0x00000000 0x37FF9023	; PTE
 *     CPU 0: Interrupt 0x0e occurred (error_code=0x0000)
 *     (0) Magic breakpoint
 *     (0) [0x00000011295c] 0008:00000000c011295c (unk. ctxt): ...   it has stopped, before this
 *
 * An instruction's line comes before what it did to memory. Each iteration of a REP is a line of
 * its own, and counts as an instruction, as it does under QEMU's -icount. What the guest writes to
 * port 0xE9 comes out in the same stream, in front of any of these.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bochs_kind {
    BOCHS_OTHER,
    BOCHS_INSTRUCTION,
    BOCHS_STOP, /* waits for a command; with the instruction that would be next */
    BOCHS_MAGIC,
    BOCHS_ACCESS,
    BOCHS_INTERRUPT,
    BOCHS_TRACE_ON,
    BOCHS_TRACE_OFF,
    BOCHS_DUMP,    /* a line of bytes that `x` was asked for */
    BOCHS_DAMAGED, /* begins like an instruction or an access, and is none */
};

enum bochs_access {
    BOCHS_READ,
    BOCHS_WRITE,
    BOCHS_READ_WRITE,
    BOCHS_WALK, /* by the processor, of a page table */
};

#define BOCHS_INSTRUCTION_BYTES_MAX 15
#define BOCHS_DUMP_BYTES 8

struct bochs_line {
    enum bochs_kind kind;
    uint64_t physical; /* of the instruction or the access */
    uint32_t linear;
    /* instruction */
    const char *text; /* the disassembly and the bytes, not ended by a zero */
    size_t text_length;
    /* access */
    enum bochs_access access;
    bool has_linear;
    unsigned length;
    uint64_t value;
    const char *walk_level; /* "PTE", "PDE", ...; walk_level_length characters */
    size_t walk_level_length;
    /* interrupt */
    unsigned vector;
    /* dump */
    uint8_t bytes[BOCHS_DUMP_BYTES];
    unsigned nr_bytes;
};

/* Takes one line, of `length` characters without its end, apart. It refers to `s` afterwards. */
void bochs_parse(struct bochs_line *line, const char *s, size_t length);

/*
 * The disassembly in an instruction's text, without the blanks behind it, and its bytes. Returns
 * the number of bytes, 0 if there are none to be read.
 */
size_t bochs_split(const char *text, size_t length, size_t *disassembly_length, uint8_t *bytes);

#endif
