/*
 * test_ex_pool_descriptor.c - which descriptor a block comes from and goes back to: PoolIndex, NUMA nodes, the four of paged pool.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>

#include "ex/pool_select.h"
#include "mm/mm.h"

#define TAG NTMM_TAG("Desc")

/* The fixture's own machine records who called, for which each call takes the long way. */
static const ntmm_config PLAIN = { .quiet = true };
static const ntmm_config BARE = { .quiet = true, .no_magazines = true };
static const ntmm_config NUMA = { .quiet = true, .processors = 4, .numa_nodes = 2 };
static const ntmm_config NUMA_BARE = { .quiet = true, .processors = 4, .numa_nodes = 2, .no_magazines = true };
static const ntmm_config NUMA_SMALL = { .quiet = true,
                                        .processors = 4,
                                        .numa_nodes = 2,
                                        .no_magazines = true,
                                        .physical_memory = 1024 * PAGE_SIZE,
                                        .nonpaged_pool_limit = 1024 * PAGE_SIZE };

static void *take(POOL_TYPE type, size_t bytes)
{
    void *block = ExAllocatePoolWithTag(type, bytes, TAG);
    assert_non_null(block);
    return block;
}
static void give(void *block) { ExFreePoolWithTag(block, TAG); }
static void check(void)
{
    if (!ntmm_check())
        fail_msg("%s", ntmm_error());
}
static unsigned index_of(const void *block) { return ex_header_of(block)->PoolIndex; }

/* ---- one node ---- */

static void one_node_has_one_nonpaged_and_four_paged_descriptors(void **state)
{
    (void)state;
    assert_int_equal(ex_descriptor_counts[MM_NONPAGED_NX], 1);
    assert_int_equal(ex_descriptor_counts[MM_NONPAGED_EXECUTE], 1);
    assert_int_equal(ex_descriptor_counts[MM_PAGED], 5);
}

static void nonpaged_blocks_of_one_node_have_index_0(void **state)
{
    (void)state;
    void *a = take(NonPagedPoolNx, 24), *b = take(NonPagedPool, 24);
    assert_int_equal(index_of(a), 0);
    assert_int_equal(index_of(b), 0);
    give(a);
    give(b);
}

static void paged_descriptors_take_turns(void **state) /* on BARE */
{
    void *block[9];
    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        block[i] = take(PagedPool, 24);
        assert_int_equal(index_of(block[i]), 1 + i % 4);
    }
    for (unsigned i = 4; i < 9; i++) { /* each has a page of its own */
        assert_ptr_equal(PAGE_ALIGN(block[i]), PAGE_ALIGN(block[i - 4]));
        assert_ptr_not_equal(PAGE_ALIGN(block[i]), PAGE_ALIGN(block[i - 1]));
    }
    check();
    for (unsigned i = 0; i < 9; i++)
        give(block[i]);
    check();
}

static void a_free_goes_back_to_the_descriptor_it_names(void **state) /* on BARE */
{
    (void)state;
    void *one = take(PagedPool, 24), *two = take(PagedPool, 24), *three = take(PagedPool, 24), *four = take(PagedPool, 24);
    void *again = take(PagedPool, 40), *wall = take(PagedPool, 40); /* the first's and the second's page */
    assert_int_equal(index_of(again), 1);
    ex_descriptor_t *first = ex_descriptor_of(MM_PAGED, 1), *second = ex_descriptor_of(MM_PAGED, 2);
    uint64_t         gives1 = first->counts.gives, gives2 = second->counts.gives;
    give(again);
    assert_int_equal(first->counts.gives, gives1 + 1);
    assert_int_equal(second->counts.gives, gives2);
    give(wall);
    assert_int_equal(second->counts.gives, gives2 + 1);
    give(one);
    give(two);
    give(three);
    give(four);
    check();
}

static void the_tail_of_paged_pages_takes_a_turn(void **state) /* on BARE */
{
    (void)state;
    void *first = take(PagedPool, 24);
    char *large = take(PagedPool, PAGE_SIZE + 10 * EX_UNIT);
    assert_int_equal(ex_at(large + PAGE_SIZE, 10)->PoolIndex, 2);
    void *third = take(PagedPool, 24);
    assert_int_equal(index_of(third), 3);
    check();
    give(large); /* what is left of the page belongs to descriptor 2 as a whole, and is free: it goes back to mm */
    check();
    give(first);
    give(third);
    check();
}

static void a_thread_with_magazines_keeps_to_one_paged_descriptor(void **state)
{
    void *block[20];
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        block[i] = take(PagedPool, 24 + 40 * i);
        assert_int_equal(index_of(block[i]), 1);
    }
    for (unsigned i = 0; i < 20; i++)
        give(block[i]);
    check();
}

typedef struct visit {
    POOL_TYPE type;
    unsigned  index;
    KIRQL     irql;
    void     *block; /* in: to be freed; out: allocated */
} visit_t;

static void *visitor(void *argument)
{
    visit_t *visit = argument;
    void    *mine = take(visit->type, 24);
    visit->index = index_of(mine);
    if (visit->block != NULL)
        give(visit->block);
    visit->block = mine;
    return NULL;
}
static void visit_once(visit_t *visit)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, visitor, visit), 0);
    pthread_join(thread, NULL);
}

static void four_threads_have_the_four_descriptors(void **state)
{
    visit_t visit[5] = {
        { .type = PagedPool }, { .type = PagedPool }, { .type = PagedPool }, { .type = PagedPool }, { .type = PagedPool }
    };
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        visit_once(&visit[i]);
        assert_int_equal(visit[i].index, 1 + i % 4);
    }
    for (unsigned i = 0; i < 5; i++)
        give(visit[i].block); /* all in this thread's magazine now, from four descriptors */
    check();
    void *block[5];
    for (unsigned i = 0; i < 5; i++) {
        block[i] = take(PagedPool, 24);
        assert_ptr_equal(block[i], visit[4 - i].block); /* and handed out again, whoever's they were */
    }
    for (unsigned i = 0; i < 5; i++)
        give(block[i]);
    check();
}

static void *stay(void *argument)
{
    void **blocks = argument;
    for (unsigned i = 0; i < 400; i++)
        blocks[i] = take(PagedPool, 24 + (i % 7) * 200);
    return NULL;
}

/* Blocks of two descriptors come back in one batch, and each page joins on its own descriptor. */
static void a_give_sorts_out_what_belongs_where(void **state)
{
    static void *mine[400], *theirs[400];
    pthread_t    thread;
    (void)state;
    stay(mine);
    assert_int_equal(pthread_create(&thread, NULL, stay, theirs), 0);
    pthread_join(thread, NULL);
    assert_int_equal(index_of(mine[0]), 1);
    assert_int_equal(index_of(theirs[0]), 2);
    for (unsigned i = 0; i < 400; i++) {
        give(mine[i]);
        give(theirs[i]);
    }
    check();
    ntmm_fail_allocation(1000000); /* while one is armed nobody keeps anything */
    check();
    ntmm_pool_usage usage;
    ntmm_query_pool(PagedPool, &usage);
    assert_int_equal(usage.pages, 0);
    ntmm_fail_allocation(0);
}

/* ---- nodes ---- */

static void on_processor(uint32_t number) /* this thread's last one, from now on */
{
    ke_thread_t *thread = ke_processor_claim(ke_self(), number, "the test");
    assert_non_null(thread);
    ke_processor_release(thread);
}

static void a_block_comes_from_the_node_of_its_processor(void **state)
{
    (void)state;
    assert_int_equal(ex_descriptor_counts[MM_NONPAGED_NX], 2);
    assert_int_equal(ex_descriptor_counts[MM_PAGED], 3);
    for (uint32_t number = 0; number < 4; number++) {
        on_processor(number);
        unsigned node = ke_processors[number].node;
        void    *nonpaged = take(NonPagedPoolNx, 100 + number * 200), *execute = take(NonPagedPool, 100 + number * 200),
             *paged = take(PagedPool, 100 + number * 200);
        assert_int_equal(index_of(nonpaged), node);
        assert_int_equal(index_of(execute), node);
        assert_int_equal(index_of(paged), node + 1);
        assert_int_equal(mm_node_of_home(nonpaged), node);
        assert_int_equal(mm_node_of_home(execute), node);
        give(nonpaged);
        give(execute);
        give(paged);
        check();
    }
}

static void the_tail_of_pages_belongs_to_their_node(void **state)
{
    (void)state;
    on_processor(3);
    char *large = take(NonPagedPoolNx, 2 * PAGE_SIZE + 5 * EX_UNIT);
    assert_int_equal(mm_node_of_home(large), 1);
    assert_int_equal(ex_at(large + 2 * PAGE_SIZE, 5)->PoolIndex, 1);
    check();
    give(large);
    check();
}

static void a_block_freed_on_another_node_goes_home(void **state) /* on NUMA_BARE */
{
    (void)state;
    void *keep = take(NonPagedPoolNx, 24), *block = take(NonPagedPoolNx, 24);
    assert_int_equal(index_of(block), 0);
    on_processor(2);
    give(block);
    void *other = take(NonPagedPoolNx, 24);
    assert_int_equal(index_of(other), 1); /* the free one is not for this node */
    on_processor(0);
    void *again = take(NonPagedPoolNx, 24);
    assert_ptr_equal(again, block);
    give(keep);
    give(other);
    give(again);
    check();
}

/* Node 0 is used up: its descriptor has no page to cut, and the request goes to the next. */
static void a_node_without_memory_is_helped_by_the_others(void **state) /* on NUMA_SMALL */
{
    enum { BLOCKS = 1024 };
    static void *block[BLOCKS];
    unsigned     count = 0, from_node[2] = { 0 };
    size_t       bytes = EX_BLOCK_MAX; /* a page for each */
    (void)state;
    on_processor(0);
    while (count < BLOCKS && (block[count] = ExAllocatePoolWithTag(NonPagedPoolNx, bytes, TAG)) != NULL) {
        unsigned node = index_of(block[count]);
        assert_int_equal(mm_node_of_home(block[count]), node);
        assert_true(node == 1 || from_node[1] == 0); /* the near ones first */
        from_node[node]++;
        count++;
    }
    assert_true(from_node[0] > 300 && from_node[1] > 300);
    check();
    void *small = ExAllocatePoolWithTag(NonPagedPoolNx, EX_UNIT * 100, TAG);
    assert_null(small);
    give(block[count - 1]); /* one page of node 1: its descriptor cuts it, for a thread of node 0 */
    small = take(NonPagedPoolNx, EX_UNIT * 100);
    assert_int_equal(index_of(small), 1);
    void *second = take(NonPagedPoolNx, EX_UNIT * 100); /* from the list of the far descriptor: no page anywhere */
    assert_ptr_equal(PAGE_ALIGN(second), PAGE_ALIGN(small));
    give(small);
    give(second);
    for (unsigned i = 0; i + 1 < count; i++)
        give(block[i]);
    check();
}

/* ---- damage ---- */

static void an_index_out_of_range(void **state)
{
    (void)state;
    void *keep = take(NonPagedPoolNx, 24), *block = take(NonPagedPoolNx, 24);
    (void)keep;
    POOL_HEADER *header = ex_header_of(block);
    header->PoolIndex = 200;
    ULONG_PTR contents = ex_header_contents(header) & ~((ULONG_PTR)0xff << 24);
    assert_bugcheck(BAD_POOL_CALLER, 0x01, {
        give(block);
        ntmm_fail_allocation(1000); /* a magazine finds out when it gives the block back */
    });
    assert_int_equal(ntmm_cmocka_caught.parameter[1], header);
    assert_int_equal(ntmm_cmocka_caught.parameter[2] & ~((ULONG_PTR)0xff << 24), contents);
    assert_int_equal(ntmm_cmocka_caught.parameter[3], 0);
}

static void an_index_that_the_neighbours_contradict(void **state)
{
    (void)state;
    void *one = NULL;
    for (unsigned i = 0; i < 9; i++)
        one = take(PagedPool, 24);
    POOL_HEADER *header = ex_header_of(one);
    header->PoolIndex = header->PoolIndex == 4 ? 3 : 4;
    assert_bugcheck(BAD_POOL_HEADER, 0x05, {
        give(one);
        ntmm_fail_allocation(1000);
    });
}

#define bare(test) ntmm_cmocka_test_config(test, &BARE)
#define both(test) ntmm_cmocka_test_config(test, &PLAIN), bare(test)
#define numa(test) ntmm_cmocka_test_config(test, &NUMA), ntmm_cmocka_test_config(test, &NUMA_BARE)

int main(void)
{
    const struct CMUnitTest tests[] = {
        both(one_node_has_one_nonpaged_and_four_paged_descriptors),
        both(nonpaged_blocks_of_one_node_have_index_0),
        bare(paged_descriptors_take_turns),
        bare(a_free_goes_back_to_the_descriptor_it_names),
        bare(the_tail_of_paged_pages_takes_a_turn),
        ntmm_cmocka_test_config(a_thread_with_magazines_keeps_to_one_paged_descriptor, &PLAIN),
        ntmm_cmocka_test_config(four_threads_have_the_four_descriptors, &PLAIN),
        ntmm_cmocka_test_config(a_give_sorts_out_what_belongs_where, &PLAIN),
        numa(a_block_comes_from_the_node_of_its_processor),
        numa(the_tail_of_pages_belongs_to_their_node),
        ntmm_cmocka_test_config(a_block_freed_on_another_node_goes_home, &NUMA_BARE),
        ntmm_cmocka_test_config(a_node_without_memory_is_helped_by_the_others, &NUMA_SMALL),
        both(an_index_out_of_range),
        both(an_index_that_the_neighbours_contradict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
