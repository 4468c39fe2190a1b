/*
 * pool_aligned.c - blocks that begin at a cache line.
 * A header is 16 bytes long and a body begins behind it, so most bodies are not at a cache line. Such a block is made a line larger, and a
 * second header goes right in front of the first line in it:
 *
 *     | header | pointer ^ cookie ... | second header | body at a cache line ...
 *     |<---------- distance ----------|
 *      PoolType + 4                    PoolType + 4, PreviousSize = distance in units of 16 bytes
 *
 * A free that meets the second header goes back by that distance. The pointer leads to the second header; where the two lie side by side there is no
 * room for it. The cookie differs from boot to boot with config.seed, so that nobody writes a right pointer by chance.
 *
 * Source      published analyses of the pool (the two headers, the distance, the pointer).
 * Fidelity    choices: a line is 64 bytes; the first header has the bit 4 as well, by which the walks of this library find the body; a pointer
 *             or a second header that was overwritten is 0xC2/0x02 with the header and its first eight bytes.
 */
#include "ex/pool_aligned.h"

static uint64_t cookie;

void ex_aligned_boot(uint64_t seed) /* one step of SplitMix64: another number for every seed */
{
    uint64_t z = seed + 0x9E3779B97F4A7C15u * 2;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    cookie = z ^ z >> 31;
}

static char *line_at(const void *body) { return (char *)(((uintptr_t)body + EX_CACHE_LINE - 1) & ~(uintptr_t)(EX_CACHE_LINE - 1)); }

void *ex_block_body(POOL_HEADER *header)
{
    return (ex_type(header) & EX_TYPE_SECOND_HEADER) != 0 ? line_at(ex_body(header)) : ex_body(header);
}

static uint64_t pointer_for(const POOL_HEADER *second) { return (uint64_t)(uintptr_t)second ^ cookie; }

/* Behind the first header; NULL: the second one is there. */
static uint64_t *pointer_of(POOL_HEADER *first)
{
    uint64_t *pointer = ex_body(first);
    return (void *)pointer != ex_header_of(ex_block_body(first)) ? pointer : NULL;
}

void ex_second_header_add(POOL_HEADER *header, unsigned type)
{
    char *body = ex_body(header), *aligned = line_at(body);
    if (aligned == body)
        return;
    POOL_HEADER *second = ex_header_of(aligned);
    *second = *header;
    second->PreviousSize = (uint8_t)((aligned - body) / EX_HEADER_BYTES);
    ex_set_type(second, type | EX_TYPE_SECOND_HEADER);
    ex_set_type(header, type | EX_TYPE_SECOND_HEADER);
    if (pointer_of(header) != NULL)
        *pointer_of(header) = pointer_for(second);
}

POOL_HEADER *ex_first_header(POOL_HEADER *second)
{
    size_t distance = second->PreviousSize * EX_HEADER_BYTES;
    if ((uintptr_t)ex_body(second) % EX_CACHE_LINE != 0 || distance == 0 || distance >= EX_CACHE_LINE || distance > BYTE_OFFSET(second))
        return NULL;
    return (POOL_HEADER *)((uintptr_t)second - distance);
}

bool ex_second_header_is_good(POOL_HEADER *first, ex_stop_t *stop)
{
    POOL_HEADER    *second = ex_header_of(ex_block_body(first));
    const uint64_t *pointer = second != first ? pointer_of(first) : NULL;
    bool            good =
        second == first || (ex_type(second) == ex_type(first) && ex_first_header(second) == first && second->BlockSize == first->BlockSize);
    if (good && (pointer == NULL || *pointer == pointer_for(second)))
        return true;
    ex_stop_set(stop, "The second header of a cache-aligned block was overwritten, or what the first one keeps of it.", BAD_POOL_CALLER, 2,
                (ULONG_PTR)second, ex_header_contents(second), 0);
    return false;
}
