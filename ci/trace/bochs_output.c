// SPDX-License-Identifier: BSD-2-Clause
#include "ci/trace/bochs_output.h"

#include <string.h>

/* A cursor; `ok` turns false at the first thing that is not as expected. */
struct scan {
    const char *at, *end;
    bool ok;
};

/* Values of hexadecimal digits, plus one; 0 is no digit. */
static const uint8_t digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16};

static uint64_t hex(struct scan *scan)
{
    const char *from = scan->at;
    uint64_t value = 0;

    while (scan->at < scan->end && digits[(uint8_t)*scan->at])
        value = value << 4 | (digits[(uint8_t)*scan->at++] - 1u);
    scan->ok = scan->ok && scan->at > from;
    return value;
}

static void skip(struct scan *scan, const char *what, size_t length)
{
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, what, length) != 0)
        scan->ok = false;
    else
        scan->at += length;
}
#define SKIP(scan, what) skip(scan, what, sizeof(what) - 1)

static bool next_is(const struct scan *scan, const char *what, size_t length)
{
    return (size_t)(scan->end - scan->at) >= length && !memcmp(scan->at, what, length);
}
#define NEXT_IS(scan, what) next_is(scan, what, sizeof(what) - 1)

/* Moves behind the next `c`. */
static void seek(struct scan *scan, char c)
{
    const char *found = memchr(scan->at, c, (size_t)(scan->end - scan->at));

    if (found)
        scan->at = found + 1;
    else
        scan->ok = false;
}

/* "[0x00000010cda6] 0008:00000000c010cda6 (unk. ctxt): push edi ; 57" */
static void parse_place(struct bochs_line *line, struct scan *scan)
{
    SKIP(scan, "[0x");
    line->physical = hex(scan);
    SKIP(scan, "] ");
    seek(scan, ':');
    line->linear = (uint32_t)hex(scan);
    SKIP(scan, " (");
    seek(scan, ')');
    SKIP(scan, ": ");
    line->text = scan->at;
    line->text_length = (size_t)(scan->end - scan->at);
}

/* Behind "(0)". */
static void parse_instruction(struct bochs_line *line, struct scan *scan)
{
    if (NEXT_IS(scan, ".[")) {
        line->kind = BOCHS_INSTRUCTION;
        seek(scan, ']');
        SKIP(scan, " ");
    } else if (NEXT_IS(scan, " [0x")) {
        line->kind = BOCHS_STOP;
        SKIP(scan, " ");
    } else {
        line->kind = NEXT_IS(scan, " Magic breakpoint") ? BOCHS_MAGIC : BOCHS_OTHER;
        return;
    }
    parse_place(line, scan);
    /* The bytes stand last; without them the line was cut off. */
    if (line->kind == BOCHS_INSTRUCTION)
        scan->ok = scan->ok && memchr(line->text, ';', line->text_length);
}

static uint64_t parse_value(struct scan *scan, unsigned length)
{
    uint64_t value;

    SKIP(scan, "0x");
    value = hex(scan);
    if (length == 8 && NEXT_IS(scan, " 0x")) {
        SKIP(scan, " 0x");
        value = value << 32 | (uint32_t)hex(scan);
    }
    return value;
}

/* Behind "[CPU0 ". */
static void parse_access(struct bochs_line *line, struct scan *scan)
{
    line->kind = BOCHS_ACCESS;
    line->access = NEXT_IS(scan, "RD")   ? BOCHS_READ
                   : NEXT_IS(scan, "WR") ? BOCHS_WRITE
                                         : BOCHS_READ_WRITE;
    scan->at += scan->end - scan->at < 2 ? 0 : 2;
    SKIP(scan, "]: ");
    line->has_linear = NEXT_IS(scan, "LIN 0x");
    if (line->has_linear) {
        SKIP(scan, "LIN 0x");
        line->linear = (uint32_t)hex(scan);
        SKIP(scan, " ");
    }
    SKIP(scan, "PHY 0x");
    line->physical = hex(scan);
    SKIP(scan, " (len=");
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9' && line->length < 1000)
        line->length = line->length * 10 + (unsigned)(*scan->at++ - '0');
    seek(scan, ')');
    SKIP(scan, ": ");
    line->value = parse_value(scan, line->length);
    if (!line->has_linear && scan->ok && NEXT_IS(scan, "\t; ")) {
        SKIP(scan, "\t; ");
        line->access = BOCHS_WALK;
        line->walk_level = scan->at;
        line->walk_level_length = (size_t)(scan->end - scan->at);
    }
}

/* Behind "0x": "00000000c01791c0 <bogus+ 0>:	0x6b	0x6d ..." */
static void parse_dump(struct bochs_line *line, struct scan *scan)
{
    line->linear = (uint32_t)hex(scan);
    SKIP(scan, " <");
    seek(scan, ':');
    while (scan->ok && NEXT_IS(scan, "\t0x") && line->nr_bytes < BOCHS_DUMP_BYTES) {
        SKIP(scan, "\t0x");
        line->bytes[line->nr_bytes++] = (uint8_t)hex(scan);
    }
    line->kind = scan->ok && line->nr_bytes ? BOCHS_DUMP : BOCHS_OTHER;
}

/* Where one of the lines that we know begins: the guest's own output may stand in front. */
static const char *find_start(const char *s, size_t length)
{
    static const char starts[][8] = {"(0).[", "[CPU0 ", "(0) [0x", "(0) Mag", "CPU 0: "};

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        const char *found = memmem(s, length, starts[i], strlen(starts[i]));

        if (found)
            return found;
    }
    return s;
}

static bool begins_known(const char *s, size_t length)
{
    return length >= 6 && ((s[0] == '(' && s[1] == '0') || !memcmp(s, "[CPU0 ", 6));
}

void bochs_parse(struct bochs_line *line, const char *s, size_t length)
{
    const char *start = begins_known(s, length) ? s : find_start(s, length);
    struct scan scan = {.at = start, .end = s + length, .ok = true};

    line->kind = BOCHS_OTHER;
    line->length = 0;
    line->nr_bytes = 0;
    if (NEXT_IS(&scan, "(0)")) {
        SKIP(&scan, "(0)");
        parse_instruction(line, &scan);
    } else if (NEXT_IS(&scan, "[CPU0 ")) {
        SKIP(&scan, "[CPU0 ");
        parse_access(line, &scan);
    } else if (NEXT_IS(&scan, "CPU 0: Interrupt 0x")) {
        SKIP(&scan, "CPU 0: Interrupt 0x");
        line->kind = BOCHS_INTERRUPT;
        line->vector = (unsigned)hex(&scan);
    } else if (NEXT_IS(&scan, "Tracing enabled")) {
        line->kind = BOCHS_TRACE_ON;
    } else if (NEXT_IS(&scan, "Tracing disabled")) {
        line->kind = BOCHS_TRACE_OFF;
    } else if (NEXT_IS(&scan, "0x")) {
        SKIP(&scan, "0x");
        parse_dump(line, &scan);
        return;
    }
    if (!scan.ok)
        line->kind = BOCHS_DAMAGED;
}

size_t bochs_split(const char *text, size_t length, size_t *disassembly_length, uint8_t *bytes)
{
    const char *semicolon = memrchr(text, ';', length);
    size_t count = 0;

    *disassembly_length = semicolon ? (size_t)(semicolon - text) : length;
    while (*disassembly_length && text[*disassembly_length - 1] == ' ')
        --*disassembly_length;
    if (!semicolon)
        return 0;
    for (const char *at = semicolon + 1; at + 1 < text + length;) {
        if (*at == ' ') {
            at++;
            continue;
        }
        uint8_t high = digits[(uint8_t)at[0]], low = digits[(uint8_t)at[1]];
        if (!high || !low || count == BOCHS_INSTRUCTION_BYTES_MAX)
            return 0;
        bytes[count++] = (uint8_t)((high - 1) << 4 | (low - 1));
        at += 2;
    }
    return count;
}
