// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whole runs against an emulator that only pretends: this program itself, called by QEMU's name,
 * writes the serial log that a test has put together and ends the way the test wants.
 */
#include "ci/unit/unit.h"

#include <errno.h>
#include <ftw.h>
#include <libgen.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "ci/runner/emulator.h"
#include "ci/runner/process.h"
#include "ci/runner/run.h"
#include "lib/crc32c.h"

#define EMULATOR "qemu-system-x86_64"

#define PASS_STATUS DEBUG_EXIT_STATUS(DEBUG_EXIT_PASS)
#define FAIL_STATUS DEBUG_EXIT_STATUS(DEBUG_EXIT_FAIL)

static const char good_body[] = "KTAP version 1\n# paeload 0.1 seed=beef depth=smoke\n1..2\n"
                                "    KTAP version 1\n    # Subtest: paging\n    1..2\n"
                                "    ok 1 walk\n    ok 2 nx # SKIP no NX\n"
                                "# metric paging.walk 12 cycles\n"
                                "# metric memory.lowmem_free 812 MiB\nok 1 paging\n"
                                "    KTAP version 1\n    # Subtest: kmap\n    1..1\n"
                                "    ok 1 wrap\nok 2 kmap\n";
static const char good_verdict[] = "PASS pass=2 fail=0 skip=1 error=0";

static const char bad_body[] = "KTAP version 1\n# paeload 0.1 seed=beef\n1..1\n"
                               "    KTAP version 1\n    # Subtest: kmap\n    1..1\n"
                               "    # page 0x123456000 shows <0x55> & not \"0xaa\"\n"
                               "    not ok 1 wrap\nnot ok 1 kmap\n";
static const char bad_verdict[] = "FAIL pass=0 fail=1 skip=0 error=0";

/* What the pretended emulator does, told by the environment. */
#define ENV_LOG "FAKE_LOG"       /* the file with what it says on the serial line */
#define ENV_STATUS "FAKE_STATUS" /* how it ends */
#define ENV_HANGS "FAKE_HANGS"   /* it does not end, and writes its process id here */
#define ENV_WRITES "FAKE_WRITES" /* it writes to the disk image */

/* The value of `key=` in some argument, up to the next comma, in *value. */
static bool argument_value(char **argv, const char *key, const char *value_key, char *value,
                           size_t room)
{
    for (; *argv; argv++) {
        const char *found = strstr(*argv, key) ? strstr(*argv, value_key) : NULL;

        if (found) {
            found += strlen(value_key);
            snprintf(value, room, "%.*s", (int)strcspn(found, ","), found);
            return true;
        }
    }
    return false;
}

static int emulate(char **argv)
{
    char serial[512], disk[512], byte;
    const char *hangs = getenv(ENV_HANGS);

    if (!argument_value(argv, "file,id=report", "path=", serial, sizeof(serial)) ||
        !argument_value(argv, "id=disk0", "file=", disk, sizeof(disk)))
        return 1;
    FILE *in = fopen(getenv(ENV_LOG), "rb"), *out = fopen(serial, "wb");
    if (!in || !out)
        return 1;
    while (fread(&byte, 1, 1, in) == 1)
        fwrite(&byte, 1, 1, out);
    fclose(out);
    fclose(in);
    if (getenv(ENV_WRITES)) {
        FILE *image = fopen(disk, "r+b");

        fseek(image, 5000, SEEK_SET);
        fputc('x', image);
        fclose(image);
    }
    if (hangs) {
        FILE *pid = fopen(hangs, "w");

        fprintf(pid, "%d", getpid());
        fclose(pid);
        for (;;)
            pause();
    }
    return atoi(getenv(ENV_STATUS));
}

/* Folders of this test, made anew for each case. */
static struct {
    char root[64], build[96], log[96], pid[96];
    FILE *shown;
} place;

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static int set_up(void **state)
{
    char kernel[128], bin[96], link[128], self[512];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    assert_true(length > 0);
    self[length] = '\0';
    strcpy(place.root, "/tmp/paeload-run-XXXXXX");
    assert_non_null(mkdtemp(place.root));
    snprintf(place.build, sizeof(place.build), "%s/build", place.root);
    snprintf(place.log, sizeof(place.log), "%s/log", place.root);
    snprintf(place.pid, sizeof(place.pid), "%s/pid", place.root);
    snprintf(kernel, sizeof(kernel), "%s/paeload.elf", place.build);
    snprintf(bin, sizeof(bin), "%s/bin", place.root);
    snprintf(link, sizeof(link), "%s/" EMULATOR, bin);
    mkdir(place.build, 0777);
    mkdir(bin, 0777);
    assert_int_equal(symlink(self, link), 0);
    write_file(kernel, "");
    setenv("PATH", bin, 1);
    unsetenv(ENV_HANGS);
    unsetenv(ENV_WRITES);
    setenv(ENV_LOG, place.log, 1);
    place.shown = tmpfile();
    assert_non_null(place.shown);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    return remove(path);
}

static int tear_down(void **state)
{
    fclose(place.shown);
    return nftw(place.root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes the log that the emulator will replay; `verdict` may be NULL. */
static void prepare(const char *noise, const char *body, const char *verdict, int status)
{
    char log[4096], digits[16];
    unsigned lines = 0;

    for (const char *c = body; *c; c++)
        lines += *c == '\n';
    snprintf(log, sizeof(log), "%s%s", noise, body);
    if (verdict)
        snprintf(log + strlen(log), sizeof(log) - strlen(log),
                 "# paeload: %s lines=%u crc32c=%08x\n", verdict, lines,
                 crc32c_update(0, body, strlen(body)));
    write_file(place.log, log);
    snprintf(digits, sizeof(digits), "%d", status);
    setenv(ENV_STATUS, digits, 1);
}

static void run(struct run_result *result, unsigned limit_s)
{
    struct machine machine;
    struct live live;
    char *message;

    machine_init(&machine);
    machine_set(&machine, "firmware", "bios", &message);
    machine_set(&machine, "mem", "64M", &message);
    machine_set(&machine, "name", "t", &message);
    machine.timeout_s = limit_s;
    live_start(&live, place.shown);
    run_machine(&machine, place.build, &live, result);
    run_show_end(&machine, result, &live);
    machine_free(&machine);
}

static bool was_shown(const char *part)
{
    char text_shown[8192];

    rewind(place.shown);
    size_t length = fread(text_shown, 1, sizeof(text_shown) - 1, place.shown);
    text_shown[length] = '\0';
    return strstr(text_shown, part);
}

static bool has_problem(const struct run_result *result, const char *part)
{
    for (size_t i = 0; i < result->judgement.problems.count; i++) {
        if (strstr(result->judgement.problems.at[i], part))
            return true;
    }
    return false;
}

/* How many nodes of report.xml the XPath expression finds. */
static int count_nodes(const struct run_result *result, const char *expression)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/report.xml", result->dir);
    xmlDocPtr document = xmlReadFile(path, NULL, XML_PARSE_NOERROR);
    assert_non_null(document);
    xmlXPathContextPtr context = xmlXPathNewContext(document);
    xmlXPathObjectPtr found = xmlXPathEvalExpression(BAD_CAST expression, context);
    assert_non_null(found);
    int count = xmlXPathNodeSetGetLength(found->nodesetval);
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    xmlFreeDoc(document);
    return count;
}

static bool html_has(const struct run_result *result, const char *part)
{
    char *path = text("%s/report.html", result->dir), *bytes = NULL;
    FILE *file = fopen(path, "r");
    size_t room = 0;

    assert_non_null(file);
    assert_true(getdelim(&bytes, &room, '\0', file) > 0);
    bool found = strstr(bytes, part);
    fclose(file);
    free(bytes);
    free(path);
    return found;
}

/* Lines of the laboratory are drawn, and not shown. */
static void laboratory(void **state)
{
    static const char body[] = "KTAP version 1\n# paeload 0.1 seed=beef\n1..1\n"
                               "    KTAP version 1\n    # Subtest: lowmem_x\n    1..1\n"
                               "# lab begin lowmem_x.none x threads 10\n"
                               "# lab sample 0 0 DMA 1024 0 0 0 0 0 0 0 0 0 0 1\n"
                               "# lab end 10 never 0 - 0 0 0 -1\n    ok 1 none\nok 1 lowmem_x\n";
    struct run_result result;

    prepare("", body, "PASS pass=1 fail=0 skip=0 error=0", PASS_STATUS);
    run(&result, 20);
    assert_int_equal(result.result, RESULT_PASS);
    assert_true(html_has(&result, "Free memory, zone DMA"));
    assert_false(was_shown("lab"));
    run_result_free(&result);
}

static void pass(void **state)
{
    struct run_result result;

    prepare("", good_body, good_verdict, PASS_STATUS);
    run(&result, 20);
    assert_int_equal(result.result, RESULT_PASS);
    assert_int_equal(count_nodes(&result, "//testsuite"), 3);
    assert_int_equal(count_nodes(&result, "//testsuite[@name='paging']/testcase"), 2);
    assert_int_equal(count_nodes(&result, "//testcase[@name='nx']/skipped"), 1);
    assert_int_equal(count_nodes(&result, "//failure | //error"), 0);
    assert_int_equal(count_nodes(&result, "//testsuite[@name='paging']/properties/"
                                          "property[@name='paging.walk'][@value='12 cycles']"),
                     1);
    assert_int_equal(count_nodes(&result, "//property[@name='verdict'][@value='PASS']"), 1);
    assert_int_equal(count_nodes(&result, "//property[@name='seed'][@value='beef']"), 1);
    assert_int_equal(count_nodes(&result, "//property[@name='memory.lowmem_free']"), 1);
    run_result_free(&result);
}

static void fail_is_shown_and_reported(void **state)
{
    struct run_result result;

    prepare("", bad_body, bad_verdict, FAIL_STATUS);
    run(&result, 20);
    assert_int_equal(result.result, RESULT_FAIL);
    assert_int_equal(count_nodes(&result, "//testcase[@name='wrap']/failure["
                                          "contains(@message, '<0x55> & not \"0xaa\"')]"),
                     1);
    assert_true(html_has(&result, "&lt;0x55&gt; &amp; not &quot;0xaa&quot;"));
    assert_true(html_has(&result, ">FAIL</b>"));
    assert_true(was_shown("t/report.html"));
    assert_true(was_shown("# page 0x123456000 shows"));
    assert_true(was_shown("not ok kmap.wrap"));
    assert_true(was_shown("again: make run FIRMWARE=bios MEM=64M ARGS='depth=smoke seed=beef'"));
    run_result_free(&result);
}

static void noise_before(void **state)
{
    struct run_result result;

    prepare("\033[2J\033[01;01H\033[=3hBoot\r\n\033[0m", good_body, good_verdict, PASS_STATUS);
    run(&result, 20);
    assert_int_equal(result.result, RESULT_PASS);
    run_result_free(&result);
}

static void lost_byte(void **state)
{
    char damaged[sizeof(good_body)];
    struct run_result result;

    prepare("", good_body, good_verdict, PASS_STATUS);
    FILE *log = fopen(place.log, "r+b");
    assert_non_null(log);
    memcpy(damaged, good_body, sizeof(damaged));
    *strstr(damaged, "walk") = 'W';
    fwrite(damaged, 1, strlen(damaged), log);
    fclose(log);
    run(&result, 20);
    assert_int_equal(result.result, RESULT_BROKEN);
    assert_true(has_problem(&result, "serial log damaged"));
    assert_int_equal(count_nodes(&result, "//testsuite[@name='run']//error"), 1);
    run_result_free(&result);
}

static void reset_is_no_pass(void **state)
{
    struct run_result result;

    prepare("", good_body, NULL, 0);
    run(&result, 20);
    assert_int_equal(result.result, RESULT_BROKEN);
    assert_true(has_problem(&result, "triple fault"));
    run_result_free(&result);
}

static void hang(void **state)
{
    struct run_result result;
    char half[512];
    int pid = 0;

    snprintf(half, sizeof(half), "%.*s", (int)(strstr(good_body, "    ok 2 nx") - good_body),
             good_body);
    prepare("", half, NULL, 0);
    setenv(ENV_HANGS, place.pid, 1);
    run(&result, 1);
    assert_int_equal(result.result, RESULT_BROKEN);
    assert_true(result.seconds < 5);
    assert_true(has_problem(&result, "no verdict within 1 s, in suite paging, after case walk"));
    assert_int_equal(count_nodes(&result, "//testsuite[@name='paging']/testcase[@name="
                                          "'(end of suite)']/error[contains(@message, 'hang')]"),
                     1);
    assert_true(was_shown("  |     ok 1 walk"));
    /* The emulator is gone. */
    FILE *file = fopen(place.pid, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    run_result_free(&result);
}

static void written_disk(void **state)
{
    struct run_result result;

    prepare("", good_body, good_verdict, PASS_STATUS);
    setenv(ENV_WRITES, "1", 1);
    run(&result, 20);
    assert_int_equal(result.result, RESULT_FAIL);
    assert_true(has_problem(&result, "disk.img was written to: sector 9"));
    run_result_free(&result);
}

static void no_emulator(void **state)
{
    struct run_result result;

    prepare("", good_body, good_verdict, PASS_STATUS);
    setenv("PATH", "/nonexistent", 1);
    run(&result, 20);
    assert_int_equal(result.result, RESULT_CANT);
    assert_true(has_problem(&result, "could not be started"));
    run_result_free(&result);
}

static void no_payload(void **state)
{
    struct run_result result;
    char kernel[128];

    snprintf(kernel, sizeof(kernel), "%s/paeload.elf", place.build);
    unlink(kernel);
    run(&result, 20);
    assert_int_equal(result.result, RESULT_CANT);
    assert_true(has_problem(&result, "paeload.elf is missing"));
    run_result_free(&result);
}

/* Runs where a folder stands in the place of a file of the run. */
static void run_over_folder(const char *file, struct run_result *result)
{
    char *runs = text("%s/run", place.build), *folder = text("%s/t", runs);
    char *in_the_way = text("%s/%s", folder, file);

    prepare("", good_body, good_verdict, PASS_STATUS);
    mkdir(runs, 0777);
    mkdir(folder, 0777);
    assert_int_equal(mkdir(in_the_way, 0777), 0);
    run(result, 20);
    assert_int_equal(result->result, RESULT_CANT);
    free(in_the_way);
    free(folder);
    free(runs);
}

static void assert_is_left(const char *file)
{
    char *path = text("%s/run/t/%s", place.build, file);

    assert_int_equal(access(path, R_OK), 0);
    free(path);
}

/* A run that could not begin is reported too: who only sees the reports must not miss it. */
static void not_begun_is_reported(void **state)
{
    struct run_result result;

    run_over_folder("disk.img", &result);
    assert_true(has_problem(&result, "disk.img: Is a directory"));
    assert_is_left("report.xml");
    run_result_free(&result);
}

/* A report that can't be written is named, and the others are there. */
static void report_not_written(void **state)
{
    struct run_result result;

    run_over_folder("report.xml", &result);
    assert_true(has_problem(&result, "report.xml: "));
    assert_is_left("report.html");
    run_result_free(&result);
}

static void folder_in_use(void **state)
{
    struct run_files other;
    struct run_result result;
    char *message = NULL;

    assert_int_equal(files_open(&other, place.build, "t", &message), 0);
    prepare("", good_body, good_verdict, PASS_STATUS);
    run(&result, 20);
    assert_int_equal(result.result, RESULT_CANT);
    assert_true(has_problem(&result, "another run is using"));
    run_result_free(&result);
    files_close(&other);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pass),
        TEST(laboratory),
        TEST(fail_is_shown_and_reported),
        TEST(noise_before),
        TEST(lost_byte),
        TEST(reset_is_no_pass),
        TEST(hang),
        TEST(written_disk),
        TEST(no_emulator),
        TEST(no_payload),
        TEST(folder_in_use),
        TEST(not_begun_is_reported),
        TEST(report_not_written),
    };

    if (!strcmp(basename(argv[0]), EMULATOR))
        _exit(emulate(argv));
    return cmocka_run_group_tests_name("runner_run", tests, NULL, NULL);
}
