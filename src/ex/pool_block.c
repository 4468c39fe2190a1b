/*
 * pool_block.c - requests smaller than a page, cut from pool pages.
 * A pool page is a row of blocks. Each header keeps the size of its own block and of the block to its left, so a freed block finds both
 * neighbours and joins them without any table:
 *
 *     | hdr A ... | hdr B (free) ...... | hdr C ... |        one page, 256 units
 *       left=0      left=5                left=12
 *       size=5      size=12               size=239
 *
 * Units       units (pool_header.h); pages below us.
 * Take        the smallest listed block that is large enough. At the start of its page it gives its front, anywhere else its tail, so that
 *             the remainder of a page's first block moves right and that of any other stays where it is. No block: a fresh page, front
 *             first. A remainder goes to the tail of its list; one too small for list links stays unlisted until a neighbour is freed.
 *             A batch is cut from one free block after the other, of each as many as it has room for, in one piece (choice).
 * Give        join a free right neighbour, then a free left one. A page that is free as a whole goes back to mm; any other block goes to
 *             the head of its list.
 * Invariants  1 the sizes on a page sum to 256 units   2 left == size of the block on the left
 *             3 no two free blocks touch               (pool_walk.c verifies all three)
 * Locks       the descriptor's, held by the caller; calls mm with it held.
 * Elsewhere   a page or more: pool_big.c. This thread's stock: pool_magazine.c.
 * Source      WDK reference: ExAllocatePool2 (a block does not cross a page), Bug Check 0x19.
 * Fidelity    the classic pool, before the segment heap of recent Windows.
 */
#include "ex/pool_block.h"

#include "ex/pool_tools.h"

static void header_init(const ex_descriptor_t *descriptor, POOL_HEADER *header, unsigned previous, unsigned units, unsigned type)
{
    if (header->PreviousSize != previous) /* when it says so already, the left neighbour's owner may be reading it */
        header->PreviousSize = (uint8_t)previous;
    if (header->PoolIndex != descriptor->index) /* the same: whoever frees a large allocation looks here for the owner of its tail */
        header->PoolIndex = descriptor->index;
    header->BlockSize = (uint8_t)units;
    ex_set_type(header, type);
    header->PoolTag = 0;
    header->ProcessBilled = 0;
}

/* The block to the right of [header, header + units), told its left neighbour's size. */
static void tell_right(POOL_HEADER *header, unsigned units)
{
    if (ex_unit_of(header) + units < EX_PAGE_UNITS)
        ex_right(header, units)->PreviousSize = (uint8_t)units;
}

static void leave_free(ex_descriptor_t *descriptor, POOL_HEADER *header, unsigned units, bool at_tail, ex_stop_t *stop)
{
    header->BlockSize = (uint8_t)units;
    ex_set_type(header, EX_TYPE_FREE);
    tell_right(header, units);
    if (units >= EX_MIN_UNITS)
        ex_descriptor_push_locked(descriptor, header, units, at_tail, stop);
}

/* Cut up to `want` blocks out of an unlisted free block of `size` units whose left neighbour has `previous`. Returns how many. */
static unsigned carve(ex_descriptor_t *descriptor, POOL_HEADER *block, unsigned previous, unsigned size, unsigned units, unsigned want,
                      POOL_HEADER **out, ex_stop_t *stop)
{
    unsigned     count = size / units < want ? size / units : want, rest = size - count * units;
    bool         front = BYTE_OFFSET(block) == 0;
    POOL_HEADER *header = front ? block : ex_right(block, rest);
    if (rest != 0)
        descriptor->counts.split++;
    if (!front && rest != 0) {
        leave_free(descriptor, block, rest, true, stop);
        previous = rest;
    }
    for (unsigned i = 0; i < count; i++) {
        header_init(descriptor, header, previous, units, EX_TYPE_HELD | descriptor->paged);
        out[i] = header;
        previous = units;
        header = ex_right(header, units);
    }
    if (front && rest != 0) {
        header_init(descriptor, header, units, rest, EX_TYPE_FREE);
        leave_free(descriptor, header, rest, true, stop);
    } else {
        tell_right(out[count - 1], units);
    }
    return count;
}

static unsigned take_from_lists(ex_descriptor_t *descriptor, unsigned units, unsigned want, POOL_HEADER **out, ex_stop_t *stop)
{
    unsigned size = ex_descriptor_find_locked(descriptor, units);
    if (size == 0)
        return 0;
    POOL_HEADER *block = ex_descriptor_first_locked(descriptor, size, stop);
    if (block == NULL || !ex_descriptor_unlink_locked(descriptor, block, size, stop))
        return 0;
    descriptor->counts.exact += size == units;
    return carve(descriptor, block, block->PreviousSize, size, units, want, out, stop);
}

/* A page of the descriptor's own node, or none: then another descriptor is asked before this one takes frames from afar. Addresses of paged
 * pool belong to no node. */
static void *local_page(ex_descriptor_t *descriptor)
{
    bool zeroed;
    if (ke_node_count > 1 && descriptor->pool != MM_PAGED)
        return mm_pool_pages_alloc_on_node(descriptor->pool, descriptor->node, 1, &zeroed);
    return mm_pool_pages_alloc(descriptor->pool, descriptor->node, 1, &zeroed);
}

static unsigned take_from_fresh_page(ex_descriptor_t *descriptor, unsigned units, unsigned want, POOL_HEADER **out, ex_stop_t *stop)
{
    void *page = local_page(descriptor);
    if (page == NULL)
        return 0;
    ex_tools_pages(page, 1);
    mm_owner_of(page)->use = MM_USE_POOL_BLOCKS;
    descriptor->counts.fresh_pages++;
    descriptor->pages++;
    return carve(descriptor, page, 0, EX_PAGE_UNITS, units, want, out, stop);
}

unsigned ex_blocks_take_locked(ex_descriptor_t *descriptor, unsigned units, unsigned want, bool grow, POOL_HEADER **out, ex_stop_t *stop)
{
    unsigned got = 0, listed, more;
    descriptor->counts.takes++;
    while (got < want && (more = take_from_lists(descriptor, units, want - got, out + got, stop)) != 0)
        got += more;
    listed = got;
    while (got < want && grow && stop->code == 0 && (more = take_from_fresh_page(descriptor, units, want - got, out + got, stop)) != 0)
        got += more;
    descriptor->counts.listed += listed;
    descriptor->counts.fresh += got - listed;
    ex_descriptor_count_out_locked(descriptor, (size_t)got * units);
    return got;
}

bool ex_block_agrees(const POOL_HEADER *header)
{
    unsigned end = ex_unit_of(header) + header->BlockSize;
    if (header->BlockSize == 0 || end > EX_PAGE_UNITS)
        return false;
    return end == EX_PAGE_UNITS || ex_right((POOL_HEADER *)header, header->BlockSize)->PreviousSize == header->BlockSize;
}

bool ex_block_index_is_good(mm_pool_t pool, const POOL_HEADER *header, ex_stop_t *stop)
{
    if (NTMM_LIKELY(ex_descriptor_exists(pool, header->PoolIndex)))
        return true;
    ex_stop_set(stop, "PoolIndex in a pool header names no descriptor of this pool.", BAD_POOL_CALLER, 1, (ULONG_PTR)header,
                ex_header_contents(header), 0);
    return false;
}

/* All blocks of a page belong to one descriptor. */
static bool right_is_of_the_same(POOL_HEADER *header, unsigned size)
{
    return ex_unit_of(header) + size == EX_PAGE_UNITS || ex_right(header, size)->PoolIndex == header->PoolIndex;
}

/* The first block behind the end of a large allocation. */
static bool is_behind_pages(const POOL_HEADER *header)
{
    const mm_owner_t *owner = mm_owner_of(header);
    return owner != NULL && mm_owner_glance(owner).first_unit == ex_unit_of(header);
}

static bool left_agrees(const POOL_HEADER *header, const POOL_HEADER *left)
{
    return left->BlockSize == header->PreviousSize && left->PoolIndex == header->PoolIndex;
}

static bool sizes_are_sane(POOL_HEADER *header, ex_stop_t *stop)
{
    unsigned unit = ex_unit_of(header), size = header->BlockSize, previous = header->PreviousSize;
    if (NTMM_UNLIKELY(size == 0))
        ex_stop_set(stop, "The block size in a pool header is zero.", BAD_POOL_HEADER, 8, 0, 0, (ULONG_PTR)header);
    else if (NTMM_UNLIKELY(unit + size > EX_PAGE_UNITS))
        ex_stop_set(stop, "The block size in a pool header leaves the page.", BAD_POOL_HEADER, 9, (ULONG_PTR)ex_right(header, size), 0,
                    (ULONG_PTR)header);
    else if (NTMM_UNLIKELY(previous > unit))
        ex_stop_set(stop, "The previous size in a pool header leaves the page.", BAD_POOL_HEADER, 6, (ULONG_PTR)ex_left(header, previous),
                    0, (ULONG_PTR)header);
    else if (NTMM_UNLIKELY(previous == 0 && unit != 0 && !is_behind_pages(header)))
        ex_stop_set(stop, "The previous size in a pool header is zero, but the block is not the first of its page.", BAD_POOL_HEADER, 7, 0,
                    0, (ULONG_PTR)header);
    else if (NTMM_UNLIKELY(!ex_block_agrees(header) || !right_is_of_the_same(header, size)))
        ex_stop_set(stop, "Two neighbouring pool headers contradict each other.", BAD_POOL_HEADER, 5, (ULONG_PTR)header, 0,
                    (ULONG_PTR)ex_right(header, size));
    else if (NTMM_UNLIKELY(previous != 0 && !left_agrees(header, ex_left(header, previous))))
        ex_stop_set(stop, "Two neighbouring pool headers contradict each other.", BAD_POOL_HEADER, 5, (ULONG_PTR)ex_left(header, previous),
                    0, (ULONG_PTR)header);
    else
        return true;
    return false;
}

/* A free neighbour leaves its list to be joined. False: it is in use, or damaged (*stop set). */
static bool neighbour_joins(ex_descriptor_t *descriptor, POOL_HEADER *neighbour, ex_stop_t *stop)
{
    if (ex_type(neighbour) != EX_TYPE_FREE)
        return false;
    if (!ex_block_agrees(neighbour)) {
        ex_stop_set(stop, "The header of a free pool block was overwritten.", BAD_POOL_HEADER, 5, (ULONG_PTR)neighbour, 0,
                    (ULONG_PTR)ex_right(neighbour, neighbour->BlockSize));
        return false;
    }
    if (neighbour->BlockSize >= EX_MIN_UNITS && !ex_descriptor_unlink_locked(descriptor, neighbour, neighbour->BlockSize, stop))
        return false;
    descriptor->counts.merged++;
    return true;
}

static void page_return(ex_descriptor_t *descriptor, void *page)
{
    descriptor->counts.returned_pages++;
    descriptor->pages--;
    mm_pool_pages_free(descriptor->pool, page, 1);
}

/* Units [header, header + size), in no list, become free: join the neighbours and find a place for the whole. */
static void give_span(ex_descriptor_t *descriptor, POOL_HEADER *header, unsigned size, ex_stop_t *stop)
{
    unsigned previous = header->PreviousSize;
    if (ex_unit_of(header) + size < EX_PAGE_UNITS) {
        POOL_HEADER *right = ex_right(header, size);
        if (neighbour_joins(descriptor, right, stop))
            size += right->BlockSize;
    }
    if (previous != 0 && neighbour_joins(descriptor, ex_left(header, previous), stop)) {
        header = ex_left(header, previous);
        size += previous;
    }
    if (size == EX_PAGE_UNITS)
        page_return(descriptor, header);
    else
        leave_free(descriptor, header, size, false, stop);
}

/* Blocks that lie side by side go back in one piece: the outcome is as one after the other, without the lists in between. */
void ex_blocks_give_locked(ex_descriptor_t *descriptor, void *const *bodies, unsigned count, ex_stop_t *stop)
{
    for (unsigned i = 0; i < count && stop->code == 0;) {
        POOL_HEADER *first = ex_header_of(bodies[i]), *header = first;
        unsigned     size = 0;
        do {
            if (!sizes_are_sane(header, stop))
                return;
            ex_set_type(header, EX_TYPE_FREE); /* also when it disappears into its neighbour: a second free still finds the mark */
            size += header->BlockSize;
            header = ex_right(header, header->BlockSize);
            i++;
        } while (i < count && ex_header_of(bodies[i]) == header && BYTE_OFFSET(header) != 0);
        descriptor->counts.merged += header != ex_right(first, first->BlockSize);
        ex_descriptor_count_out_locked(descriptor, 0 - (size_t)size);
        give_span(descriptor, first, size, stop);
    }
}

void ex_block_give_head_locked(ex_descriptor_t *descriptor, void *page, unsigned units, ex_stop_t *stop)
{
    header_init(descriptor, page, 0, units, EX_TYPE_HELD | descriptor->paged);
    tell_right(page, units);
    descriptor->pages++;
    give_span(descriptor, page, units, stop);
}

void ex_block_give_tail_locked(ex_descriptor_t *descriptor, void *page, unsigned first, ex_stop_t *stop)
{
    POOL_HEADER *header = ex_at(page, first);
    descriptor->counts.tails++;
    header_init(descriptor, header, 0, EX_PAGE_UNITS - first, EX_TYPE_FREE);
    leave_free(descriptor, header, EX_PAGE_UNITS - first, false, stop);
}
