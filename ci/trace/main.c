// SPDX-License-Identifier: BSD-2-Clause
/* The command line of the trace tool; what each subcommand does stands in commands.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ci/runner/judge.h"
#include "ci/runner/process.h"
#include "ci/trace/commands.h"

static const struct {
    const char *name;
    int (*run)(const struct trace_place *place, char **args);
} commands[] = {
    {"run", command_run},
    {"read", command_read},
    {"diff", command_diff},
};

static int usage(void)
{
    fputs("usage: trace [-b BUILD] COMMAND KEY=VALUE...\n"
          "  run SUITE= [CASE= BOCHS_CPU= MEM= ARGS= LIMIT= CASE_LIMIT= FUNCTION= TOP= OUT=]\n"
          "  read [FROM=FILE] [SLIDE=0xc0000000] [IMAGE=ELF] [FUNCTION= TOP= OUT=]\n"
          "  diff A= B= [COMPARE=code|linear|physical] [WINDOW=]\n",
          stderr);
    return RESULT_CANT;
}

int main(int argc, char **argv)
{
    struct trace_place place = {.build = "build", .program = argv[0]};
    int option;

    while ((option = getopt(argc, argv, "+b:")) != -1) {
        if (option != 'b')
            return usage();
        place.build = optarg;
    }
    if (optind == argc)
        return usage();
    process_catch_signals();
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!strcmp(argv[optind], commands[i].name))
            return commands[i].run(&place, argv + optind + 1);
    }
    return usage();
}
