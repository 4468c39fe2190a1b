/*
 * test_vf_automatic.c - what Driver Verifier finds whatever its flags are, each mistake on a machine of its own; and that a driver that makes
 * none is left alone.
 */
#define NTMM_USES_TRY
#include "../support/user_memory.h"

#include <pthread.h>
#include <stdlib.h>

#define TAG NTMM_TAG("VfAu")

static const ntmm_config      VERIFIED = { .verifier = NTMM_VERIFY_DMA, .quiet = true };
static const ntmm_config      FORCED = { .verifier = NTMM_VERIFY_FORCE_IRQL, .quiet = true };
static const ntmm_config      OLD = { .verifier = NTMM_VERIFY_DMA, .windows_version = NTDDI_VISTA, .quiet = true };
static const PHYSICAL_ADDRESS ZERO = { .QuadPart = 0 }, ANYWHERE = { .QuadPart = -1 };

/* Each rule is explained. */
static void has_a_text(void)
{
    if (strstr(ntmm_stop_report(), "which rule of Driver Verifier") != NULL)
        fail_msg("rule 0x%llx has no text", (unsigned long long)ntmm_cmocka_caught.parameter[0]);
}

#define EXPECT(code, p2, p3, p4, ...) \
    do { \
        assert_bugcheck_all(DRIVER_VERIFIER_DETECTED_VIOLATION, (code), (ULONG_PTR)(p2), (ULONG_PTR)(p3), (ULONG_PTR)(p4), __VA_ARGS__); \
        has_a_text(); \
        ntmm_cmocka_reboot(); \
    } while (0)
#define EXPECT_CODE(code, ...) \
    do { \
        assert_bugcheck(DRIVER_VERIFIER_DETECTED_VIOLATION, (code), __VA_ARGS__); \
        ntmm_cmocka_reboot(); \
    } while (0)

static void raise_to(KIRQL irql)
{
    KIRQL old;
    KeRaiseIrql(irql, &old);
}

static char *nonpaged(SIZE_T bytes)
{
    char *p = ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, TAG);
    assert_non_null(p);
    return p;
}

static PMDL mdl_for(void *p, SIZE_T bytes)
{
    PMDL mdl = IoAllocateMdl(p, (ULONG)bytes, FALSE, FALSE, NULL);
    assert_non_null(mdl);
    return mdl;
}

static PMDL locked(void *p, SIZE_T bytes)
{
    PMDL mdl = mdl_for(p, bytes);
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    return mdl;
}

static ULONG_PTR flags_of(const MDL *mdl) { return (uint16_t)mdl->MdlFlags; }

/* ---- pools ---- */

static void pool_mistakes(void **state)
{
    (void)state;
    char *p;
    EXPECT(0x00, PASSIVE_LEVEL, PagedPool, 0, ExAllocatePoolWithTag(PagedPool, 0, TAG));
    EXPECT(0x00, PASSIVE_LEVEL, NonPagedPoolNx, 0, ExAllocatePool2(POOL_FLAG_NON_PAGED, 0, TAG));
    raise_to(DISPATCH_LEVEL);
    EXPECT(0x01, DISPATCH_LEVEL, PagedPool, 100, ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG));
    raise_to(DISPATCH_LEVEL + 1);
    EXPECT(0x02, DISPATCH_LEVEL + 1, NonPagedPoolNx, 100, ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG));
    EXPECT(0x03, 0, 0, 0, ExAllocatePoolWithTag(NonPagedPoolMustSucceed, 100, TAG));
    EXPECT(0x10, &state, 0, 0, ExFreePool(&state));
    p = nonpaged(100);
    EXPECT(0x10, p + 16, 0, 0, ExFreePool(p + 16));
    p = nonpaged(2 * PAGE_SIZE);
    ExFreePool(p);
    EXPECT(0x10, p, 0, 0, ExFreePool(p));
    p = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG);
    raise_to(DISPATCH_LEVEL);
    EXPECT(0x11, DISPATCH_LEVEL, PagedPool, p, ExFreePool(p));
    p = nonpaged(100);
    raise_to(HIGH_LEVEL);
    EXPECT(0x12, HIGH_LEVEL, NonPagedPoolNx, p, ExFreePoolWithTag(p, TAG));
    p = nonpaged(100);
    ExFreePool(p);
    assert_bugcheck(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x13, ExFreePool(p));
    assert_int_equal(ntmm_cmocka_caught.parameter[2], (uintptr_t)p - 16);
    ntmm_cmocka_reboot();
    p = nonpaged(100); /* what has no code of the verifier's stays as it is */
    assert_bugcheck(BAD_POOL_CALLER, 0x0A, ExFreePoolWithTag(p, NTMM_TAG("Oops")));
}

/* ---- IRQL and locks ---- */

static KSPIN_LOCK lock;
static FAST_MUTEX mutex;
static ERESOURCE  resource;
static KEVENT     event;

static void levels(void **state)
{
    (void)state;
    KIRQL          old;
    LARGE_INTEGER  now = { .QuadPart = 0 }, later = { .QuadPart = -10 };
    PLARGE_INTEGER soon = &later;
    raise_to(DISPATCH_LEVEL);
    EXPECT(0x30, DISPATCH_LEVEL, APC_LEVEL, 0, KeRaiseIrql(APC_LEVEL, &old));
    EXPECT(0x31, PASSIVE_LEVEL, DISPATCH_LEVEL, 0, KeLowerIrql(DISPATCH_LEVEL));
    KeInitializeEvent(&event, NotificationEvent, TRUE);
    raise_to(DISPATCH_LEVEL + 1);
    EXPECT(0x80, DISPATCH_LEVEL + 1, &event, 0, KeSetEvent(&event, 0, FALSE));
    raise_to(DISPATCH_LEVEL + 1);
    EXPECT(0x120, DISPATCH_LEVEL + 1, &event, &now, KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &now));
    raise_to(DISPATCH_LEVEL);
    EXPECT(0x121, DISPATCH_LEVEL, &event, 0, KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL));
    raise_to(DISPATCH_LEVEL);
    EXPECT(0x122, DISPATCH_LEVEL, &event, soon, KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, soon));
    raise_to(DISPATCH_LEVEL);
    EXPECT(0x3B, DISPATCH_LEVEL, 0, soon, KeDelayExecutionThread(KernelMode, FALSE, soon));
    raise_to(DISPATCH_LEVEL);
    EXPECT(0xE5, DISPATCH_LEVEL, 0, 0, MmAllocateNonCachedMemory(1));
    raise_to(APC_LEVEL);
    assert_bugcheck(DRIVER_VERIFIER_DETECTED_VIOLATION, 0xE6, ZwClose(NULL));
    assert_int_equal(ntmm_cmocka_caught.parameter[2], APC_LEVEL);
    ntmm_cmocka_reboot();
    EXPECT(0x3E, 0, 0, 0, KeLeaveCriticalRegion());
}

static void before_windows_7(void **state)
{
    (void)state;
    raise_to(DISPATCH_LEVEL);
    KeInitializeEvent(&event, NotificationEvent, TRUE);
    EXPECT(0x3B, DISPATCH_LEVEL, &event, 0, KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL));
}

static VOID dpc_waits(PKDPC Dpc, PVOID Context, PVOID First, PVOID Second)
{
    (void)Dpc, (void)Context, (void)First, (void)Second;
    (void)KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
}

static void a_dpc_waits(void **state)
{
    (void)state;
    KDPC dpc;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    KeInitializeDpc(&dpc, dpc_waits, NULL);
    raise_to(DISPATCH_LEVEL);
    KeInsertQueueDpc(&dpc, NULL, NULL);
    EXPECT(0x121, DISPATCH_LEVEL, &event, 0, KeLowerIrql(PASSIVE_LEVEL));
}

static void locks(void **state)
{
    (void)state;
    KIRQL              old;
    KLOCK_QUEUE_HANDLE handle;
    KeInitializeSpinLock(&lock);
    raise_to(DISPATCH_LEVEL + 1);
    EXPECT(0x42, DISPATCH_LEVEL + 1, &lock, 0, KeAcquireSpinLock(&lock, &old));
    KeInitializeSpinLock(&lock);
    KeAcquireSpinLock(&lock, &old);
    KeLowerIrql(APC_LEVEL);
    EXPECT(0x32, APC_LEVEL, &lock, 0, KeReleaseSpinLock(&lock, PASSIVE_LEVEL));
    KeInitializeSpinLock(&lock);
    EXPECT(0x40, PASSIVE_LEVEL, &lock, 0, KeAcquireSpinLockAtDpcLevel(&lock));
    KeInitializeSpinLock(&lock);
    EXPECT(0x41, PASSIVE_LEVEL, &lock, 0, KeReleaseSpinLockFromDpcLevel(&lock));
    KeInitializeSpinLock(&lock);
    KeAcquireInStackQueuedSpinLock(&lock, &handle);
    KeLowerIrql(PASSIVE_LEVEL);
    EXPECT(0x36, PASSIVE_LEVEL, &lock, PASSIVE_LEVEL, KeReleaseInStackQueuedSpinLock(&handle));
    ExInitializeFastMutex(&mutex);
    raise_to(DISPATCH_LEVEL);
    EXPECT(0x33, DISPATCH_LEVEL, &mutex, 0, ExAcquireFastMutex(&mutex));
    ExInitializeFastMutex(&mutex);
    ExAcquireFastMutex(&mutex);
    KeLowerIrql(PASSIVE_LEVEL);
    EXPECT(0x34, PASSIVE_LEVEL, 0, &mutex, ExReleaseFastMutex(&mutex));
    ExInitializeFastMutex(&mutex);
    EXPECT(0x39, PASSIVE_LEVEL, 0, &mutex, ExAcquireFastMutexUnsafe(&mutex));
    ExInitializeFastMutex(&mutex);
    KeEnterCriticalRegion();
    ExAcquireFastMutexUnsafe(&mutex);
    KeLeaveCriticalRegion();
    EXPECT(0x3A, PASSIVE_LEVEL, 0, &mutex, ExReleaseFastMutexUnsafe(&mutex));
    ExInitializeResourceLite(&resource);
    EXPECT(0x37, PASSIVE_LEVEL, 0, &resource, ExAcquireResourceSharedLite(&resource, TRUE));
    ExInitializeResourceLite(&resource);
    ExEnterCriticalRegionAndAcquireResourceExclusive(&resource);
    KeLeaveCriticalRegion();
    EXPECT(0x38, PASSIVE_LEVEL, 0, &resource, ExReleaseResourceLite(&resource));
}

static EX_PUSH_LOCK push_lock;
static void         push_locks(void **state)
{
    (void)state;
    ExInitializePushLock(&push_lock);
    EXPECT(0xEA, PASSIVE_LEVEL, 0, &push_lock, ExAcquirePushLockShared(&push_lock));
    ExInitializePushLock(&push_lock);
    EXPECT(0xEA, PASSIVE_LEVEL, 0, &push_lock, ExAcquirePushLockExclusive(&push_lock));
    ExInitializePushLock(&push_lock);
    KeEnterCriticalRegion();
    ExAcquirePushLockShared(&push_lock);
    KeLeaveCriticalRegion();
    EXPECT(0xEB, PASSIVE_LEVEL, 0, &push_lock, ExReleasePushLockShared(&push_lock));
    ExInitializePushLock(&push_lock);
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(&push_lock);
    KeLeaveCriticalRegion();
    EXPECT(0xEB, PASSIVE_LEVEL, 0, &push_lock, ExReleasePushLockExclusive(&push_lock));
    ExInitializePushLock(&push_lock);
    KeEnterGuardedRegion();
    assert_no_bugcheck({
        ExAcquirePushLockExclusive(&push_lock);
        ExReleasePushLockExclusive(&push_lock);
    });
    KeLeaveGuardedRegion();
}

/* What comes or goes at the wrong time. */
static void lists_and_resources(void **state)
{
    (void)state;
    PNPAGED_LOOKASIDE_LIST list = (PNPAGED_LOOKASIDE_LIST)nonpaged(sizeof *list);
    ExInitializeNPagedLookasideList(list, NULL, NULL, 0, 64, TAG, 0);
    EXPECT(0xCA, list, 0, 0, ExInitializeNPagedLookasideList(list, NULL, NULL, 0, 64, TAG, 0));
    list = (PNPAGED_LOOKASIDE_LIST)nonpaged(sizeof *list);
    EXPECT(0xCB, list, 0, 0, ExDeleteNPagedLookasideList(list));
    list = (PNPAGED_LOOKASIDE_LIST)nonpaged(sizeof *list);
    EXPECT(0xCD, list, 4, LOOKASIDE_MINIMUM_BLOCK_SIZE, ExInitializeNPagedLookasideList(list, NULL, NULL, 0, 4, TAG, 0));
    ExInitializeResourceLite(&resource);
    EXPECT(0xD0, &resource, 0, 0, ExInitializeResourceLite(&resource));
    ExInitializeResourceLite(&resource);
    ExDeleteResourceLite(&resource);
    EXPECT(0xD1, &resource, 0, 0, ExDeleteResourceLite(&resource));
    ExInitializeResourceLite(&resource);
    ExDeleteResourceLite(&resource);
    ExInitializeResourceLite(&resource);
    ExDeleteResourceLite(&resource);
}

static void *refer_to_itself(void *unused)
{
    (void)unused;
    ObReferenceObject(PsGetCurrentThread());
    return PsGetCurrentThread();
}
/* A thread that has ended, and to which nobody refers any more. */
static PVOID dead_thread(void)
{
    pthread_t thread;
    void     *object;
    assert_int_equal(pthread_create(&thread, NULL, refer_to_itself, NULL), 0);
    assert_int_equal(pthread_join(thread, &object), 0);
    ObDereferenceObject(object);
    return object;
}
static void odd_resources_and_dead_objects(void **state)
{
    static char bytes[sizeof(ERESOURCE) + 8] __attribute__((aligned(16)));
    PERESOURCE  odd = (PERESOURCE)(void *)(bytes + 4);
    PVOID       thread;
    (void)state;
    KeEnterCriticalRegion();
    EXPECT(0x3D, 0, 0, odd, ExAcquireResourceExclusiveLite(odd, TRUE));
    thread = dead_thread();
    EXPECT(0x3F, thread, (ULONG_PTR)-1, 0, ObDereferenceObject(thread));
    thread = dead_thread();
    EXPECT(0x3F, thread, 1, 0, ObReferenceObject(thread));
}

static void what_forced_irql_checking_adds(void **state)
{
    (void)state;
    PKEVENT paged = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *paged, TAG);
    EXPECT(0xE1, paged, 0, 0, KeInitializeEvent(paged, NotificationEvent, FALSE));
    PKSPIN_LOCK paged_lock = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *paged_lock, TAG);
    EXPECT(0xE1, paged_lock, 0, 0, KeInitializeSpinLock(paged_lock));
    raise_to(DISPATCH_LEVEL);
    EXPECT(0x11A, DISPATCH_LEVEL, 0, 0, KeEnterCriticalRegion());
    KeEnterCriticalRegion();
    raise_to(DISPATCH_LEVEL);
    EXPECT(0x11B, DISPATCH_LEVEL, 0, 0, KeLeaveCriticalRegion());
}

/* ---- MDLs ---- */

static void mdls_are_locked_and_unlocked_once(void **state)
{
    (void)state;
    char *p = nonpaged(PAGE_SIZE);
    PMDL  mdl = locked(p, PAGE_SIZE), part;
    EXPECT(0xB0, mdl, flags_of(mdl), MDL_PAGES_LOCKED, MmProbeAndLockPages(mdl, KernelMode, IoReadAccess));
    mdl = mdl_for(nonpaged(PAGE_SIZE), PAGE_SIZE);
    MmBuildMdlForNonPagedPool(mdl);
    EXPECT(0xB1, mdl, flags_of(mdl), MDL_SOURCE_IS_NONPAGED_POOL,
           MmProbeAndLockProcessPages(mdl, PsGetCurrentProcess(), KernelMode, IoReadAccess));
    mdl = mdl_for(nonpaged(PAGE_SIZE), PAGE_SIZE);
    EXPECT(0x7C, mdl, flags_of(mdl), 0, MmUnlockPages(mdl));
    mdl = mdl_for(nonpaged(PAGE_SIZE), PAGE_SIZE);
    MmBuildMdlForNonPagedPool(mdl);
    EXPECT(0x7D, mdl, flags_of(mdl), 0, MmUnlockPages(mdl));
    p = nonpaged(PAGE_SIZE);
    mdl = locked(p, PAGE_SIZE);
    part = mdl_for(p, 10);
    IoBuildPartialMdl(mdl, part, p, 10);
    EXPECT(0xB4, part, flags_of(part), MDL_PARTIAL, MmUnlockPages(part));
    p = nonpaged(PAGE_SIZE);
    mdl = locked(p, PAGE_SIZE);
    part = mdl_for(p, 10);
    IoBuildPartialMdl(mdl, part, p, 10);
    EXPECT(0xB0, part, flags_of(part), MDL_PARTIAL, MmProbeAndLockPages(part, KernelMode, IoReadAccess));
    mdl = locked(nonpaged(PAGE_SIZE), PAGE_SIZE);
    EXPECT(0xB8, mdl, flags_of(mdl), 0, IoFreeMdl(mdl));
    p = ExAllocatePool2(POOL_FLAG_PAGED, PAGE_SIZE, TAG);
    mdl = mdl_for(p, PAGE_SIZE);
    EXPECT(0x7F, PASSIVE_LEVEL, mdl, flags_of(mdl), MmBuildMdlForNonPagedPool(mdl));
    char local[10];
    mdl = mdl_for(local, sizeof local);
    EXPECT(0x140, PASSIVE_LEVEL, mdl, local, MmBuildMdlForNonPagedPool(mdl));
}

static void mdls_are_mapped_and_unmapped_once(void **state)
{
    (void)state;
    char *p = nonpaged(PAGE_SIZE), *volatile seen;
    PMDL  mdl = locked(p, PAGE_SIZE), part;
    assert_non_null(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
    EXPECT(0xB2, mdl, flags_of(mdl), MDL_MAPPED_TO_SYSTEM_VA,
           MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority));
    mdl = mdl_for(nonpaged(PAGE_SIZE), PAGE_SIZE);
    MmBuildMdlForNonPagedPool(mdl);
    EXPECT(0xB2, mdl, flags_of(mdl), MDL_SOURCE_IS_NONPAGED_POOL,
           MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority));
    mdl = mdl_for(nonpaged(PAGE_SIZE), PAGE_SIZE);
    EXPECT(0xB3, mdl, flags_of(mdl), MDL_PAGES_LOCKED | MDL_PARTIAL,
           MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority));
    mdl = locked(nonpaged(PAGE_SIZE), PAGE_SIZE);
    EXPECT(0x81, mdl, flags_of(mdl), 0, MmMapLockedPages(mdl, KernelMode));
    mdl = locked(nonpaged(PAGE_SIZE), PAGE_SIZE);
    EXPECT(0x82, mdl, flags_of(mdl), 0, MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, TRUE, NormalPagePriority));
    mdl = locked(nonpaged(3 * PAGE_SIZE), 3 * PAGE_SIZE);
    MmGetMdlPfnArray(mdl)[1] = (PFN_NUMBER)1 << 40;
    EXPECT(0x89, mdl, &MmGetMdlPfnArray(mdl)[1], (PFN_NUMBER)1 << 40, (void)MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
    mdl = locked(nonpaged(2 * PAGE_SIZE), 2 * PAGE_SIZE);
    MmGetMdlPfnArray(mdl)[1] = 1; /* low memory, which goes last */
    EXPECT(0x85, mdl, 2, 1, (void)MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
    p = nonpaged(PAGE_SIZE);
    mdl = locked(p, PAGE_SIZE);
    part = mdl_for(p, 10);
    IoBuildPartialMdl(mdl, part, p, 10);
    seen = MmGetSystemAddressForMdlSafe(part, NormalPagePriority);
    EXPECT(0xB5, part, flags_of(part), MDL_PARTIAL, MmUnmapLockedPages(seen, part));
    p = nonpaged(PAGE_SIZE);
    mdl = locked(p, PAGE_SIZE);
    EXPECT(0xB6, mdl, flags_of(mdl), MDL_MAPPED_TO_SYSTEM_VA, MmUnmapLockedPages(p, mdl));
    unsigned char *user = user_pages(PAGE_SIZE); /* nothing of this MDL's */
    mdl = locked(nonpaged(PAGE_SIZE), PAGE_SIZE);
    EXPECT(0xB9, user, mdl, 0, MmUnmapLockedPages(user, mdl));
    mdl = locked(nonpaged(PAGE_SIZE), PAGE_SIZE);
    assert_non_null(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
    mdl->MdlFlags = (CSHORT)(mdl->MdlFlags & ~MDL_PAGES_LOCKED);
    EXPECT(0xB8, mdl, flags_of(mdl), 0, IoFreeMdl(mdl));
}

static void levels_of_mdl_routines(void **state)
{
    (void)state;
    const KIRQL high = DISPATCH_LEVEL + 1;
    PMDL        mdl = mdl_for(nonpaged(PAGE_SIZE), PAGE_SIZE);
    char       *p;
    raise_to(high);
    EXPECT(0x70, high, mdl, KernelMode, MmProbeAndLockPages(mdl, KernelMode, IoReadAccess));
    mdl = mdl_for(nonpaged(PAGE_SIZE), PAGE_SIZE);
    raise_to(high);
    EXPECT(0x71, high, mdl, PsInitialSystemProcess, MmProbeAndLockProcessPages(mdl, PsInitialSystemProcess, KernelMode, IoReadAccess));
    mdl = mdl_for(nonpaged(PAGE_SIZE), PAGE_SIZE);
    raise_to(DISPATCH_LEVEL);
    EXPECT_CODE(0x72, MmProbeAndLockSelectedPages(mdl, NULL, KernelMode, IoReadAccess));
    raise_to(high);
    EXPECT(0x73, high, 0x1000, 7, MmMapIoSpace((PHYSICAL_ADDRESS){ .QuadPart = 0x1000 }, 7, MmNonCached));
    mdl = locked(nonpaged(PAGE_SIZE), PAGE_SIZE);
    raise_to(high);
    EXPECT(0x74, high, mdl, KernelMode, MmMapLockedPages(mdl, KernelMode));
    mdl = locked(nonpaged(PAGE_SIZE), PAGE_SIZE);
    raise_to(DISPATCH_LEVEL);
    EXPECT(0x75, DISPATCH_LEVEL, mdl, UserMode, MmMapLockedPages(mdl, UserMode));
    mdl = locked(nonpaged(PAGE_SIZE), PAGE_SIZE);
    raise_to(high);
    EXPECT(0x76, high, mdl, KernelMode, MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority));
    mdl = locked(nonpaged(PAGE_SIZE), PAGE_SIZE);
    raise_to(DISPATCH_LEVEL);
    EXPECT(0x77, DISPATCH_LEVEL, mdl, UserMode, MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, NULL, FALSE, NormalPagePriority));
    mdl = locked(nonpaged(PAGE_SIZE), PAGE_SIZE);
    raise_to(high);
    EXPECT(0x78, high, mdl, 0, MmUnlockPages(mdl));
    mdl = locked(nonpaged(PAGE_SIZE), PAGE_SIZE);
    p = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    raise_to(high);
    EXPECT(0x79, high, p, mdl, MmUnmapLockedPages(p, mdl));
    user_pages(PAGE_SIZE);
    mdl = locked(nonpaged(PAGE_SIZE), PAGE_SIZE);
    p = MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, NULL, FALSE, NormalPagePriority);
    raise_to(DISPATCH_LEVEL);
    EXPECT(0x7A, DISPATCH_LEVEL, p, mdl, MmUnmapLockedPages(p, mdl));
    raise_to(high);
    EXPECT(0x7E, high, DISPATCH_LEVEL, 0, MmAllocatePagesForMdlEx(ZERO, ANYWHERE, ZERO, PAGE_SIZE, MmCached, 0));
}

static void io_space(void **state)
{
    (void)state;
    const uint64_t   window = (uint64_t)1 << 40;
    PHYSICAL_ADDRESS at = { .QuadPart = (LONGLONG)window };
    char            *p;
    assert_int_equal(ntmm_io_space_add(window, PAGE_SIZE), 0);
    p = MmMapIoSpace(at, PAGE_SIZE, MmNonCached);
    assert_non_null(p);
    raise_to(DISPATCH_LEVEL); /* allowed by its own page, but not by the verifier's */
    EXPECT(0x7B, DISPATCH_LEVEL, p, PAGE_SIZE, MmUnmapIoSpace(p, PAGE_SIZE));
    at.QuadPart = 4 * PAGE_SIZE; /* RAM that nobody has */
    EXPECT(0x83, 4 * PAGE_SIZE, 100, 4, MmMapIoSpace(at, 100, MmCached));
}

/* ---- routines of the driver ---- */

static DRIVER_OBJECT driver;
static DEVICE_OBJECT device;
static bool          completes_raised;

static NTSTATUS dispatch_and_stay(PDEVICE_OBJECT target, PIRP irp)
{
    (void)target;
    irp->IoStatus.Status = STATUS_SUCCESS;
    if (irp->UserIosb == NULL)
        KeEnterCriticalRegion();
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}
static NTSTATUS complete_and_stay(PDEVICE_OBJECT target, PIRP irp, PVOID context)
{
    (void)target, (void)irp, (void)context;
    if (completes_raised)
        raise_to(DISPATCH_LEVEL);
    else
        KeEnterGuardedRegion();
    return STATUS_MORE_PROCESSING_REQUIRED;
}
static NTSTATUS complete_and_keep(PDEVICE_OBJECT target, PIRP irp, PVOID context)
{
    (void)target, (void)irp, (void)context;
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* UserIosb tells the dispatch routine to do no harm. */
static PIRP request(PIO_COMPLETION_ROUTINE completion, bool ex, PVOID iosb)
{
    driver.MajorFunction[IRP_MJ_READ] = dispatch_and_stay;
    device = (DEVICE_OBJECT){ .Type = IO_TYPE_DEVICE, .DriverObject = &driver, .StackSize = 1 };
    PIRP irp = IoAllocateIrp(1, FALSE);
    irp->UserIosb = iosb;
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
    if (ex)
        assert_int_equal(IoSetCompletionRoutineEx(&device, irp, completion, NULL, TRUE, TRUE, TRUE), STATUS_SUCCESS);
    else
        IoSetCompletionRoutine(irp, completion, NULL, TRUE, TRUE, TRUE);
    return irp;
}

static void routines_return_as_they_were_called(void **state)
{
    const ULONG_PTR critical = 0xFFFF, guarded = 0xFFFF0000u; /* -1 in one half of the count */
    IO_STATUS_BLOCK block;
    (void)state;
    PIRP irp = request(complete_and_keep, false, NULL);
    EXPECT(0xC5, (uintptr_t)dispatch_and_stay, critical, 0, IoCallDriver(&device, irp));
    for (volatile int ex = 0; ex < 2; ex++) {
        completes_raised = false;
        irp = request(complete_and_stay, ex != 0, &block);
        EXPECT(0xFB, (uintptr_t)complete_and_stay, guarded, 0, IoCallDriver(&device, irp));
        completes_raised = true;
        irp = request(complete_and_stay, ex != 0, &block);
        EXPECT(0xFA, (uintptr_t)complete_and_stay, PASSIVE_LEVEL, DISPATCH_LEVEL, IoCallDriver(&device, irp));
    }
    irp = request(complete_and_keep, true, &block);
    assert_no_bugcheck(IoCallDriver(&device, irp));
    IoFreeIrp(irp);
}

static BOOLEAN serve_and_stay(PKINTERRUPT interrupt, PVOID context)
{
    (void)interrupt, (void)context;
    raise_to(9);
    return TRUE;
}
static void a_service_routine_returns_raised(void **state)
{
    PKINTERRUPT interrupt;
    (void)state;
    assert_int_equal(IoConnectInterrupt(&interrupt, serve_and_stay, NULL, NULL, 1, 4, 5, Latched, FALSE, 1, FALSE), STATUS_SUCCESS);
    EXPECT(0x111, (uintptr_t)serve_and_stay, 5, 9, ntmm_fire_interrupt(interrupt));
}

static VOID never_runs(PVOID unused) { (void)unused; }
static void a_work_item_in_pageable_memory(void **state)
{
    (void)state;
    PWORK_QUEUE_ITEM item = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *item, TAG);
    ExInitializeWorkItem(item, never_runs, NULL);
    EXPECT(0x131, item, 0, 0, ExQueueWorkItem(item, DelayedWorkQueue));
}

/* ---- what is right passes, and what is unmapped is gone ---- */

static void a_driver_without_mistakes_passes(void **state)
{
    (void)state;
    KIRQL old;
    char *p = nonpaged(2 * PAGE_SIZE), *seen, *again;
    PMDL  mdl = locked(p, 2 * PAGE_SIZE), part = mdl_for(p, 2 * PAGE_SIZE), pages;
    seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    assert_true(seen != NULL && seen != p); /* a mapping of its own */
    p[PAGE_SIZE] = 7;
    assert_int_equal(seen[PAGE_SIZE], 7);
    IoBuildPartialMdl(mdl, part, p + PAGE_SIZE, 10);
    assert_ptr_equal(MmGetSystemAddressForMdlSafe(part, NormalPagePriority), seen + PAGE_SIZE);
    IoFreeMdl(part);
    MmUnmapLockedPages(seen, mdl);
    again = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_int_equal(again[PAGE_SIZE], 7);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    pages = MmAllocatePagesForMdlEx(ZERO, ANYWHERE, ZERO, 3 * PAGE_SIZE, MmCached, 0);
    assert_non_null(MmGetSystemAddressForMdlSafe(pages, NormalPagePriority));
    MmFreePagesFromMdl(pages);
    ExFreePool(pages);
    ExFreePool(p);
    KeInitializeSpinLock(&lock);
    KeAcquireSpinLock(&lock, &old);
    KeReleaseSpinLock(&lock, old);
    ExInitializeFastMutex(&mutex);
    ExAcquireFastMutex(&mutex);
    ExReleaseFastMutex(&mutex);
    ExInitializeResourceLite(&resource);
    ExEnterCriticalRegionAndAcquireResourceExclusive(&resource);
    ExReleaseResourceAndLeaveCriticalRegion(&resource);
    ExDeleteResourceLite(&resource);
    assert_true(ntmm_check());
}

/* MDLs that no MmProbeAndLockPages has locked: of registers, and of nonpaged pool that an application sees. */
static void mdls_of_other_kinds_pass(void **state)
{
    (void)state;
    const uint64_t           window = (uint64_t)1 << 40;
    MM_PHYSICAL_ADDRESS_LIST list[] = { { { .QuadPart = (LONGLONG)window }, PAGE_SIZE } };
    PMDL                     mdl;
    assert_int_equal(ntmm_io_space_add(window, PAGE_SIZE), 0);
    assert_int_equal(MmAllocateMdlForIoSpace(list, 1, &mdl), STATUS_SUCCESS);
    char *seen = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmNonCached, NULL, FALSE, NormalPagePriority);
    assert_non_null(seen);
    MmUnmapLockedPages(seen, mdl);
    IoFreeMdl(mdl);
    user_pages(PAGE_SIZE);
    char *p = nonpaged(PAGE_SIZE);
    mdl = mdl_for(p, PAGE_SIZE);
    MmBuildMdlForNonPagedPool(mdl);
    seen = MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, NULL, FALSE, NormalPagePriority);
    poke(seen, 5);
    assert_int_equal(*p, 5);
    MmUnmapLockedPages(seen, mdl);
    IoFreeMdl(mdl);
    ExFreePool(p);
    ntmm_process *process = (ntmm_process *)(void *)PsGetCurrentProcess();
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process);
    assert_true(ntmm_check());
}

static void what_is_unmapped_is_gone(void **state)
{
    (void)state;
    for (int paged = 0; paged < 2; paged++) {
        char *p = ExAllocatePool2(paged ? POOL_FLAG_PAGED : POOL_FLAG_NON_PAGED, PAGE_SIZE, TAG);
        PMDL  mdl = locked(p, PAGE_SIZE);
        char *seen = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
        poke(seen, 1);
        MmUnlockPages(mdl);
        assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, (uintptr_t)seen, poke(seen, 2));
        ntmm_cmocka_reboot();
    }
}

#define VERIFIED_TEST(test) ntmm_cmocka_test_config(test, &VERIFIED)

int main(void)
{
    setenv("PATH", "/nonexistent", 1); /* a hundred stops: their reports do without the lines of addr2line */
    const struct CMUnitTest tests[] = {
        VERIFIED_TEST(a_driver_without_mistakes_passes),
        VERIFIED_TEST(mdls_of_other_kinds_pass),
        VERIFIED_TEST(what_is_unmapped_is_gone),
        VERIFIED_TEST(pool_mistakes),
        VERIFIED_TEST(levels),
        ntmm_cmocka_test_config(before_windows_7, &OLD),
        VERIFIED_TEST(a_dpc_waits),
        VERIFIED_TEST(locks),
        VERIFIED_TEST(push_locks),
        VERIFIED_TEST(lists_and_resources),
        VERIFIED_TEST(odd_resources_and_dead_objects),
        ntmm_cmocka_test_config(what_forced_irql_checking_adds, &FORCED),
        VERIFIED_TEST(mdls_are_locked_and_unlocked_once),
        VERIFIED_TEST(mdls_are_mapped_and_unmapped_once),
        VERIFIED_TEST(levels_of_mdl_routines),
        VERIFIED_TEST(io_space),
        VERIFIED_TEST(routines_return_as_they_were_called),
        VERIFIED_TEST(a_service_routine_returns_raised),
        VERIFIED_TEST(a_work_item_in_pageable_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
