/*
 * pool_header.h - the sixteen bytes in front of every small pool block, and the arithmetic of units.
 * A pool page is 256 units long, so that a size fits the byte it has in the header:
 *
 *     bytes  0            1          2          3         4 .. 7   8 .. 15
 *            PreviousSize PoolIndex  BlockSize  PoolType  PoolTag  ProcessBilled      (x64 layout)
 *
 * A unit is 16 bytes with 4 KiB pages and 64 with 16 KiB pages. A body begins 16 bytes into the first unit of its block.
 *
 * PoolType    in use: 2 nonpaged, 3 paged, + 4 when a second header follows (cache aligned), + 8 when a process is charged for the block;
 *             0: free, on a list or a remainder too small for one. This model's own marks: + 0x40 when the tag has no number; 0x80 or
 *             0x81: free for the driver, held ready by a magazine.
 * Billed      names the process that is charged (pool_quota.h). While no quota is charged, Windows lays a stack-trace index and a hash of
 *             the tag over its first four bytes. Here the one keeps the byte count that was asked for, so that bytes_requested is exact,
 *             and the other the tag's number (pool_tag.h), so that a free need not look it up. The rest is zero.
 * Concurrency PreviousSize belongs to the descriptor's lock: the left neighbour may change its size while this block is in use.
 *             Bytes 2 to 11 belong to whoever holds the block, and are written without a touch to PreviousSize. A neighbour
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

/* A glance at a word that others may write meanwhile: whole or not at all, in any order. A compiler that is told so in the standard's words
 * loads first and compares then, and the fast paths are short enough to notice. */
#if EX_THREAD_SANITIZER
#define EX_GLANCE(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#else
#define EX_GLANCE(word) (word)
#endif
/* The same, and what was written before that word is seen from then on. Any load does so on x86-64. */
#if defined(__x86_64__) && !EX_THREAD_SANITIZER
#define EX_GLANCE_FIRST(word) (word)
#else
#define EX_GLANCE_FIRST(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#endif

#define EX_UNIT_SHIFT (PAGE_SHIFT - 8)
#define EX_UNIT (1u << EX_UNIT_SHIFT) /* bytes */
#define EX_PAGE_UNITS 256u
#define EX_HEADER_BYTES 16u
#define EX_MIN_UNITS ((EX_HEADER_BYTES + (unsigned)sizeof(LIST_ENTRY) + EX_UNIT - 1) / EX_UNIT) /* a free block must hold list links */
#define EX_BLOCK_MAX (255u * EX_UNIT - EX_HEADER_BYTES) /* largest request served by a block: 0xFE0 with 4 KiB pages */

enum {
    EX_TYPE_FREE = 0,
    EX_TYPE_PAGED = 1,
    EX_TYPE_IN_USE = 2,
    EX_TYPE_SECOND_HEADER = 4,
    EX_TYPE_QUOTA = 8,
    EX_TYPE_UNNUMBERED = 0x40,
    EX_TYPE_HELD = 0x80
};

typedef struct POOL_HEADER {
    uint8_t  PreviousSize; /* units of the block to the left; 0: first of its chain */
    uint8_t  PoolIndex;
    uint8_t  BlockSize; /* units, header included */
    uint8_t  PoolType;  /* EX_TYPE_* */
    uint32_t PoolTag;
    union {
        uint64_t ProcessBilled;
        struct {
            uint16_t AllocatorBackTraceIndex; /* without quota: bytes asked for */
            uint16_t PoolTagHash;             /* without quota: number of the tag */
        };
    };
} POOL_HEADER;
_Static_assert(sizeof(POOL_HEADER) == 16 && offsetof(POOL_HEADER, PoolTag) == 4 && offsetof(POOL_HEADER, ProcessBilled) == 8, "x64 layout");
_Static_assert(EX_BLOCK_MAX <= UINT16_MAX, "the byte count asked for fits two bytes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "two bytes of the header are written as one number");

/* Of a request of 1 .. EX_BLOCK_MAX bytes: what its block has, header included. */
static inline size_t       ex_block_bytes(size_t bytes) { return (bytes + EX_HEADER_BYTES + EX_UNIT - 1) & ~(size_t)(EX_UNIT - 1); }
static inline unsigned     ex_units(size_t bytes) { return (unsigned)(ex_block_bytes(bytes) >> EX_UNIT_SHIFT); }
static inline void        *ex_body(POOL_HEADER *header) { return (char *)header + EX_HEADER_BYTES; }
static inline POOL_HEADER *ex_header_of(const void *body) { return (POOL_HEADER *)((uintptr_t)body - EX_HEADER_BYTES); }
static inline POOL_HEADER *ex_at(void *page, unsigned unit) { return (POOL_HEADER *)((char *)page + (unit << EX_UNIT_SHIFT)); }
static inline POOL_HEADER *ex_right(POOL_HEADER *header, unsigned units) { return ex_at(header, units); }
static inline POOL_HEADER *ex_left(POOL_HEADER *header, unsigned units)
{
    return (POOL_HEADER *)((char *)header - (units << EX_UNIT_SHIFT));
}
/* The unit that the header of this body is, when a body can begin there; EX_PAGE_UNITS or more otherwise. The bits that must be zero are turned
 * to the top, where they make the number large. */
static inline unsigned ex_unit_before(const void *body)
{
    uint32_t offset = (uint32_t)((uintptr_t)body & (PAGE_SIZE - 1)) - EX_HEADER_BYTES;
    return offset >> EX_UNIT_SHIFT | offset << (32 - EX_UNIT_SHIFT);
}
static inline unsigned ex_unit_of(const void *address) { return BYTE_OFFSET(address) >> EX_UNIT_SHIFT; }

/* PoolType may be read by a neighbour while its owner writes it. */
static inline uint8_t ex_type(const POOL_HEADER *header) { return EX_GLANCE(header->PoolType); }
/* Without the mark for which only the fast paths care. */
static inline unsigned ex_plain_type(const POOL_HEADER *header) { return ex_type(header) & ~(unsigned)EX_TYPE_UNNUMBERED; }
static inline void ex_set_type(POOL_HEADER *header, unsigned type) { __atomic_store_n(&header->PoolType, (uint8_t)type, __ATOMIC_RELAXED); }

/* What whoever holds the block of `units` writes: bytes 2 to 11, and never PreviousSize. In pieces, each of which a free reads back as it was written,
 * or a part of it, so that it need not wait for the store. tag_mark: EX_TAG_MARK of the tag's number. */
#define EX_TAG_MARK(number) ((uint32_t)(number) << 16)
static inline void ex_header_own(POOL_HEADER *header, unsigned units, unsigned type, uint32_t tag, size_t requested, uint32_t tag_mark)
{
    uint32_t asked_and_number = (uint32_t)requested | tag_mark;
#if EX_THREAD_SANITIZER /* to which a neighbour's glance at PoolType is atomic only as a byte; BlockSize says so already */
    (void)units;
    ex_set_type(header, type);
#else
    uint16_t size_and_type = (uint16_t)(units | type << 8);
    memcpy(&header->BlockSize, &size_and_type, sizeof size_and_type);
#endif
    header->PoolTag = tag;
    memcpy(&header->AllocatorBackTraceIndex, &asked_and_number, sizeof asked_and_number);
}

unsigned               ex_quota_requested(const POOL_HEADER *header);                                            /* pool_quota.c */
static inline unsigned ex_requested_plain(const POOL_HEADER *header) { return header->AllocatorBackTraceIndex; } /* no quota is charged */
/* Bytes that the driver asked for, of any block in use. */
static inline unsigned ex_requested(const POOL_HEADER *header)
{
    return (ex_type(header) & EX_TYPE_QUOTA) != 0 ? ex_quota_requested(header) : ex_requested_plain(header);
}
static inline size_t ex_tag_number(const POOL_HEADER *header) { return *(const uint8_t *)&header->PoolTagHash; } /* less than 256 */
/* First eight bytes, as bug checks show them. */
static inline ULONG_PTR ex_header_contents(const POOL_HEADER *header)
{
    uint64_t contents;
    memcpy(&contents, header, sizeof contents);
    return (ULONG_PTR)contents;
}

#endif
