/*
 * test_mm_mdl_user.c - MDLs and processes: user memory that is locked, and memory of the system that is mapped at user addresses.
 */
#define NTMM_USES_TRY
#include "../support/user_memory.h"

#include <string.h>

#define TAG NTMM_TAG("MdUs")

static ntmm_process *process_here(void) { return (ntmm_process *)(void *)PsGetCurrentProcess(); }

static PMDL locked(void *p, SIZE_T bytes, LOCK_OPERATION operation, KPROCESSOR_MODE mode)
{
    PMDL mdl = IoAllocateMdl(p, (ULONG)bytes, FALSE, FALSE, NULL);
    assert_non_null(mdl);
    MmProbeAndLockPages(mdl, mode, operation);
    return mdl;
}

static void unlock_and_free(PMDL mdl)
{
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
}

static void end_process(void)
{
    ntmm_process *process = process_here();
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
    assert_true(ntmm_check());
}

static unsigned char *map_user(PMDL mdl, PVOID at, ULONG flags)
{
    return MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, at, FALSE, NormalPagePriority | flags);
}

/* ---- user memory ---- */

static void a_user_buffer_is_locked_and_seen_by_the_system(void **state)
{
    (void)state;
    unsigned char *user = user_pages(5 * PAGE_SIZE);
    PMDL           mdl = locked(user + 9, 3 * PAGE_SIZE, IoWriteAccess, UserMode);
    assert_ptr_equal(mdl->Process, (void *)PsGetCurrentProcess());
    unsigned char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_true(seen != NULL && BYTE_OFFSET(seen) == 9 && (ULONG_PTR)seen >= MmUserProbeAddress);
    seen[2 * PAGE_SIZE] = 5;
    user[PAGE_SIZE + 9] = 6;
    assert_true(peek(user + 9 + 2 * PAGE_SIZE) == 5 && seen[PAGE_SIZE] == 6);
    ntmm_page_out();
    ntmm_process_attach(NULL); /* the system's address is there in every process */
    seen[2 * PAGE_SIZE] = 7;
    ntmm_process_attach((ntmm_process *)(void *)mdl->Process);
    assert_true(ntmm_check());
    MmUnlockPages(mdl);
    ntmm_page_out();
    assert_int_equal(peek(user + 9 + 2 * PAGE_SIZE), 7);
    IoFreeMdl(mdl);
    end_process();
}

static void what_may_not_be_used_so_is_not_locked(void **state)
{
    (void)state;
    unsigned char *user = user_pages(PAGE_SIZE), *read_only = ntmm_user_alloc(process_here(), PAGE_SIZE, PAGE_READONLY);
    PMDL mdl = IoAllocateMdl(read_only, 10, FALSE, FALSE, NULL), gone = IoAllocateMdl(user + PAGE_SIZE - 5, 10, FALSE, FALSE, NULL);
    PMDL built = IoAllocateMdl(ntmm_user_alloc(process_here(), PAGE_SIZE, PAGE_READWRITE), 10, FALSE, FALSE, NULL);
    assert_int_equal(raised(MmProbeAndLockPages(mdl, UserMode, IoWriteAccess)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(raised(MmProbeAndLockPages(mdl, UserMode, IoReadAccess)), STATUS_SUCCESS);
    MmUnlockPages(mdl);
    assert_int_equal(raised(MmProbeAndLockPages(gone, UserMode, IoReadAccess)), STATUS_ACCESS_VIOLATION);
    ntmm_process *own = process_here(), *other = ntmm_process_create();
    ntmm_process_attach(other); /* there it is nobody's */
    assert_int_equal(raised(MmProbeAndLockPages(mdl, KernelMode, IoReadAccess)), STATUS_ACCESS_VIOLATION);
    MmProbeAndLockProcessPages(mdl, as_object(own), UserMode, IoReadAccess);
    assert_ptr_equal(mdl->Process, (void *)own);
    assert_ptr_equal(PsGetCurrentProcess(), as_object(other));
    MmUnlockPages(mdl);
    ntmm_process_attach(own);
    ntmm_process_destroy(other);
    IoFreeMdl(mdl);
    IoFreeMdl(gone);
    assert_bugcheck(MEMORY_MANAGEMENT, 0x1240, MmBuildMdlForNonPagedPool(built)); /* user memory is not nonpaged */
}

static void unlocked_too_often_or_not_at_all(void **state)
{
    (void)state;
    unsigned char *user = user_pages(2 * PAGE_SIZE);
    PMDL           mdl = locked(user, 2 * PAGE_SIZE, IoReadAccess, UserMode);
    (void)locked(user + PAGE_SIZE, 10, IoReadAccess, UserMode);
    MmUnlockPages(mdl);
    assert_bugcheck_all(PROCESS_HAS_LOCKED_PAGES, 0x1, mdl, 1, 0, MmUnlockPages(mdl));
    ntmm_cmocka_reboot();
    user = user_pages(3 * PAGE_SIZE);
    mdl = locked(user, 3 * PAGE_SIZE, IoReadAccess, UserMode);
    ntmm_process *process = process_here();
    ntmm_process_attach(NULL);
    assert_bugcheck_all(PROCESS_HAS_LOCKED_PAGES, 0x0, process, 3, 0, ntmm_process_destroy(process));
}

static void names_the_lock(const MDL *mdl, size_t pages)
{
    assert_int_not_equal(ntmm_cmocka_caught.parameter[1], 0); /* the machine's record of it */
    assert_int_equal(ntmm_cmocka_caught.parameter[2], (uintptr_t)mdl);
    assert_int_equal(ntmm_cmocka_caught.parameter[3], pages);
}

/* With TrackLockedPages the machine knows which MDL it was. */
static void locks_that_are_tracked(void **state)
{
    (void)state;
    unsigned char *user = user_pages(3 * PAGE_SIZE);
    PMDL           mdl = locked(user, 3 * PAGE_SIZE, IoReadAccess, UserMode), other = locked(user, 10, IoWriteAccess, UserMode);
    MmUnlockPages(mdl);
    MmProbeAndLockPages(mdl, UserMode, IoReadAccess); /* again is not twice */
    MmUnlockPages(other);
    IoFreeMdl(other);
    ntmm_process *process = process_here();
    ntmm_process_attach(NULL);
    assert_bugcheck_code(DRIVER_LEFT_LOCKED_PAGES_IN_PROCESS, ntmm_process_destroy(process));
    assert_int_not_equal(ntmm_cmocka_caught.parameter[0], 0); /* the machine's record of the lock */
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 0);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], (uintptr_t)mdl);
    assert_int_equal(ntmm_cmocka_caught.parameter[3], 3);
    ntmm_cmocka_reboot();
    user = user_pages(PAGE_SIZE);
    mdl = locked(user, PAGE_SIZE, IoReadAccess, UserMode);
    assert_bugcheck(LOCKED_PAGES_TRACKER_CORRUPTION, 0x1, MmProbeAndLockPages(mdl, UserMode, IoReadAccess));
    names_the_lock(mdl, 1);
    ntmm_cmocka_reboot();
    unsigned char *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE, TAG);
    mdl = locked(pool, 2 * PAGE_SIZE, IoReadAccess, KernelMode);
    assert_bugcheck(LOCKED_PAGES_TRACKER_CORRUPTION, 0x2, MmProbeAndLockPages(mdl, KernelMode, IoReadAccess));
    names_the_lock(mdl, 2);
    ntmm_cmocka_reboot();
    pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE, TAG);
    mdl = locked(pool, 2 * PAGE_SIZE, IoReadAccess, KernelMode);
    unlock_and_free(mdl);
    ExFreePool(pool);
}

/* ---- user addresses ---- */

static void memory_of_the_system_at_a_user_address(void **state)
{
    (void)state;
    user_pages(PAGE_SIZE);
    for (int paged = 0; paged < 2; paged++) {
        unsigned char *pool = ExAllocatePool2(paged ? POOL_FLAG_PAGED : POOL_FLAG_NON_PAGED, 4 * PAGE_SIZE, TAG);
        PMDL           mdl = locked(pool + 12, 3 * PAGE_SIZE, IoWriteAccess, KernelMode);
        unsigned char *user = map_user(mdl, NULL, 0);
        assert_true((ULONG_PTR)user < MmUserProbeAddress && BYTE_OFFSET(user) == 12);
        assert_int_equal(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA, 0); /* it is no system mapping */
        user[PAGE_SIZE] = 40;
        pool[12 + 2 * PAGE_SIZE] = 41;
        assert_true(pool[12 + PAGE_SIZE] == 40 && peek(user + 2 * PAGE_SIZE) == 41);
        assert_true(MmIsAddressValid(user));
        ntmm_page_out();
        assert_int_equal(peek(user + PAGE_SIZE), 40);
        if (!ntmm_check())
            fail_msg("%s", ntmm_error());
        unsigned char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority); /* both at once */
        assert_int_equal(seen[PAGE_SIZE], 40);
        PMDL again = locked(user + PAGE_SIZE, 10, IoWriteAccess, UserMode); /* what an application may do with it */
        assert_int_equal(MmGetMdlPfnArray(again)[0], MmGetMdlPfnArray(mdl)[1]);
        unlock_and_free(again);
        MmUnmapLockedPages(user, mdl);
        assert_int_equal(raised(peek(user)), STATUS_ACCESS_VIOLATION);
        assert_false(MmIsAddressValid(user));
        unlock_and_free(mdl);
        ExFreePool(pool);
        assert_true(ntmm_check());
    }
    end_process();
}

static void frames_here_and_there(void **state)
{
    (void)state;
    enum { PAGES = 12 };
    FILE_SEGMENT_ELEMENT segments[PAGES];
    user_pages(PAGE_SIZE);
    unsigned char *pool = ExAllocatePool2(POOL_FLAG_PAGED, PAGES * PAGE_SIZE, TAG);
    PMDL           mdl = IoAllocateMdl(NULL, PAGES * PAGE_SIZE, FALSE, FALSE, NULL);
    for (size_t i = 0; i < PAGES; i++)
        segments[i].Buffer = pool + (PAGES - 1 - i) * PAGE_SIZE;
    MmProbeAndLockSelectedPages(mdl, segments, KernelMode, IoWriteAccess);
    unsigned char *user = map_user(mdl, NULL, 0), *other = map_user(mdl, NULL, 0); /* as often as a driver likes */
    for (size_t i = 0; i < PAGES; i++)
        user[i * PAGE_SIZE] = (unsigned char)(i + 1);
    for (size_t i = 0; i < PAGES; i++)
        assert_true(pool[(PAGES - 1 - i) * PAGE_SIZE] == i + 1 && peek(other + i * PAGE_SIZE) == i + 1);
    MmUnmapLockedPages(other, mdl);
    MmUnmapLockedPages(user, mdl);
    unlock_and_free(mdl);
    ExFreePool(pool);
    end_process();
}

static void a_mapping_that_may_not_be_written(void **state)
{
    (void)state;
    user_pages(PAGE_SIZE);
    unsigned char *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, TAG);
    PMDL           mdl = locked(pool, PAGE_SIZE, IoReadAccess, KernelMode), again;
    unsigned char *user = map_user(mdl, NULL, MdlMappingNoWrite);
    assert_int_equal(raised(poke(user, 1)), STATUS_ACCESS_VIOLATION);
    assert_int_equal(peek(user), 0);
    again = IoAllocateMdl(user, 10, FALSE, FALSE, NULL);
    assert_int_equal(raised(MmProbeAndLockPages(again, UserMode, IoWriteAccess)), STATUS_ACCESS_VIOLATION);
    IoFreeMdl(again);
    MmUnmapLockedPages(user, mdl);
    unlock_and_free(mdl);
    ExFreePool(pool);
    end_process();
}

/* A return instruction: whoever may execute it comes back. */
static const uint32_t RETURN =
#ifdef __aarch64__
    0xD65F03C0u;
#else
    0xC3u;
#endif

static void nothing_is_executed_at_a_user_address(void **state)
{
    (void)state;
    user_pages(PAGE_SIZE);
    unsigned char *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED_EXECUTE, PAGE_SIZE, TAG);
    PMDL           mdl = locked(pool, PAGE_SIZE, IoReadAccess, KernelMode);
    memcpy(pool, &RETURN, sizeof RETURN);
    __builtin___clear_cache((char *)pool, (char *)pool + sizeof RETURN);
    for (int no_execute = 0; no_execute < 2; no_execute++) { /* whether the driver says so or not */
        unsigned char *user = map_user(mdl, NULL, no_execute != 0 ? MdlMappingNoExecute : 0);
        assert_memory_equal(user, &RETURN, sizeof RETURN);
        assert_int_equal(raised(((void (*)(void))(uintptr_t)user)()), STATUS_ACCESS_VIOLATION);
        MmUnmapLockedPages(user, mdl);
    }
    unlock_and_free(mdl);
    ExFreePool(pool);
    end_process();
}

static void a_place_of_the_drivers_choice(void **state)
{
    (void)state;
    unsigned char *taken = user_pages(PAGE_SIZE), *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, TAG);
    PMDL           mdl = locked(pool, PAGE_SIZE, IoReadAccess, KernelMode);
    SIZE_T         bytes = 0;
    unsigned char *wanted = taken + 64 * 0x10000, *user = map_user(mdl, wanted + 5, 0);
    assert_ptr_equal(user, wanted); /* rounded down */
    assert_int_equal(raised(map_user(mdl, wanted, 0)), STATUS_CONFLICTING_ADDRESSES);
    PVOID base = wanted; /* the process may not give the addresses back, nor use them otherwise */
    assert_int_equal(ZwFreeVirtualMemory(ZwCurrentProcess(), &base, &bytes, MEM_RELEASE), STATUS_INVALID_PAGE_PROTECTION);
    bytes = PAGE_SIZE;
    assert_int_equal(ZwAllocateVirtualMemory(ZwCurrentProcess(), &base, 0, &bytes, MEM_COMMIT, PAGE_READWRITE),
                     STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(raised(map_user(mdl, pool, 0)), STATUS_CONFLICTING_ADDRESSES); /* no user address */
    ntmm_fail_allocation(1);
    assert_int_equal(raised(map_user(mdl, NULL, 0)), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(0);
    MmUnmapLockedPages(user, mdl);
    unlock_and_free(mdl);
    ExFreePool(pool);
    end_process();
}

static void a_process_that_ends_takes_the_mapping_with_it(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        user_pages(PAGE_SIZE);
        unsigned char *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, TAG);
        PMDL           mdl = locked(pool, PAGE_SIZE, IoReadAccess, KernelMode);
        pool[3] = 3;
        assert_int_equal(peek(map_user(mdl, NULL, 0) + 3), 3);
        end_process();
        unlock_and_free(mdl);
        ExFreePool(pool);
    }
}

static void unmapped_wrongly(void **state)
{
    (void)state;
    for (volatile int row = 0; row < 4; row++) {
        user_pages(PAGE_SIZE);
        unsigned char *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE, TAG);
        PMDL           mdl = locked(pool, 2 * PAGE_SIZE, IoReadAccess, KernelMode);
        unsigned char *user = map_user(mdl, NULL, 0);
        KIRQL          before;
        if (row == 0) { /* in another process */
            ntmm_process_attach(NULL);
            assert_bugcheck_all(SYSTEM_PTE_MISUSE, 0x06, mdl, user, 2, MmUnmapLockedPages(user, mdl));
        } else if (row == 1) { /* twice */
            MmUnmapLockedPages(user, mdl);
            assert_bugcheck(SYSTEM_PTE_MISUSE, 0x06, MmUnmapLockedPages(user, mdl));
        } else if (row == 2) { /* not the address that came back */
            assert_bugcheck_all(SYSTEM_PTE_MISUSE, 0x06, mdl, user + 1, 2, MmUnmapLockedPages(user + 1, mdl));
        } else {
            KeRaiseIrql(DISPATCH_LEVEL, &before);
            assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, MmUnmapLockedPages(user, mdl));
        }
        ntmm_cmocka_reboot();
    }
}

/* An application would see whatever its frames become next. */
static void given_up_while_an_application_sees_it(void **state)
{
    (void)state;
    const PHYSICAL_ADDRESS low = { .QuadPart = 0 }, high = { .QuadPart = -1 };
    user_pages(PAGE_SIZE);
    unsigned char *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, TAG);
    PMDL           mdl = locked(pool, PAGE_SIZE, IoReadAccess, KernelMode);
    assert_non_null(map_user(mdl, NULL, 0));
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1233, MmGetMdlPfnArray(mdl)[0], mdl, 0, MmUnlockPages(mdl));
    ntmm_cmocka_reboot();
    user_pages(PAGE_SIZE);
    pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, PAGE_SIZE, TAG);
    mdl = IoAllocateMdl(pool, PAGE_SIZE, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(mdl);
    assert_non_null(map_user(mdl, NULL, 0));
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1233, MmGetMdlPfnArray(mdl)[0], mdl, 0, IoFreeMdl(mdl));
    ntmm_cmocka_reboot();
    user_pages(PAGE_SIZE);
    mdl = MmAllocatePagesForMdlEx(low, high, low, 3 * PAGE_SIZE, MmCached, 0);
    assert_non_null(map_user(mdl, NULL, 0));
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1233, MmGetMdlPfnArray(mdl)[0], mdl, 0, MmFreePagesFromMdl(mdl));
}

/* Whole pages that MmAdvanceMdl passes are given up, too; a few bytes are not. */
static void passed_while_an_application_sees_it(void **state)
{
    (void)state;
    user_pages(PAGE_SIZE);
    unsigned char *pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE, TAG);
    PMDL           mdl = locked(pool, 2 * PAGE_SIZE, IoReadAccess, KernelMode);
    assert_non_null(map_user(mdl, NULL, 0));
    assert_int_equal(MmAdvanceMdl(mdl, PAGE_SIZE - 1), STATUS_SUCCESS);
    assert_bugcheck_all(MEMORY_MANAGEMENT, 0x1233, MmGetMdlPfnArray(mdl)[0], mdl, 0, MmAdvanceMdl(mdl, 1));
}

static PMDL built_and_seen(void *memory)
{
    PMDL mdl = IoAllocateMdl(memory, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(mdl);
    assert_non_null(map_user(mdl, NULL, 0));
    return mdl;
}

static void memory_is_freed_while_an_application_sees_it(void **state)
{
    (void)state;
    const PHYSICAL_ADDRESS anywhere = { .QuadPart = -1 };
    for (volatile int row = 0; row < 3; row++) {
        user_pages(PAGE_SIZE);
        unsigned char *memory = row == 0   ? ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE, TAG)
                                : row == 1 ? MmAllocateContiguousMemory(2 * PAGE_SIZE, anywhere)
                                           : MmAllocateNonCachedMemory(2 * PAGE_SIZE);
        unsigned char *other = ExAllocatePool2(POOL_FLAG_NON_PAGED, 2 * PAGE_SIZE, TAG);
        PMDL           mdl = built_and_seen(memory);
        ExFreePool(other); /* which nobody sees */
        if (row == 0)
            assert_bugcheck(PFN_LIST_CORRUPT, 0x9A, ExFreePool(memory));
        else if (row == 1)
            assert_bugcheck(PFN_LIST_CORRUPT, 0x9A, MmFreeContiguousMemory(memory));
        else
            assert_bugcheck(PFN_LIST_CORRUPT, 0x9A, MmFreeNonCachedMemory(memory, 2 * PAGE_SIZE));
        assert_int_equal(ntmm_cmocka_caught.parameter[1], MmGetMdlPfnArray(mdl)[0]);
        ntmm_cmocka_reboot();
    }
}

static const ntmm_config TRACKED = { .track_locked_pages = true, .quiet = true };

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(a_user_buffer_is_locked_and_seen_by_the_system),
        ntmm_cmocka_test(what_may_not_be_used_so_is_not_locked),
        ntmm_cmocka_test(unlocked_too_often_or_not_at_all),
        ntmm_cmocka_test_config(locks_that_are_tracked, &TRACKED),
        ntmm_cmocka_test(memory_of_the_system_at_a_user_address),
        ntmm_cmocka_test(frames_here_and_there),
        ntmm_cmocka_test(a_mapping_that_may_not_be_written),
        ntmm_cmocka_test(nothing_is_executed_at_a_user_address),
        ntmm_cmocka_test(a_place_of_the_drivers_choice),
        ntmm_cmocka_test(a_process_that_ends_takes_the_mapping_with_it),
        ntmm_cmocka_test(unmapped_wrongly),
        ntmm_cmocka_test(given_up_while_an_application_sees_it),
        ntmm_cmocka_test(passed_while_an_application_sees_it),
        ntmm_cmocka_test(memory_is_freed_while_an_application_sees_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
