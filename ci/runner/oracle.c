// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ci/array.h"
#include "ci/oracle/block.h"
#include "ci/oracle/judge.h"
#include "ci/runner/process.h"
#include "ci/runner/qmp.h"

#define SHOWN_MAX 20
#define BLOCK_LATE_S 5.0 /* a stopped machine whose block has not arrived goes on after that */
#define BOCHS_STOPPED "Magic breakpoint"

/* A point that was reached. */
struct visit {
    struct block block;
    char *answers; /* QEMU's; NULL: not asked */
};

struct oracle {
    bool is_bochs;
    char *wanted; /* the points that must be reached, or "yes" */
    char *dir, *socket, *fifo_path, *debug_log;
    struct visit *visits;
    size_t nr_visits, judged; /* how many were asked about */
    struct block open;        /* the block that is arriving */
    char line[256];
    size_t line_length;
    struct qmp qmp;
    double stopped_at;
    int fifo;
    char *commands; /* for Bochs, not yet taken by the FIFO */
    struct words problems;
};

static void send_commands(struct oracle *oracle)
{
    size_t length = oracle->commands ? strlen(oracle->commands) : 0;
    ssize_t taken = length ? write(oracle->fifo, oracle->commands, length) : 0;

    if (taken > 0)
        memmove(oracle->commands, oracle->commands + taken, length - (size_t)taken + 1);
}

/* Both ends stay open on this side: Bochs never sees an end, and neither waits for the other. */
static int open_fifo(struct oracle *oracle, const char *path, char **message)
{
    if (!mkfifo(path, 0666))
        oracle->fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (oracle->fifo < 0) {
        int error = -errno;

        *message = text("%s: %s", path, strerror(-error));
        return error;
    }
    text_add(&oracle->commands, "continue\n");
    send_commands(oracle);
    return 0;
}

/* The payload's marks for `trace` are the same instruction, and nobody would go on from them. */
static bool has_other_marks(const struct machine *machine)
{
    struct words words = {0};
    bool found = false;

    words_split(&words, machine->args);
    for (size_t i = 0; i < words.count; i++)
        found |= !strcmp(words.at[i], "trace");
    words_free(&words);
    return found && machine->firmware == FIRMWARE_BOCHS;
}

int oracle_open(struct oracle **oracle, const struct machine *machine,
                const struct run_files *files, char **message)
{
    *oracle = NULL;
    if (!machine->oracle)
        return 0;
    if (has_other_marks(machine)) {
        *message = text("in Bochs, trace and oracle can't be had at once");
        return -EINVAL;
    }
    struct oracle *new = calloc(1, sizeof(*new));
    if (!new)
        abort();
    new->is_bochs = machine->firmware == FIRMWARE_BOCHS;
    new->wanted = text_copy(machine->oracle);
    new->dir = text_copy(files->dir);
    new->socket = text("%s/" ORACLE_SOCKET, files->dir);
    new->fifo_path = text_copy(files->bochs_script);
    new->debug_log = text("%s/" ORACLE_DEBUG_LOG, files->dir);
    new->qmp.socket = new->fifo = -1;
    *oracle = new;
    return new->is_bochs ? open_fifo(new, files->bochs_script, message) : 0;
}

static void add_visit(struct oracle *oracle)
{
    *array_add(&oracle->visits, &oracle->nr_visits) = (struct visit){.block = oracle->open};
    oracle->open = (struct block){0};
}

static void take_line(struct oracle *oracle)
{
    bool again;

    do {
        if (block_take(&oracle->open, oracle->line, &again))
            add_visit(oracle);
    } while (again);
}

void oracle_feed(struct oracle *oracle, const char *bytes, size_t length)
{
    if (!oracle)
        return;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            oracle->line[oracle->line_length] = '\0';
            take_line(oracle);
            oracle->line_length = 0;
        } else if (bytes[i] != '\r' && oracle->line_length + 1 < sizeof(oracle->line)) {
            oracle->line[oracle->line_length++] = bytes[i];
        }
    }
}

static void ask_qemu(struct oracle *oracle, struct visit *visit)
{
    struct words commands = {0};

    qemu_questions(&visit->block.believed, &commands);
    visit->answers = text_copy("");
    for (size_t i = 0; i < commands.count; i++) {
        char *answer = qmp_ask(&oracle->qmp, commands.at[i]);

        text_add(&visit->answers, "(qemu) %s\n%s", commands.at[i], answer ? answer : "no answer\n");
        free(answer);
    }
    words_free(&commands);
}

static void tick_qemu(struct oracle *oracle)
{
    struct qmp *qmp = &oracle->qmp;

    if (qmp->socket < 0) {
        int error = qmp_connect(qmp, oracle->socket);

        if (error && error != -EAGAIN && !oracle->problems.count)
            words_add(&oracle->problems, "oracle: %s: %s", oracle->socket, strerror(-error));
        if (error)
            return;
    }
    qmp_poll(qmp);
    if (!qmp->stopped)
        return;
    if (!oracle->stopped_at)
        oracle->stopped_at = process_clock();
    if (oracle->judged < oracle->nr_visits) {
        ask_qemu(oracle, &oracle->visits[oracle->judged++]);
    } else if (process_clock() - oracle->stopped_at < BLOCK_LATE_S) {
        return;
    } else {
        words_add(&oracle->problems, "oracle: QEMU stopped, and no whole block had arrived");
    }
    oracle->stopped_at = 0;
    qmp_continue(qmp);
}

static void tick_bochs(struct oracle *oracle)
{
    while (oracle->judged < oracle->nr_visits) {
        struct visit *visit = &oracle->visits[oracle->judged++];
        struct words commands = {0};

        /* A block without an end is no stop: commands given now would stop at the next one. */
        if (!visit->block.whole)
            continue;
        bochs_questions(&visit->block.believed, &commands);
        for (size_t i = 0; i < commands.count; i++)
            text_add(&oracle->commands, "%s\n", commands.at[i]);
        text_add(&oracle->commands, "continue\n");
        words_free(&commands);
    }
    send_commands(oracle);
}

void oracle_tick(struct oracle *oracle)
{
    if (!oracle)
        return;
    if (oracle->is_bochs)
        tick_bochs(oracle);
    else
        tick_qemu(oracle);
}

/* All of a file, for free(). */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *all = NULL;
    size_t room = 0;

    if (!file)
        return text_copy("");
    if (getdelim(&all, &room, '\0', file) < 0) {
        free(all);
        all = text_copy("");
    }
    fclose(file);
    return all;
}

/* Bochs' log between one stop and the next belongs to one whole block. */
static void part_debug_log(struct oracle *oracle)
{
    char *log = read_file(oracle->debug_log);
    char *stop = strstr(log, BOCHS_STOPPED);

    for (size_t i = 0; i < oracle->nr_visits && stop; i++) {
        struct visit *visit = &oracle->visits[i];

        if (!visit->block.whole)
            continue;
        char *next = strstr(stop + 1, BOCHS_STOPPED);
        visit->answers = text("%.*s", next ? (int)(next - stop) : (int)strlen(stop), stop);
        stop = next;
    }
    free(log);
}

static unsigned times_before(const struct oracle *oracle, size_t index)
{
    unsigned times = 0;

    for (size_t i = 0; i < index; i++)
        times += !strcmp(oracle->visits[i].block.point, oracle->visits[index].block.point);
    return times;
}

static void judge_visit(struct oracle *oracle, size_t index, struct words *findings)
{
    struct visit *visit = &oracle->visits[index];
    unsigned times = times_before(oracle, index);
    char *number = times ? text(".%u", times + 1) : text_copy("");
    char *name = text("oracle %s%s", visit->block.point, number);
    char *path = text("%s/oracle-%s%s.txt", oracle->dir, visit->block.point, number);
    struct view seen = {0};

    if (visit->answers)
        file_write(path, visit->answers);
    if (!visit->block.whole) {
        words_add(findings, "%s: the block is damaged: %s", name, visit->block.problem);
    } else if (!visit->answers) {
        words_add(findings, "%s: the emulator was not asked: it did not stop there", name);
    } else {
        (oracle->is_bochs ? bochs_view : qemu_view)(&seen, visit->answers);
        view_compare(name, &visit->block.believed, &seen, SHOWN_MAX, findings);
    }
    view_free(&seen);
    free(path);
    free(name);
    free(number);
}

static void check_reached(const struct oracle *oracle, struct words *findings)
{
    char *copy = text_copy(strcmp(oracle->wanted, "yes") ? oracle->wanted : "*");
    char *rest = copy, *point;

    while ((point = strsep(&rest, ","))) {
        bool reached = false;

        for (size_t i = 0; i < oracle->nr_visits; i++)
            reached |= !fnmatch(point, oracle->visits[i].block.point, 0);
        if (!reached)
            words_add(findings, "oracle: point %s was never reached",
                      strcmp(point, "*") ? point : "of any name");
    }
    free(copy);
}

void oracle_finish(struct oracle *oracle, struct words *findings)
{
    if (!oracle)
        return;
    if (oracle->open.point) {
        oracle->open.problem = text_copy("it has no end");
        add_visit(oracle);
    }
    if (oracle->is_bochs)
        part_debug_log(oracle);
    for (size_t i = 0; i < oracle->problems.count; i++)
        words_add(findings, "%s", oracle->problems.at[i]);
    for (size_t i = 0; i < oracle->nr_visits; i++)
        judge_visit(oracle, i, findings);
    check_reached(oracle, findings);
}

void oracle_close(struct oracle *oracle)
{
    if (!oracle)
        return;
    for (size_t i = 0; i < oracle->nr_visits; i++) {
        block_free(&oracle->visits[i].block);
        free(oracle->visits[i].answers);
    }
    free(oracle->visits);
    block_free(&oracle->open);
    qmp_close(&oracle->qmp);
    /* Who looks into the folder must not wait for a FIFO. */
    if (oracle->fifo >= 0) {
        close(oracle->fifo);
        unlink(oracle->fifo_path);
    }
    if (!oracle->is_bochs)
        unlink(oracle->socket);
    free(oracle->fifo_path);
    free(oracle->commands);
    free(oracle->wanted);
    free(oracle->dir);
    free(oracle->socket);
    free(oracle->debug_log);
    words_free(&oracle->problems);
    free(oracle);
}
