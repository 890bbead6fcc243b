// SPDX-License-Identifier: BSD-2-Clause
/* The runner's command line; what each subcommand does stands in commands.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ci/runner/commands.h"
#include "ci/runner/process.h"
#include "ci/runner/run.h"
#include "ci/runner/tally.h"

#define SMOKE_STAGE "smoke"
#define DEFAULT_AT_ONCE 2

static const struct {
    const char *name;
    int (*run)(const struct options *options, char **args);
} commands[] = {
    {"run", command_run},     {"matrix", command_matrix}, {"mutations", command_mutations},
    {"units", command_units}, {"check", command_check},   {"covered", command_covered},
    {"tally", command_tally},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(void)
{
    fputs("usage: runner [-b BUILD] [-t TALLY] [-j JOBS] [-s SEED] COMMAND ...\n"
          "  run [KEY=VALUE]...         boot the payload once\n"
          "  matrix TABLE [GLOB]...     boot it on every machine of the table\n"
          "  mutations TABLE [GLOB]...  break it on purpose, see each suite notice\n"
          "  covered DEVICES TABLE      see in its logs which devices it tested\n"
          "  units BINARY...            run host unit tests\n"
          "  check STAGE NAME COMMAND   run a command that must succeed\n"
          "  tally STAGE...             add up\n",
          stderr);
    return RESULT_CANT;
}

static bool set_all(struct machine *machine, char **args)
{
    for (; *args; args++) {
        char *message = NULL;
        char *equals = strchr(*args, '=');
        int error = -ENOENT;

        if (equals) {
            *equals = '\0';
            error = machine_set(machine, *args, equals + 1, &message);
        }
        if (error)
            fprintf(stderr, "%s\n", message ? message : *args);
        if (error == -ENOENT)
            fputs("there is no such setting\n", stderr);
        free(message);
        if (error)
            return false;
    }
    return true;
}

int command_run(const struct options *options, char **args)
{
    struct machine machine;
    struct run_result result;
    struct live live;

    machine_init(&machine);
    if (!set_all(&machine, args)) {
        machine_free(&machine);
        return RESULT_CANT;
    }
    /* Emulated memory has no bad cells: to look at all of it is for who asks. */
    machine.sampled = !strcmp(machine.accel, "tcg");
    tally_begin(options->tally, SMOKE_STAGE);
    live_start(&live, stdout);
    run_machine(&machine, options->build, &live, &result);
    run_show_end(&machine, &result, &live);
    tally_add(options->tally, SMOKE_STAGE, machine.name, result.result == RESULT_PASS);
    tally_end(options->tally, SMOKE_STAGE);

    int status = result.result;
    run_result_free(&result);
    machine_free(&machine);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {.build = "build", .at_once = DEFAULT_AT_ONCE, .seed = "random"};
    int option;

    /* "+": what follows the subcommand belongs to it. */
    while ((option = getopt(argc, argv, "+b:t:j:s:")) != -1) {
        if (option == 'b')
            options.build = optarg;
        else if (option == 't')
            options.tally = optarg;
        else if (option == 'j')
            options.at_once = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 's')
            options.seed = optarg;
        else
            return usage();
    }
    if (optind == argc)
        return usage();
    process_catch_signals();
    for (size_t i = 0; i < COMMANDS; i++) {
        if (!strcmp(argv[optind], commands[i].name))
            return commands[i].run(&options, argv + optind + 1);
    }
    return usage();
}
