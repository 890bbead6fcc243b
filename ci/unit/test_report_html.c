// SPDX-License-Identifier: BSD-2-Clause
/* report.html: well-formed whatever the log holds, in order, by itself, and not too large. */
#include "ci/runner/tests/lab_sample.h"

#include <sys/stat.h>
#include <unistd.h>

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

#include "ci/runner/report.h"
#include "paging/fragmentation.h"

#define SIZE_LIMIT 3000000

static char path[] = "/tmp/paeload-html-XXXXXX";

static int set_up(void **state)
{
    int file = mkstemp(path);

    return file < 0 ? -1 : close(file);
}

static int tear_down(void **state)
{
    xmlCleanupParser();
    return remove(path);
}

/* Writes a report of the log, and returns it as a document, for xmlFreeDoc(). */
static xmlDocPtr report_of(const char *log, size_t length, enum result result)
{
    struct judgement judgement = {.result = result};
    struct machine machine;
    struct ktap ktap;

    lab_feed(&ktap, log, length);
    machine_init(&machine);
    if (result != RESULT_PASS)
        words_add(&judgement.problems, "something <is> & \"wrong\"");
    const struct report report = {
        .ktap = &ktap,
        .judgement = &judgement,
        .machine = &machine,
        .name = "t & <t>",
        .command = "make run ARGS='a=\"<b>\"'",
        .seconds = 1.5,
    };
    assert_int_equal(report_write_html(&report, path), 0);
    judgement_free(&judgement);
    machine_free(&machine);
    ktap_free(&ktap);
    xmlDocPtr document = xmlReadFile(path, NULL, XML_PARSE_NONET | XML_PARSE_HUGE);
    assert_non_null(document);
    return document;
}

/* How many nodes the XPath expression finds; elements are h:NAME, those of pictures s:NAME. */
static int count_nodes(xmlDocPtr document, const char *expression)
{
    xmlXPathContextPtr context = xmlXPathNewContext(document);

    xmlXPathRegisterNs(context, BAD_CAST "h", BAD_CAST "http://www.w3.org/1999/xhtml");
    xmlXPathRegisterNs(context, BAD_CAST "s", BAD_CAST "http://www.w3.org/2000/svg");
    xmlXPathObjectPtr found = xmlXPathEvalExpression(BAD_CAST expression, context);
    assert_non_null(found);
    int count = xmlXPathNodeSetGetLength(found->nodesetval);
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    return count;
}

static void sections_in_order(void **state)
{
    char *log = lab_sample();
    xmlDocPtr document = report_of(log, strlen(log), RESULT_FAIL);

    assert_int_equal(count_nodes(document, "/h:html/h:head/h:title[.='FAIL: t & <t>']"), 1);
    assert_int_equal(count_nodes(document, "//h:div[@class='verdict bad']/h:b[.='FAIL']"), 1);
    assert_int_equal(count_nodes(document,
                                 "//h:div[@class='verdict bad']/following-sibling::h:h2[1]"
                                 "[@id='machine']/following-sibling::h:h2[1][@id='suites']"
                                 "/following-sibling::h:h2[1][@id='metrics']"
                                 "/following-sibling::h:h2[1][@id='laboratory']"),
                     1);
    assert_int_equal(count_nodes(document, "//h:code[contains(., 'a=\"<b>\"')]"), 1);
    /* The suite that is not ok stands first, open, with its bad case before the others. */
    assert_int_equal(count_nodes(document, "//h:h2[@id='suites']/following-sibling::h:details[1]"
                                           "[@open]/h:summary/h:b[.='kmap']"),
                     1);
    assert_int_equal(count_nodes(document, "//h:details[@open]/*[2][self::h:details][@open]"
                                           "/h:pre[contains(., '<0x55> & not \"0xaa\"')]"),
                     1);
    assert_int_equal(count_nodes(document, "//h:details[not(@open)]/h:summary"
                                           "/h:b[.='lowmem_stacks']"),
                     2); /* its cases, and its metrics */
    xmlFreeDoc(document);
    free(log);
}

static void the_laboratory_is_drawn(void **state)
{
    char *log = lab_sample();
    xmlDocPtr document = report_of(log, strlen(log), RESULT_FAIL);

    assert_int_equal(count_nodes(document, "//h:h3[@id='lab-stacks']"), 1);
    assert_int_equal(count_nodes(document, "//h:h3/following-sibling::h:div[1]//h:tbody/h:tr"), 2);
    assert_int_equal(count_nodes(document, "//h:td[.='1,621']"), 4);
    assert_int_equal(count_nodes(document, "//h:td[.='never (65,536)']"), 1);
    assert_int_equal(
        count_nodes(document, "//h:p[starts-with(., 'did not wedge in the 65,536 threads that')]"),
        1);
    assert_int_equal(count_nodes(document, "//h:td[starts-with(., '\xe2\x89\xa5 40.4')]"), 1);
    assert_int_equal(count_nodes(document, "//h:div[@class='case']"), 2);
    assert_int_equal(count_nodes(document, "//h:tr[h:td[1][.='object']]/h:td[.='12,000']"), 1);
    /* none: NORMAL, DMA, two indexes, costs, three maps; smaller: NORMAL, two indexes, costs */
    assert_int_equal(count_nodes(document, "//h:div[@class='case'][1]//s:svg[@aria-label]"), 8);
    assert_int_equal(count_nodes(document, "//h:div[@class='case'][2]//s:svg[@aria-label]"), 4);
    assert_int_equal(count_nodes(document, "//h:div[@class='case'][1]//s:path[@class='wedge']"), 4);
    assert_int_equal(count_nodes(document, "//h:div[@class='case'][2]//s:path[@class='wedge']"), 0);
    assert_int_equal(count_nodes(document, "(//s:svg[contains(@aria-label, 'free memory')])[1]"
                                           "//s:path[starts-with(@class, 'area')]"),
                     11);
    assert_int_equal(count_nodes(document, "//s:svg[contains(@aria-label, 'wedge')]"
                                           "//s:path/s:title[.='stacks, less than half used']"),
                     1);
    assert_int_equal(count_nodes(document, "//s:svg[contains(@aria-label, 'at the end')]"
                                           "//s:path/s:title[.='an owner that is gone']"),
                     1);
    assert_int_equal(count_nodes(document, "//h:li[.='an owner that is gone']"), 1);
    assert_int_equal(count_nodes(document, "//h:pre[contains(., 'could not be used')]"), 0);
    xmlFreeDoc(document);
    free(log);
}

/* A workload whose second case allocates no block of the order that costs are compared by. */
static const char two_runs[] = "KTAP version 1\n"
                               "# lab begin lowmem_memmap.none memmap GiB 65\n"
                               "# lab spent alloc 10 210 991 1500 2000 3000 instructions\n"
                               "# lab end 53 wedged 10 Normal 20 1000 0 9\n"
                               "# lab result memmap none 53 wedged 100 991 10\n"
                               "# lab begin lowmem_memmap.smaller memmap GiB 637\n"
                               "# lab spent alloc 9 64 100 200 300 400 instructions\n"
                               "# lab end 64 over 0 - 3000 180000 0 10\n"
                               "# lab result memmap smaller 64 over 120 - 10\n";

/* What is the same in all rows stands in the heading: the table has to fit on paper. */
static void tables_name_the_unit_once(void **state)
{
    xmlDocPtr document = report_of(two_runs, strlen(two_runs), RESULT_PASS);

    assert_int_equal(count_nodes(document, "//h:table[@class='results']//h:th"
                                           "[.='cost of order 10, instructions'][@colspan=4]"),
                     1);
    assert_int_equal(count_nodes(document, "//h:section//h:td[contains(., 'instructions')]"), 0);
    /* As many columns in the head as in each row. */
    assert_int_equal(count_nodes(document, "//h:table[@class='results']//h:tbody/h:tr"
                                           "[count(h:td)=11]"),
                     2);
    assert_int_equal(count_nodes(document, "//h:table[@class='results']//h:td[.='2,000']"), 1);
    assert_int_equal(count_nodes(document, "//h:td[.='smaller']/../h:td[.='-']"), 4);
    xmlFreeDoc(document);
}

/* A machine of 2 GiB that ends with 1 MiB: only with what it began with does that make sense. */
static void cases_tell_what_was_free_at_the_start(void **state)
{
    static const char whole[] = "KTAP version 1\n"
                                "# lab begin lowmem_memmap.none memmap GiB 65\n"
                                "# lab zone Normal 4096 229376 224241\n"
                                "# lab sample 0 0 Normal 200000 0 0 0 0 0 0 0 0 0 0 195\n"
                                "# lab begin lowmem_memmap.late memmap GiB 65\n"
                                "# lab zone Normal 4096 229376 224241\n"
                                "# lab sample 900 7 Normal 1024 0 0 0 0 0 0 0 0 0 0 1\n";
    char *log = lab_sample();
    xmlDocPtr document = report_of(log, strlen(log), RESULT_FAIL);

    assert_int_equal(
        count_nodes(document, "//h:p[contains(., 'HIGHMEM 1.1 GiB. Free before the first "
                              "step, with ballast in place: DMA 8.0 MiB, NORMAL 16.0 MiB, HIGHMEM "
                              "1.1 GiB')]"),
        1);
    xmlFreeDoc(document);
    document = report_of(whole, strlen(whole), RESULT_PASS);
    assert_int_equal(
        count_nodes(document, "//h:p[contains(., '. Free before the first step: NORMAL 781 MiB')]"),
        1);
    assert_int_equal(count_nodes(document, "//h:p[contains(., 'before the first step')]"), 1);
    xmlFreeDoc(document);
    free(log);
}

/* One table answers what each remedy is worth; its rows lead to the workloads. */
static void one_table_over_all_workloads(void **state)
{
    static const char lost[] = "# lab result jumbo none 161 wedged 100 1855 0\n"
                               "# lab result jumbo mobility 154 wedged 95 3583 0\n";
    static const char row[] = "//h:h2[@id='laboratory']/following-sibling::h:div[1]"
                              "/h:table[@id='lab-summary']/h:tbody/h:tr";
    char *all = lab_sample(), *log = text("%s%s%s", all, two_runs, lost);
    xmlDocPtr document = report_of(log, strlen(log), RESULT_FAIL);
    static const struct {
        const char *condition;
        int rows;
    } conditions[] = {
        {"", 3},
        {"[h:td[1]/h:a[@href='#lab-stacks'][.='stacks']][h:td[2]='threads'][h:td[3]='1,621']", 1},
        {"[h:td[1]='stacks'][h:td[4]//h:li='DMA 32 KiB'][h:td[4]//h:li[3]='HIGHMEM 1.1 GiB']", 1},
        {"[h:td[1]='stacks'][h:td[5]//h:li='351 cycles']", 1},
        {"[h:td[1]='stacks']//h:li[.='smaller \xe2\x89\xa5 40.4 \xc3\x97 200'][h:b/@class='pass']",
         1},
        {"[h:td[1]='memmap'][h:td[5]//h:li='order 10']", 1},
        {"[h:td[1]='memmap']//h:li[.='smaller \xe2\x89\xa5 1.20 \xc3\x97'][not(h:b/@class)]", 1},
        {"[h:td[1]='jumbo'][h:td[3]='not in the log']//h:li[.='mobility 0.95 \xc3\x97 3,583']", 1},
        {"//h:li[contains(., 'none')]", 0},
    };

    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        char *path_to = text("%s%s", row, conditions[i].condition);

        print_message("# %s\n", path_to);
        assert_int_equal(count_nodes(document, path_to), conditions[i].rows);
        free(path_to);
    }
    assert_int_equal(count_nodes(document, "//h:h3[concat('#', @id)=//h:a/@href]"), 3);
    xmlFreeDoc(document);
    free(log);
    free(all);
}

/* No allocation costs 0 cycles: the table says how much less than what could be told it was. */
static void costs_within_the_noise(void **state)
{
    static const char log[] = "KTAP version 1\n"
                              "# lab begin lowmem_x.none x pages 10\n"
                              "# lab clock 24 25 cycles\n"
                              "# lab spent alloc 0 10 24 25 26 3000 cycles\n"
                              "# lab spent slab 0 10 0 24 25 3000 cycles\n"
                              "# lab end 5 wedged 0 Normal 0 0 0 -1\n"
                              "# lab result x none 5 wedged 100 24 0\n"
                              "# lab begin lowmem_x.pool x pages 60\n"
                              "# lab clock 3 0 instructions\n"
                              "# lab spent alloc 0 10 0 1 26 3000 instructions\n"
                              "# lab end 9 wedged 0 Normal 0 0 0 -1\n"
                              "# lab result x pool 9 wedged 180 0 0\n";
    xmlDocPtr document = report_of(log, strlen(log), RESULT_PASS);

    assert_int_equal(count_nodes(document, "//h:section/h:div[1]//h:tr[h:td[1]='none']"
                                           "[h:td[8]='< 25'][h:td[9]='25']"),
                     1);
    assert_int_equal(count_nodes(document, "//h:section/h:div[1]//h:tr[h:td[1]='pool']"
                                           "[h:td[8]='< 1'][h:td[9]='1']"),
                     1);
    assert_int_equal(count_nodes(document, "//h:tr[h:td[1]='object'][h:td[4]='< 25']"
                                           "[h:td[5]='< 25'][h:td[6]='25']"),
                     1);
    assert_int_equal(count_nodes(document, "//h:table[@id='lab-summary']//h:li[.='< 25 cycles']"),
                     1);
    assert_int_equal(count_nodes(document, "//h:table[@id='lab-summary']//h:span[.='< 1']"), 1);
    assert_int_equal(count_nodes(document, "//s:title[contains(., 'half of them up to below 25')]"),
                     2);
    xmlFreeDoc(document);
}

/* Samples that follow steps lie evenly on an axis of steps, however long a slow host took. */
static void curves_over_steps(void **state)
{
    static const char log[] = "KTAP version 1\n"
                              "# lab begin lowmem_memmap.none memmap GiB 65\n"
                              "# lab sample 0 0 Normal 8192 0 0 0 0 0 0 0 0 0 0 8\n"
                              "# lab sample 1 2 Normal 6144 0 0 0 0 0 0 0 0 0 0 6\n"
                              "# lab sample 90 4 Normal 4096 0 0 0 0 0 0 0 0 0 0 4\n"
                              "# lab sample 91 6 Normal 2048 0 0 0 0 0 0 0 0 0 0 2\n"
                              "# lab sample 95 7 Normal 512 0 0 0 0 0 0 0 0 0 1 0\n"
                              "# lab end 7 wedged 10 Normal 0 512 0 9\n";
    xmlDocPtr document = report_of(log, strlen(log), RESULT_PASS);

    assert_int_equal(count_nodes(document, "//s:svg[contains(@aria-label, 'over GiB')]"), 3);
    assert_int_equal(count_nodes(document, "//s:svg/s:text[.='GiB']"), 3);
    assert_int_equal(count_nodes(document, "//s:svg/s:text[.='ms']"), 0);
    /* Only at the wedge order 10 is short of a block: a point without a line. */
    assert_int_equal(count_nodes(document, "//s:svg[contains(@aria-label, 'Fragmentation')]"
                                           "//s:path[@class='dot o10']"),
                     1);
    assert_int_equal(count_nodes(document, "//s:svg[contains(@aria-label, 'Fragmentation')]"
                                           "//s:path[starts-with(@class, 'line')]"),
                     0);
    xmlFreeDoc(document);
}

/* Where nothing wedges, nothing lasts "at least 1.00 times" as long. */
static void no_times_of_what_did_not_wedge(void **state)
{
    static const char log[] = "KTAP version 1\n"
                              "# lab begin lowmem_memmap.none memmap GiB 65\n"
                              "# lab end 16 over 0 - 1000 1000 0 10\n"
                              "# lab result memmap none 16 over 100 7 10\n"
                              "# lab begin lowmem_memmap.smaller memmap GiB 65\n"
                              "# lab end 16 over 0 - 1000 2000 0 10\n"
                              "# lab result memmap smaller 16 over 100 - 10\n";
    xmlDocPtr document = report_of(log, strlen(log), RESULT_PASS);

    assert_int_equal(count_nodes(document, "//h:section//h:tr[h:td[2]='over (16)'][h:td[3]='-']"),
                     2);
    assert_int_equal(count_nodes(document, "//h:li[.='smaller -']"), 1);
    xmlFreeDoc(document);
}

static void nothing_from_elsewhere(void **state)
{
    char *log = lab_sample();
    xmlDocPtr document = report_of(log, strlen(log), RESULT_FAIL);

    assert_int_equal(count_nodes(document, "//h:script | //h:link | //h:img | //h:iframe"), 0);
    assert_int_equal(count_nodes(document, "//@src | //@href[not(starts-with(., '#'))]"), 0);
    assert_int_equal(count_nodes(document, "//h:style[contains(., 'url(') or "
                                           "contains(., '@import')]"),
                     0);
    xmlFreeDoc(document);
    free(log);
}

static void no_laboratory(void **state)
{
    static const char log[] = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: kmap\n"
                              "    1..1\n    ok 1 wrap\nok 1 kmap\n";
    xmlDocPtr document = report_of(log, strlen(log), RESULT_PASS);

    assert_int_equal(count_nodes(document, "//h:h2"), 2);
    assert_int_equal(count_nodes(document, "//h:h2[@id='laboratory']"), 0);
    assert_int_equal(count_nodes(document, "//h:div[@class='verdict good']"), 1);
    xmlFreeDoc(document);
    document = report_of("", 0, RESULT_CANT);
    assert_int_equal(count_nodes(document, "//h:h2[@id='suites']"), 1);
    xmlFreeDoc(document);
}

static void any_end(void **state)
{
    char *log = lab_sample();
    size_t length = strlen(log);

    for (size_t end = 0; end < length; end += 41)
        xmlFreeDoc(report_of(log, end, RESULT_BROKEN));
    free(log);
}

static void any_damage(void **state)
{
    static const char nasty[] = "<>&\"'\x01\x1b\xff\n ]-";
    char *log = lab_sample();
    size_t length = strlen(log);
    struct prng prng;

    prng_seed(&prng, 3);
    for (int round = 0; round < 50; round++) {
        char *damaged = exact_copy(log, length);

        for (uint32_t hit = between(&prng, 1, 60); hit > 0; hit--) {
            size_t at = prng_below(&prng, (uint32_t)length);

            damaged[at] = one_in(&prng, 2) ? nasty[prng_below(&prng, sizeof(nasty))]
                                           : (char)('0' + prng_below(&prng, 10));
        }
        xmlFreeDoc(report_of(damaged, length, RESULT_BROKEN));
        free(damaged);
    }
    free(log);
}

static void print_sample(FILE *out, struct prng *prng, unsigned second, const char *zone,
                         uint32_t most)
{
    uint32_t counts[NR_ORDERS], pages = 0;

    for (unsigned order = 0; order < NR_ORDERS; order++) {
        counts[order] = prng_below(prng, (most >> order) / NR_ORDERS);
        pages += counts[order] << order;
    }
    fprintf(out, "# lab sample %u %u %s %u", second * 1000, second * 777, zone, pages);
    for (unsigned order = 0; order < NR_ORDERS; order++)
        fprintf(out, " %u", counts[order]);
    fputc('\n', out);
}

/* 64 GiB, seven workloads, seven remedies each, a hundred seconds of curves and maps without any
 * rest.
 */
static void large_logs_make_small_pages(void **state)
{
    char *log = NULL;
    size_t size;
    FILE *out = open_memstream(&log, &size);
    struct prng prng;
    struct stat status;

    assert_non_null(out);
    prng_seed(&prng, 9);
    fputs("KTAP version 1\n", out);
    for (unsigned run = 0; run < 49; run++) {
        fprintf(out, "# lab begin lowmem_w%u.r%u w%u threads 10\n", run / 7, run % 7, run / 7);
        for (unsigned second = 0; second < 100; second++) {
            print_sample(out, &prng, second, "DMA", 4096);
            print_sample(out, &prng, second, "NORMAL", 225280);
            print_sample(out, &prng, second, "HIGHMEM", 16000000);
        }
        for (unsigned row = 0; row < 3 * 56; row++) {
            static const char *const whens[] = {"start", "wedge", "end"};

            fprintf(out, "# lab map %s %u 64 ", whens[row / 56], row % 56 * 4096);
            for (unsigned cell = 0; cell < 64; cell++)
                fputc("abcdefABCDEF.-"[prng_below(&prng, 14)], out);
            fputc('\n', out);
        }
    }
    fclose(out);
    xmlDocPtr document = report_of(log, size, RESULT_PASS);
    assert_int_equal(count_nodes(document, "//h:div[@class='case']"), 49);
    xmlFreeDoc(document);
    assert_int_equal(stat(path, &status), 0);
    print_message("# %u bytes of log make a page of %u\n", (unsigned)size,
                  (unsigned)status.st_size);
    assert_true(status.st_size < SIZE_LIMIT);
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_in_order),
        cmocka_unit_test(the_laboratory_is_drawn),
        cmocka_unit_test(tables_name_the_unit_once),
        cmocka_unit_test(cases_tell_what_was_free_at_the_start),
        cmocka_unit_test(one_table_over_all_workloads),
        cmocka_unit_test(costs_within_the_noise),
        cmocka_unit_test(curves_over_steps),
        cmocka_unit_test(no_times_of_what_did_not_wedge),
        cmocka_unit_test(nothing_from_elsewhere),
        cmocka_unit_test(no_laboratory),
        cmocka_unit_test(any_end),
        cmocka_unit_test(any_damage),
        cmocka_unit_test(large_logs_make_small_pages),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
