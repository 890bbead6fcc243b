/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_OPTIONS_H
#define PAYLOAD_OPTIONS_H

/*
 * Boot options, kernel style: `key=value` words separated by spaces. What a loader puts in front
 * of them (a path, a URL, a file name) is passed over. A word that is not understood is told to a
 * note function, its default stands, and the run goes on.
 */

#include "drivers/power.h"
#include "lib/types.h"

enum depth {
    DEPTH_SPARSE, /* some pages in every 2 MiB of RAM */
    DEPTH_SMOKE,  /* some words in every page */
    DEPTH_FULL,   /* every word */
};

enum report_format { REPORT_KTAP, REPORT_LAVA };

#define OPTION_TEXT_MAX 160
#define OPTION_CONSOLES_MAX 4
#define OPTION_CONSOLE_TEXT_MAX 32
#define OPTION_INJECT_MAX 4
#define OPTION_SIZES_MAX 8
#define OPTION_SIZE_NAME_MAX 16
#define OPTION_LOWMEM_ALL UINT64_MAX
#define NR_OPTION_REMEDIES 9

/* What remedies= knows, in the order of enum lab_remedy of the lowmem laboratory. */
extern const char *const option_remedy_names[NR_OPTION_REMEDIES];

struct option_size {
    char name[OPTION_SIZE_NAME_MAX]; /* a workload of the laboratory */
    uint64_t value;
};

struct options {
    char tests[OPTION_TEXT_MAX]; /* comma-separated globs; empty: all */
    uint32_t page_offset;        /* from split=, SPLIT_3G and so on */
    phys_addr_t mem;             /* RAM from this physical address up is left alone; 0: no limit */
    uint32_t passes;             /* 0: for ever, or as long as time= says */
    bool passes_given;
    uint32_t time_s; /* 0: no limit */
    uint64_t seed;
    bool seed_given;
    char console[OPTION_CONSOLES_MAX][OPTION_CONSOLE_TEXT_MAX];
    unsigned nr_consoles;
    enum report_format report;
    enum power_action exit;
    char inject[OPTION_INJECT_MAX][OPTION_TEXT_MAX / 4];
    unsigned nr_injects;
    char destructive[OPTION_TEXT_MAX];
    char audible[OPTION_TEXT_MAX]; /* sound devices that need not be muted; empty: none */
    char avoid[OPTION_TEXT_MAX];   /* drivers and PCI functions that are left alone; empty: none */
    bool probes;                   /* each probe is told before it begins */
    bool slab_debug;               /* red zones and poison for what kmalloc() gives */
    bool failfast;                 /* a suite ends at its first case that failed */
    bool trace;
    bool oracle;                         /* marked points print what is believed, and stop */
    char oracle_points[OPTION_TEXT_MAX]; /* comma-separated globs; empty: all */
    char trace_names[OPTION_TEXT_MAX];   /* comma-separated globs; empty: the suites */
    enum depth depth;
    uint64_t lowmem;   /* bytes that the laboratory leaves; 0: by depth; OPTION_LOWMEM_ALL */
    uint32_t remedies; /* a bit for each of option_remedy_names[] */
    struct option_size sizes[OPTION_SIZES_MAX];
    unsigned nr_sizes;
};

/* Is told each word that was not taken, in one line. */
typedef void (*option_note_t)(const char *text);

/* Defaults, then the words of `command_line`. Context: any phase. */
void options_parse(struct options *options, const char *command_line, option_note_t note);

#endif
