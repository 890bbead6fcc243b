/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "lib/list.h"

struct item {
    int number;
    struct list_head link;
};

/* The list holds just these numbers, seen from both ends. */
static void assert_list(struct list_head *head, const int *numbers, unsigned count)
{
    struct item *item;
    struct list_head *back = head->prev;
    unsigned i = 0;

    list_for_each_entry (item, head, link) {
        assert_true(i < count);
        assert_int_equal(item->number, numbers[i++]);
    }
    assert_int_equal(i, count);
    for (; i; i--, back = back->prev)
        assert_int_equal(list_entry(back, struct item, link)->number, numbers[i - 1]);
    assert_ptr_equal(back, head);
    assert_int_equal(list_empty(head), count == 0);
}

static void empty(void **state)
{
    struct list_head still = LIST_HEAD_INIT(still), later;

    list_init(&later);
    assert_list(&still, NULL, 0);
    assert_list(&later, NULL, 0);
}

static void both_ends(void **state)
{
    struct item a = {.number = 1}, b = {.number = 2}, c = {.number = 3};
    struct list_head head = LIST_HEAD_INIT(head);

    list_add(&b.link, &head);
    list_add_tail(&c.link, &head);
    list_add(&a.link, &head);
    assert_list(&head, (int[]){1, 2, 3}, 3);
    assert_ptr_equal(list_first_entry(&head, struct item, link), &a);
    assert_ptr_equal(list_last_entry(&head, struct item, link), &c);
    list_del(&b.link);
    assert_list(&head, (int[]){1, 3}, 2);
    assert_true(list_empty(&b.link));
    list_del(&b.link); /* harmless */
    assert_list(&head, (int[]){1, 3}, 2);
    list_del(&a.link);
    list_del(&c.link);
    assert_list(&head, NULL, 0);
}

/* Against an array that is shifted about. */
static void against_an_array(void **state)
{
    enum { ITEMS = 40 };
    struct list_head head = LIST_HEAD_INIT(head);
    struct item items[ITEMS];
    bool listed[ITEMS] = {false};
    int model[ITEMS];
    unsigned count = 0;
    struct prng prng;

    prng_seed(&prng, 1);
    for (int step = 0; step < 20000; step++) {
        int n = (int)prng_below(&prng, ITEMS);

        if (!listed[n]) {
            unsigned at = prng_below(&prng, count + 1);
            struct list_head *before = at ? &items[model[at - 1]].link : &head;

            items[n].number = n;
            if (at == count && one_in(&prng, 2))
                list_add_tail(&items[n].link, &head);
            else
                list_add(&items[n].link, before);
            memmove(&model[at + 1], &model[at], (count++ - at) * sizeof(*model));
            model[at] = n;
        } else {
            unsigned at = 0;

            while (model[at] != n)
                at++;
            list_del(&items[n].link);
            memmove(&model[at], &model[at + 1], (--count - at) * sizeof(*model));
        }
        listed[n] = !listed[n];
        assert_list(&head, model, count);
    }
}

static void freed_while_walking(void **state)
{
    struct list_head head = LIST_HEAD_INIT(head);
    struct item *item, *ahead;

    for (int i = 0; i < 10; i++) {
        item = malloc(sizeof(*item));
        item->number = i;
        list_add_tail(&item->link, &head);
    }
    list_for_each_entry_safe (item, ahead, &head, link) {
        if (item->number % 3 == 0)
            continue;
        list_del(&item->link);
        free(item);
    }
    assert_list(&head, (int[]){0, 3, 6, 9}, 4);
    list_for_each_entry_safe (item, ahead, &head, link) {
        list_del(&item->link);
        free(item);
    }
    assert_list(&head, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(both_ends),
        cmocka_unit_test(against_an_array),
        cmocka_unit_test(freed_while_walking),
    };

    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
