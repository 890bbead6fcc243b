// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/process.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 20
#define POLITE_S 2.0
#define STATUS_CANT_RUN 127 /* as a shell says it */

static volatile sig_atomic_t interrupted;

static void note_signal(int signal)
{
    interrupted = signal;
}

void process_catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = note_signal};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
}

int process_interrupted(void)
{
    return interrupted;
}

void process_sleep(unsigned milliseconds)
{
    struct timespec span = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = (long)(milliseconds % 1000) * 1000000};

    nanosleep(&span, NULL);
}

double process_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What both kinds of child do first. */
static void become_child(pid_t parent, const char *output, bool own_stdout)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(STATUS_CANT_RUN);
    if (!output)
        return;
    int file = open(output, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (file < 0)
        _exit(STATUS_CANT_RUN);
    dup2(file, STDERR_FILENO);
    if (!own_stdout)
        dup2(file, STDOUT_FILENO);
    close(file);
}

/* When the host runs out of memory after all, it should be the emulator that has to go. */
static void go_first(void)
{
    FILE *file = fopen("/proc/self/oom_score_adj", "w");

    if (!file)
        return;
    fputs("1000", file);
    fclose(file);
}

static void default_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], SIG_DFL);
}

static __attribute__((noreturn)) void run_program(const struct words *argv, unsigned flags)
{
    if (flags & PROCESS_SMALL_PAGES)
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    if (flags & PROCESS_TERMINAL) {
        setenv("TERM", "vt100", 1);
    } else {
        int none = open("/dev/null", O_RDONLY);
        dup2(none, STDIN_FILENO);
        close(none);
    }
    default_signals();
    go_first();
    execvp(argv->at[0], argv->at);
    fprintf(stderr, "%s: can't be run\n", argv->at[0]);
    _exit(STATUS_CANT_RUN);
}

int process_start(struct process *process, const struct words *argv, const char *output,
                  unsigned flags)
{
    bool terminal = flags & PROCESS_TERMINAL;
    /* Bochs' text display wants a screen that is not smaller than the guest's. */
    const struct winsize size = {.ws_row = 50, .ws_col = 132};
    pid_t parent = getpid();

    *process = (struct process){.terminal = -1};
    fflush(NULL);
    process->pid = terminal ? forkpty(&process->terminal, NULL, NULL, &size) : fork();
    if (process->pid < 0)
        return -errno;
    if (!process->pid) {
        if (!terminal)
            setpgid(0, 0);
        become_child(parent, output, terminal);
        run_program(argv, flags);
    }
    if (terminal)
        fcntl(process->terminal, F_SETFL, O_NONBLOCK);
    else
        setpgid(process->pid, process->pid);
    return 0;
}

int process_fork(struct process *process, int (*work)(void *ctx), void *ctx, const char *output)
{
    pid_t parent = getpid();

    *process = (struct process){.terminal = -1};
    fflush(NULL);
    process->pid = fork();
    if (process->pid < 0)
        return -errno;
    if (!process->pid) {
        setpgid(0, 0);
        become_child(parent, output, false);
        int status = work(ctx);
        fflush(NULL);
        _exit(status);
    }
    setpgid(process->pid, process->pid);
    return 0;
}

static void drain_terminal(struct process *process)
{
    char drawn[4096];

    if (process->terminal < 0)
        return;
    while (read(process->terminal, drawn, sizeof(drawn)) > 0)
        ;
}

bool process_poll(struct process *process)
{
    int status;

    if (process->ended)
        return true;
    drain_terminal(process);
    if (waitpid(process->pid, &status, WNOHANG) != process->pid)
        return false;
    process->ended = true;
    process->status = WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SIGNAL + WTERMSIG(status);
    /* What it started and left behind. */
    kill(-process->pid, SIGKILL);
    if (process->terminal >= 0)
        close(process->terminal);
    process->terminal = -1;
    return true;
}

void process_wait(struct process *process)
{
    while (!process_poll(process)) {
        if (process_interrupted())
            process_end(process);
        else
            process_sleep(POLL_MS);
    }
}

void process_end(struct process *process)
{
    double deadline = process_clock() + POLITE_S;

    kill(-process->pid, SIGTERM);
    while (!process_poll(process)) {
        if (process_clock() > deadline)
            kill(-process->pid, SIGKILL);
        process_sleep(POLL_MS);
    }
}
