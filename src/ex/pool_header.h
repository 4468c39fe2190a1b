/*
 * pool_header.h - the sixteen bytes in front of every small pool block, and the arithmetic of units.
 * A pool page is 256 units long, so that a size fits the byte it has in the header:
 *
 *     bytes  0            1          2          3         4 .. 7   8 .. 15
 *            PreviousSize PoolIndex  BlockSize  PoolType  PoolTag  ProcessBilled      (x64 layout)
 *
 * A unit is 16 bytes with 4 KiB pages and 64 with 16 KiB pages. A body begins 16 bytes into the first unit of its block.
 *
 * PoolType    in use: 2 nonpaged, 3 paged, + 4 when a second header follows (cache aligned);  0: free, on a list or a remainder too small
 *             for one; 0x80 or 0x81: free for the driver, held ready by a magazine. The last is this model's own mark.
 * Billed      while no quota is charged, Windows lays a stack-trace index and a tag hash over ProcessBilled. Here its first two bytes
 *             keep the byte count that was asked for, so that bytes_requested is exact. The rest is zero.
 * Concurrency PreviousSize belongs to the descriptor's lock: the left neighbour may change its size while this block is in use.
 *             Bytes 2 to 9 belong to whoever holds the block, and are written as one word that leaves PreviousSize alone. A neighbour
 *             reads PoolType under the lock only to learn whether it is 0, and 0 is written and left only under the lock.
 * Source      published type listings of _POOL_HEADER for x64.
 */
#ifndef NTMM_EX_POOL_HEADER_H
#define NTMM_EX_POOL_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <ntddk.h>

#if defined(__SANITIZE_THREAD__)
#define EX_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EX_THREAD_SANITIZER 1
#endif
#endif
#ifndef EX_THREAD_SANITIZER
#define EX_THREAD_SANITIZER 0
#endif

#define EX_UNIT_SHIFT (PAGE_SHIFT - 8)
#define EX_UNIT (1u << EX_UNIT_SHIFT) /* bytes */
#define EX_PAGE_UNITS 256u
#define EX_HEADER_BYTES 16u
#define EX_MIN_UNITS ((EX_HEADER_BYTES + (unsigned)sizeof(LIST_ENTRY) + EX_UNIT - 1) / EX_UNIT) /* a free block must hold list links */
#define EX_BLOCK_MAX (255u * EX_UNIT - EX_HEADER_BYTES) /* largest request served by a block: 0xFE0 with 4 KiB pages */

enum { EX_TYPE_FREE = 0, EX_TYPE_PAGED = 1, EX_TYPE_IN_USE = 2, EX_TYPE_SECOND_HEADER = 4, EX_TYPE_HELD = 0x80 };

typedef struct POOL_HEADER {
    uint8_t  PreviousSize; /* units of the block to the left; 0: first of its chain */
    uint8_t  PoolIndex;
    uint8_t  BlockSize; /* units, header included */
    uint8_t  PoolType;  /* EX_TYPE_* */
    uint32_t PoolTag;
    uint64_t ProcessBilled;
} POOL_HEADER;
_Static_assert(sizeof(POOL_HEADER) == 16 && offsetof(POOL_HEADER, PoolTag) == 4 && offsetof(POOL_HEADER, ProcessBilled) == 8, "x64 layout");
_Static_assert(EX_BLOCK_MAX <= UINT16_MAX, "the byte count asked for fits two bytes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the header word is taken apart by shifts");

static inline unsigned ex_units(size_t bytes) /* of a request of 1 .. EX_BLOCK_MAX bytes */
{
    return (unsigned)((bytes + EX_HEADER_BYTES + EX_UNIT - 1) >> EX_UNIT_SHIFT);
}
static inline void        *ex_body(POOL_HEADER *header) { return (char *)header + EX_HEADER_BYTES; }
static inline POOL_HEADER *ex_header_of(const void *body) { return (POOL_HEADER *)((uintptr_t)body - EX_HEADER_BYTES); }
static inline POOL_HEADER *ex_at(void *page, unsigned unit) { return (POOL_HEADER *)((char *)page + (unit << EX_UNIT_SHIFT)); }
static inline POOL_HEADER *ex_right(POOL_HEADER *header, unsigned units) { return ex_at(header, units); }
static inline POOL_HEADER *ex_left(POOL_HEADER *header, unsigned units)
{
    return (POOL_HEADER *)((char *)header - (units << EX_UNIT_SHIFT));
}
static inline unsigned ex_unit_of(const void *address) { return BYTE_OFFSET(address) >> EX_UNIT_SHIFT; }

/* PoolType may be read by a neighbour while its owner writes it. */
static inline uint8_t ex_type(const POOL_HEADER *header) { return __atomic_load_n(&header->PoolType, __ATOMIC_RELAXED); }
static inline void ex_set_type(POOL_HEADER *header, unsigned type) { __atomic_store_n(&header->PoolType, (uint8_t)type, __ATOMIC_RELAXED); }

/* Bytes 2 to 9 as one word: units | type << 8 | tag << 16 | bytes asked for << 48. */
#define EX_WORD(units, type, tag, requested) \
    ((uint64_t)(units) | (uint64_t)(type) << 8 | (uint64_t)(tag) << 16 | (uint64_t)(requested) << 48)
#define EX_WORD_OWNER_MASK 0x0000ffffffffff00u /* type and tag: what a free must find */

static inline uint64_t ex_word(const POOL_HEADER *header)
{
    uint64_t word;
    memcpy(&word, (const char *)header + offsetof(POOL_HEADER, BlockSize), sizeof word);
    return word;
}
static inline void ex_set_word(POOL_HEADER *header, uint64_t word)
{
#if EX_THREAD_SANITIZER /* the same bytes in pieces: a neighbour's glance at PoolType is atomic to the sanitizer only as a byte */
    uint16_t requested = (uint16_t)(word >> 48);
    ex_set_type(header, (unsigned)(word >> 8) & 0xff);
    header->PoolTag = (uint32_t)(word >> 16);
    memcpy(&header->ProcessBilled, &requested, sizeof requested);
#else
    memcpy((char *)header + offsetof(POOL_HEADER, BlockSize), &word, sizeof word);
#endif
}

static inline unsigned ex_requested(const POOL_HEADER *header) { return (unsigned)(header->ProcessBilled & UINT16_MAX); }
/* First eight bytes, as bug checks show them. */
static inline ULONG_PTR ex_header_contents(const POOL_HEADER *header)
{
    uint64_t contents;
    memcpy(&contents, header, sizeof contents);
    return (ULONG_PTR)contents;
}

#endif
