/*
 * pool_descriptor.c - the list heads of a pool: insert, remove, find.
 * Freed blocks go to the head of their list and are used again first; what is left of a split, and of a fresh page, goes to the tail.
 * A link is believed only after its neighbours agree, so that a driver which writes into freed memory is stopped here and not by a wild
 * pointer.
 *
 * Locks       the descriptor's, held by the caller.
 * Source      WDK reference: Bug Check 0x19, parameter 1 = 3 (the pool free list is corrupt); 0xC5; 0x139, parameter 1 = 3.
 * Fidelity    choices: a block that leaves a list is 0x19 in every version, one that joins a damaged list 0x139 since Windows 8; there is no
 *             trap frame and no exception record to name. 0xC5 needs a caller at DISPATCH_LEVEL, though Windows holds a spin lock there.
 */
#include "ex/pool_descriptor.h"

#include "ex/pool_rules.h"
#include "host/host.h"

#define FAST_FAIL_CORRUPT_LIST 3u

ex_descriptor_t ex_descriptor_table[MM_POOLS][EX_DESCRIPTORS_MAX];
uint8_t         ex_descriptor_counts[MM_POOLS];

static void descriptor_boot(mm_pool_t pool, unsigned index, unsigned node)
{
    ex_descriptor_t *descriptor = ex_descriptor_of(pool, index);
    memset(descriptor, 0, sizeof *descriptor);
    ke_lock_init(&descriptor->lock, KE_RANK_EX_POOL);
    descriptor->pool = pool;
    descriptor->index = (uint8_t)index;
    descriptor->paged = (uint8_t)ex_paged_bit(pool);
    descriptor->node = (uint8_t)node;
    for (unsigned units = 0; units < EX_PAGE_UNITS; units++)
        descriptor->list[units].Flink = descriptor->list[units].Blink = &descriptor->list[units];
}

void ex_descriptors_boot(uint32_t numa_nodes)
{
    unsigned paged = numa_nodes > 1 ? numa_nodes : EX_PAGED_DESCRIPTORS;
    ex_descriptor_counts[MM_NONPAGED_NX] = ex_descriptor_counts[MM_NONPAGED_EXECUTE] = (uint8_t)numa_nodes;
    ex_descriptor_counts[MM_PAGED] = (uint8_t)(1 + paged);
    for (unsigned pool = 0; pool < MM_POOLS; pool++)
        for (unsigned index = 0; index < ex_descriptor_counts[pool]; index++)
            descriptor_boot((mm_pool_t)pool, index, (index + numa_nodes - ex_descriptor_first((mm_pool_t)pool)) % numa_nodes);
}

size_t ex_pool_out(mm_pool_t pool)
{
    size_t out = 0;
    for (unsigned index = ex_descriptor_first(pool); index < ex_descriptor_counts[pool]; index++)
        out += __atomic_load_n(&ex_descriptor_of(pool, index)->out, __ATOMIC_RELAXED);
    return out;
}

unsigned ex_descriptor_find_locked(const ex_descriptor_t *descriptor, unsigned units)
{
    unsigned word = units >> 6;
    uint64_t bits = descriptor->nonempty[word] >> (units & 63) << (units & 63);
    while (bits == 0) {
        if (++word == NTMM_ARRAY_COUNT(descriptor->nonempty))
            return 0;
        bits = descriptor->nonempty[word];
    }
    return word << 6 | (unsigned)__builtin_ctzll(bits);
}

/* The list's first or last block, overwritten since it was put there, does not lead back to the head. */
static NTMM_COLD void head_is_damaged(const LIST_ENTRY *head, const LIST_ENTRY *end, ex_stop_t *stop)
{
    if (ex_pool_rules.fail_fast)
        ex_stop_set(stop, "A block is put on a free list whose links are damaged: memory was written after it was freed.",
                    KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_CORRUPT_LIST, 0, 0, 0);
    else
        ex_stop_set(stop, "A block is put on a free list whose links are damaged: memory was written after it was freed.", BAD_POOL_HEADER,
                    3, (ULONG_PTR)end, (ULONG_PTR)(end == head->Flink ? head : end->Flink),
                    (ULONG_PTR)(end == head->Flink ? end->Blink : head));
}

bool ex_descriptor_push_locked(ex_descriptor_t *descriptor, POOL_HEADER *header, unsigned units, bool at_tail, ex_stop_t *stop)
{
    LIST_ENTRY *head = &descriptor->list[units], *link = ex_body(header);
    LIST_ENTRY *left = at_tail ? head->Blink : head, *right = at_tail ? head : head->Flink;
    if (NTMM_UNLIKELY(left->Flink != right || right->Blink != left)) {
        head_is_damaged(head, at_tail ? left : right, stop);
        return false;
    }
    link->Flink = right;
    link->Blink = left;
    left->Flink = right->Blink = link;
    descriptor->nonempty[units >> 6] |= 1ull << (units & 63);
    return true;
}

bool ex_descriptor_owns_link(const ex_descriptor_t *descriptor, const LIST_ENTRY *link)
{
    const LIST_ENTRY *heads = descriptor->list;
    if ((uintptr_t)link - (uintptr_t)heads < sizeof descriptor->list)
        return ((uintptr_t)link - (uintptr_t)heads) % sizeof *heads == 0;
    return ((uintptr_t)link - EX_HEADER_BYTES) % EX_UNIT == 0 && mm_pool_of(link) == descriptor->pool;
}

/* A link leads to where there is no memory. The pool of Windows would touch it, and fault; at DISPATCH_LEVEL or above that stops the
 * machine on the spot. */
static bool would_fault(uintptr_t address, KIRQL irql)
{
    void *unread;
    return irql >= DISPATCH_LEVEL && host_copy_safely(&unread, (const void *)address, sizeof unread) != sizeof unread;
}

static NTMM_COLD void links_are_damaged(const ex_descriptor_t *descriptor, const LIST_ENTRY *link, ex_stop_t *stop)
{
    LIST_ENTRY *right = link->Flink, *left = link->Blink;
    bool      right_is_ours = ex_descriptor_owns_link(descriptor, right), ours = right_is_ours && ex_descriptor_owns_link(descriptor, left);
    KIRQL     irql = ke_self()->irql;
    uintptr_t touched = right_is_ours ? (uintptr_t)left + offsetof(LIST_ENTRY, Flink) : (uintptr_t)right + offsetof(LIST_ENTRY, Blink);
    if (!ours && would_fault(touched, irql))
        ex_stop_set(stop, "The pool would have touched memory that is not there: the links of a free block were overwritten.",
                    DRIVER_CORRUPTED_EXPOOL, touched, irql, 0, (ULONG_PTR)__builtin_return_address(0));
    else
        ex_stop_set(stop, "The links of a free pool block are damaged: memory was written after it was freed.", BAD_POOL_HEADER, 3,
                    (ULONG_PTR)link, (ULONG_PTR)(ours ? right->Blink : right), (ULONG_PTR)(ours ? left->Flink : left));
}

static bool links_agree(const ex_descriptor_t *descriptor, const LIST_ENTRY *link, ex_stop_t *stop)
{
    const LIST_ENTRY *right = link->Flink, *left = link->Blink;
    bool              sane = ex_descriptor_owns_link(descriptor, right) && ex_descriptor_owns_link(descriptor, left);
    if (NTMM_LIKELY(sane && right->Blink == link && left->Flink == link))
        return true;
    links_are_damaged(descriptor, link, stop);
    return false;
}

bool ex_descriptor_unlink_locked(ex_descriptor_t *descriptor, POOL_HEADER *header, unsigned units, ex_stop_t *stop)
{
    LIST_ENTRY *link = ex_body(header), *head = &descriptor->list[units];
    if (!links_agree(descriptor, link, stop))
        return false;
    link->Blink->Flink = link->Flink;
    link->Flink->Blink = link->Blink;
    __builtin_prefetch(head->Flink); /* the one that will be taken next */
    if (head->Flink == head)
        descriptor->nonempty[units >> 6] &= ~(1ull << (units & 63));
    return true;
}

POOL_HEADER *ex_descriptor_first_locked(const ex_descriptor_t *descriptor, unsigned units, ex_stop_t *stop)
{
    const LIST_ENTRY *head = &descriptor->list[units];
    POOL_HEADER      *header = ex_header_of(head->Flink);
    if (NTMM_LIKELY(header->BlockSize == units && ex_type(header) == EX_TYPE_FREE))
        return header;
    ex_stop_set(stop, "The header of a free pool block was overwritten.", BAD_POOL_HEADER, 5, (ULONG_PTR)header, 0,
                (ULONG_PTR)ex_right(header, units));
    return NULL;
}
