/*
 * user_memory.h - memory at user addresses, for tests of what probes and accesses it.
 */
#ifndef NTMM_TESTS_USER_MEMORY_H
#define NTMM_TESTS_USER_MEMORY_H

#include <ntmm/cmocka.h>

#include "host/host.h"
#include "mm/user_range.h"

#define USER_TOP ((uintptr_t)0x80000000)

/* Pages of the host below 2 GiB, with the boundary above them: as long as processes have no memory of their own. */
static inline unsigned char *user_pages(size_t bytes)
{
    static unsigned char *pages;
    static host_object_t  object = { .fd = -1 };
    if (pages == NULL) {
        for (uintptr_t at = 0x20000000; pages == NULL && at < 0x60000000; at += 0x1000000)
            pages = host_reserve_at((void *)at, 64 * PAGE_SIZE);
        assert_non_null(pages);
        assert_int_equal(host_object_create(&object, 64 * PAGE_SIZE, HOST_OBJECT_BEST), 0);
        assert_int_equal(host_map_object(pages, &object, 0, 64 * PAGE_SIZE, HOST_READ | HOST_WRITE), 0);
    }
    assert_true(bytes <= 64 * PAGE_SIZE);
    mm_user_probe_address = USER_TOP;
    mm_user_range_boot();
    memset(pages, 0, 64 * PAGE_SIZE);
    return pages;
}

#endif
