/*
 * test_io_section.c - section objects as a driver uses them: every status of the routines that make and map them, names, files, system views,
 * and what a file system may ask. Runs with 4 and 16 KiB pages.
 */
#define NTMM_USES_TRY
#include <fcntl.h>
#include <ntifs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "../support/exceptions.h"
#include "../support/levels.h"

#define GRANULE 0x10000u

static char path[64];

static NTSTATUS touch(PVOID va, bool write) /* 0, or what it raised */
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    __try {
        if (write)
            write_at(va);
        else
            read_at(va);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        status = GetExceptionCode();
    }
    return status;
}
static UNCHECKED void          poke(PVOID va, size_t at, unsigned char byte) { ((volatile unsigned char *)va)[at] = byte; }
static UNCHECKED unsigned char peek(PVOID va, size_t at) { return ((volatile unsigned char *)va)[at]; }

static OBJECT_ATTRIBUTES kernel_handle(PUNICODE_STRING name, ULONG more)
{
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, name, OBJ_KERNEL_HANDLE | more, NULL, NULL);
    return attributes;
}

static NTSTATUS create(HANDLE *section, uint64_t bytes, ULONG protect, ULONG attributes, HANDLE file)
{
    OBJECT_ATTRIBUTES object = kernel_handle(NULL, 0);
    LARGE_INTEGER     size = { .QuadPart = (LONGLONG)bytes };
    return ZwCreateSection(section, SECTION_ALL_ACCESS, &object, bytes != 0 ? &size : NULL, protect, attributes, file);
}
static HANDLE section_of(uint64_t bytes)
{
    HANDLE section;
    assert_int_equal(create(&section, bytes, PAGE_READWRITE, SEC_COMMIT, NULL), STATUS_SUCCESS);
    return section;
}
static PVOID object_of(HANDLE handle, POBJECT_TYPE type)
{
    PVOID object = NULL;
    assert_int_equal(ObReferenceObjectByHandle(handle, 0, type, KernelMode, &object, NULL), STATUS_SUCCESS);
    return object;
}

static NTSTATUS map_at(HANDLE section, PVOID *base, uint64_t offset, SIZE_T *bytes, ULONG type, ULONG protect)
{
    LARGE_INTEGER at = { .QuadPart = (LONGLONG)offset };
    return ZwMapViewOfSection(section, NtCurrentProcess(), base, 0, 0, &at, bytes, ViewUnmap, type, protect);
}
static PVOID map(HANDLE section, ULONG protect)
{
    PVOID  base = NULL;
    SIZE_T bytes = 0;
    assert_int_equal(map_at(section, &base, 0, &bytes, 0, protect), STATUS_SUCCESS);
    return base;
}
static void unmap(PVOID base) { assert_int_equal(ZwUnmapViewOfSection(NtCurrentProcess(), base), STATUS_SUCCESS); }

static void make_file(size_t bytes)
{
    snprintf(path, sizeof path, "/tmp/ntmm-section-%d", (int)getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    if (bytes > 3)
        assert_int_equal(pwrite(fd, "abc", 3, 0), 3);
    close(fd);
}
static HANDLE open_file(bool writable)
{
    HANDLE file;
    assert_int_equal(ntmm_file_open(path, writable, &file), 0);
    return file;
}
static unsigned char byte_of_file(uint64_t at)
{
    unsigned char byte = 0;
    int           fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    close(fd);
    return byte;
}
static off_t size_of_file(void)
{
    int   fd = open(path, O_RDONLY);
    off_t bytes = lseek(fd, 0, SEEK_END);
    close(fd);
    return bytes;
}

/* ---- creating ---- */

static void what_is_wrong_with_a_request(void **state)
{
    static const struct {
        uint64_t bytes;
        ULONG    protect, attributes;
        NTSTATUS status;
    } CASES[] = {
        { 100, PAGE_READWRITE, SEC_COMMIT, STATUS_SUCCESS },
        { 100, PAGE_READONLY, SEC_RESERVE, STATUS_SUCCESS },
        { 100, PAGE_WRITECOPY, SEC_COMMIT | SEC_NOCACHE, STATUS_SUCCESS },
        { 100, PAGE_EXECUTE_READWRITE, SEC_COMMIT, STATUS_SUCCESS },
        { 100, 0, SEC_COMMIT, STATUS_INVALID_PAGE_PROTECTION },
        { 100, PAGE_NOACCESS, SEC_COMMIT, STATUS_INVALID_PAGE_PROTECTION },
        { 100, PAGE_READONLY | PAGE_READWRITE, SEC_COMMIT, STATUS_INVALID_PAGE_PROTECTION },
        { 100, PAGE_READWRITE | PAGE_GUARD, SEC_COMMIT, STATUS_INVALID_PAGE_PROTECTION },
        { 100, PAGE_READWRITE, 0, STATUS_INVALID_PARAMETER_6 },
        { 100, PAGE_READWRITE, SEC_COMMIT | SEC_RESERVE, STATUS_INVALID_PARAMETER_6 },
        { 100, PAGE_READWRITE, SEC_COMMIT | 1, STATUS_INVALID_PARAMETER_6 },
        { 0, PAGE_READWRITE, SEC_COMMIT, STATUS_INVALID_PARAMETER_4 },
        { 100, PAGE_READWRITE, SEC_IMAGE, STATUS_INVALID_FILE_FOR_SECTION },
        { UINT64_C(1) << 40, PAGE_READWRITE, SEC_RESERVE, STATUS_SECTION_TOO_BIG },
        { UINT64_C(1) << 63, PAGE_READWRITE, SEC_RESERVE, STATUS_SECTION_TOO_BIG },
        { UINT64_C(300) << 20, PAGE_READWRITE, SEC_COMMIT, STATUS_COMMITMENT_LIMIT }, /* 64 MiB of RAM, as much page file */
        { UINT64_C(300) << 20, PAGE_READWRITE, SEC_RESERVE, STATUS_SUCCESS },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        HANDLE section = (HANDLE)1;
        assert_int_equal(create(&section, CASES[i].bytes, CASES[i].protect, CASES[i].attributes, NULL), CASES[i].status);
        if (NT_SUCCESS(CASES[i].status))
            assert_int_equal(ZwClose(section), STATUS_SUCCESS);
        else
            assert_null(section);
    }
    HANDLE section;
    assert_int_equal(create(&section, 100, PAGE_READWRITE, SEC_COMMIT, (HANDLE)0x12340), STATUS_INVALID_HANDLE);
    HANDLE other = section_of(1);
    assert_int_equal(create(&section, 100, PAGE_READWRITE, SEC_COMMIT, other), STATUS_INVALID_FILE_FOR_SECTION);
    ZwClose(other);
    OBJECT_ATTRIBUTES object = kernel_handle(NULL, 0);
    LARGE_INTEGER     size = { .QuadPart = 100 };
    object.Length--;
    assert_int_equal(ZwCreateSection(&section, 0, &object, &size, PAGE_READWRITE, SEC_COMMIT, NULL), STATUS_INVALID_PARAMETER);
    assert_true(ntmm_check());
}

static void a_section_lives_as_long_as_its_views(void **state)
{
    (void)state;
    ntmm_memory_usage usage;
    ZwClose(section_of(1)); /* the pools keep a page for the next time */
    ntmm_query_memory(&usage);
    uint64_t committed = usage.committed;
    HANDLE   section = section_of(3 * PAGE_SIZE - 100);
    PVOID    view = map(section, PAGE_READWRITE), second = map(section, PAGE_READONLY);
    assert_ptr_not_equal(view, second);
    poke(view, 3 * PAGE_SIZE - 1, 7); /* rounded up to a page */
    assert_int_equal(touch((char *)view + 3 * PAGE_SIZE, false), STATUS_ACCESS_VIOLATION);
    assert_int_equal(ZwClose(section), STATUS_SUCCESS);
    ntmm_page_out();
    assert_int_equal(peek(second, 3 * PAGE_SIZE - 1), 7);
    assert_int_equal(touch(second, true), STATUS_ACCESS_VIOLATION);
    assert_int_equal(ZwUnmapViewOfSection(NtCurrentProcess(), (char *)view + PAGE_SIZE + 5), STATUS_SUCCESS); /* any address of it */
    assert_int_equal(ZwUnmapViewOfSection(NtCurrentProcess(), view), STATUS_NOT_MAPPED_VIEW);
    unmap(second);
    ntmm_query_memory(&usage);
    assert_int_equal(usage.committed, committed);
    assert_int_equal(ZwUnmapViewOfSection((HANDLE)0x12340, view), STATUS_INVALID_HANDLE);
    assert_int_equal(ZwUnmapViewOfSection(NtCurrentProcess(), (PVOID)(uintptr_t)UINT64_C(0xFFFF800000000000)), STATUS_NOT_MAPPED_VIEW);
    assert_true(ntmm_check());
}

static void what_is_wrong_with_a_view(void **state)
{
    (void)state;
    HANDLE section = section_of(4 * GRANULE), read_only;
    PVOID  base = NULL;
    SIZE_T bytes = 0;
    assert_int_equal(create(&read_only, GRANULE, PAGE_READONLY, SEC_COMMIT, NULL), STATUS_SUCCESS);
    assert_int_equal(map_at(section, &base, 0, &bytes, MEM_COMMIT, PAGE_READWRITE), STATUS_INVALID_PARAMETER_9);
    assert_int_equal(map_at(section, &base, 0, &bytes, MEM_LARGE_PAGES, PAGE_READWRITE), STATUS_INVALID_PARAMETER_9);
    assert_int_equal(map_at(section, &base, 0, &bytes, 0, 0), STATUS_INVALID_PAGE_PROTECTION);
    assert_int_equal(map_at(section, &base, 0, &bytes, 0, PAGE_EXECUTE_READ), STATUS_SECTION_PROTECTION);
    assert_int_equal(map_at(read_only, &base, 0, &bytes, 0, PAGE_READWRITE), STATUS_SECTION_PROTECTION);
    assert_int_equal(map_at(section, &base, 4 * GRANULE, &bytes, 0, PAGE_READWRITE), STATUS_INVALID_VIEW_SIZE);
    const SIZE_T too_large[] = { 4 * GRANULE + 1, SIZE_MAX, SIZE_MAX - PAGE_SIZE + 1, SIZE_MAX - GRANULE };
    for (size_t i = 0; i < sizeof too_large / sizeof too_large[0]; i++) {
        bytes = too_large[i];
        assert_int_equal(map_at(section, &base, i == 3 ? GRANULE + 5 : 0, &bytes, 0, PAGE_READWRITE), STATUS_INVALID_VIEW_SIZE);
    }
    bytes = 4 * GRANULE + 1;
    assert_null(base);
    bytes = 0;
    assert_int_equal(ZwMapViewOfSection(section, NtCurrentProcess(), &base, 21, 0, NULL, &bytes, ViewUnmap, 0, PAGE_READWRITE),
                     STATUS_INVALID_PARAMETER_4);
    assert_int_equal(ZwMapViewOfSection(section, NtCurrentProcess(), &base, 0, 5 * GRANULE, NULL, &bytes, ViewUnmap, 0, PAGE_READWRITE),
                     STATUS_INVALID_PARAMETER_5);
    assert_int_equal(ZwMapViewOfSection(section, NtCurrentProcess(), &base, 0, 0, NULL, &bytes, (SECTION_INHERIT)3, 0, PAGE_READWRITE),
                     STATUS_INVALID_PARAMETER_8);
    assert_int_equal(ZwMapViewOfSection(section, (HANDLE)0x12340, &base, 0, 0, NULL, &bytes, ViewUnmap, 0, PAGE_READWRITE),
                     STATUS_INVALID_HANDLE);
    assert_int_equal(ZwMapViewOfSection((HANDLE)0x12340, NtCurrentProcess(), &base, 0, 0, NULL, &bytes, ViewUnmap, 0, PAGE_READWRITE),
                     STATUS_INVALID_HANDLE);
    PVOID lower = map(section, PAGE_READWRITE);
    assert_int_equal(map_at(section, &base, 0, &bytes, MEM_TOP_DOWN, PAGE_READWRITE), STATUS_SUCCESS);
    assert_true((uintptr_t)base > (uintptr_t)lower + 64 * GRANULE); /* from the other end */
    unmap(lower);
    PVOID  again = base;
    SIZE_T size = bytes;
    assert_int_equal(map_at(section, &again, 0, &size, 0, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    unmap(base);
    ZwClose(section);
    ZwClose(read_only);
    assert_true(ntmm_check());
}

/* ZeroBits leave that many bits of a 32-bit address clear: an address below them, or none. */
static void zero_bits_limit_the_address(void **state)
{
    (void)state;
    HANDLE section = section_of(GRANULE);
    for (ULONG_PTR bits = 1; bits <= 20; bits++) {
        PVOID    base = NULL;
        SIZE_T   bytes = 0;
        NTSTATUS status = ZwMapViewOfSection(section, NtCurrentProcess(), &base, bits, 0, NULL, &bytes, ViewUnmap, 0, PAGE_READWRITE);
        if (NT_SUCCESS(status))
            assert_true((uintptr_t)base + bytes <= UINT64_C(1) << (32 - bits));
        else
            assert_int_equal(status, STATUS_NO_MEMORY);
        if (NT_SUCCESS(status))
            unmap(base);
    }
    ZwClose(section);
}

static void large_pages_are_like_any_others(void **state)
{
    (void)state;
    HANDLE section;
    PVOID  base = NULL;
    SIZE_T bytes = 0;
    assert_int_equal(create(&section, GRANULE, PAGE_READWRITE, SEC_COMMIT | SEC_LARGE_PAGES, NULL), STATUS_SUCCESS);
    assert_int_equal(map_at(section, &base, 0, &bytes, MEM_LARGE_PAGES, PAGE_READWRITE), STATUS_SUCCESS);
    poke(base, 0, 3);
    unmap(base);
    ZwClose(section);
}

static void sizes_and_offsets_are_rounded(void **state)
{
    (void)state;
    HANDLE        section = section_of(4 * GRANULE);
    PVOID         all = map(section, PAGE_READWRITE), base = NULL;
    SIZE_T        bytes = 100;
    LARGE_INTEGER offset = { .QuadPart = 2 * GRANULE + 5000 };
    poke(all, 2 * GRANULE, 42);
    assert_int_equal(ZwMapViewOfSection(section, NtCurrentProcess(), &base, 0, 0, &offset, &bytes, ViewShare, 0, PAGE_READWRITE),
                     STATUS_SUCCESS);
    assert_int_equal(offset.QuadPart, 2 * GRANULE);
    assert_int_equal(bytes, ROUND_TO_PAGES(5100));
    assert_int_equal((uintptr_t)base % GRANULE, 0);
    assert_int_equal(peek(base, 0), 42);
    unmap(base);
    base = (char *)base + GRANULE + 12345;
    bytes = PAGE_SIZE;
    PVOID wanted = (PVOID)((uintptr_t)base / GRANULE * GRANULE);
    assert_int_equal(map_at(section, &base, 0, &bytes, 0, PAGE_READWRITE), STATUS_SUCCESS);
    assert_ptr_equal(base, wanted);
    unmap(base);
    unmap(all);
    ZwClose(section);
}

static void a_reserved_section_is_committed_by_who_maps_it(void **state)
{
    (void)state;
    HANDLE section;
    PVOID  base = NULL;
    SIZE_T bytes = 0;
    assert_int_equal(create(&section, 8 * PAGE_SIZE, PAGE_READWRITE, SEC_RESERVE, NULL), STATUS_SUCCESS);
    PVOID other = map(section, PAGE_READWRITE);
    assert_int_equal(touch(other, false), STATUS_ACCESS_VIOLATION);
    assert_int_equal(
        ZwMapViewOfSection(section, NtCurrentProcess(), &base, 0, PAGE_SIZE + 1, NULL, &bytes, ViewUnmap, MEM_RESERVE, PAGE_READWRITE),
        STATUS_SUCCESS);
    poke(base, PAGE_SIZE, 9);
    assert_int_equal(peek(other, PAGE_SIZE), 9); /* committed for everybody */
    assert_int_equal(touch((char *)base + 2 * PAGE_SIZE, false), STATUS_ACCESS_VIOLATION);
    unmap(base);
    unmap(other);
    ZwClose(section);
    assert_true(ntmm_check());
}

static void a_copying_view_is_its_own(void **state)
{
    (void)state;
    HANDLE section = section_of(PAGE_SIZE);
    PVOID  all = map(section, PAGE_READWRITE), own = map(section, PAGE_WRITECOPY);
    poke(own, 5, 1);
    assert_int_equal(peek(all, 5), 0);
    ntmm_fault_counts faults;
    ntmm_query_faults(&faults);
    assert_int_equal(faults.copy_on_write, 1);
    unmap(own);
    unmap(all);
    ZwClose(section);
}

/* ---- other processes ---- */

static HANDLE handle_of(ntmm_process *process)
{
    HANDLE    handle;
    PEPROCESS object;
    ntmm_process_attach(process);
    object = PsGetCurrentProcess();
    ntmm_process_attach(NULL);
    assert_int_equal(ObOpenObjectByPointer(object, OBJ_KERNEL_HANDLE, NULL, PROCESS_ALL_ACCESS, *PsProcessType, KernelMode, &handle),
                     STATUS_SUCCESS);
    return handle;
}

static void views_in_another_process(void **state)
{
    (void)state;
    ntmm_process *process = ntmm_process_create();
    HANDLE        handle = handle_of(process), section = section_of(2 * PAGE_SIZE);
    PVOID         here = map(section, PAGE_READWRITE), there = NULL, again = NULL, secure;
    SIZE_T        bytes = 0;
    assert_int_equal(ZwMapViewOfSection(section, handle, &there, 0, 0, NULL, &bytes, ViewUnmap, 0, PAGE_READWRITE), STATUS_SUCCESS);
    assert_int_equal(bytes, 2 * PAGE_SIZE);
    assert_int_equal(ZwUnmapViewOfSection(NtCurrentProcess(), there), STATUS_NOT_MAPPED_VIEW); /* not in this one */
    poke(here, 3, 33);
    ntmm_process_attach(process);
    assert_int_equal(peek(there, 3), 33);
    secure = MmSecureVirtualMemory(there, PAGE_SIZE, PAGE_READWRITE);
    assert_non_null(secure);
    assert_int_equal(ZwUnmapViewOfSection(NtCurrentProcess(), there), STATUS_ACCESS_DENIED);
    MmUnsecureVirtualMemory(secure);
    assert_int_equal(ZwUnmapViewOfSection(NtCurrentProcess(), there), STATUS_SUCCESS);
    there = NULL;
    assert_int_equal(ZwMapViewOfSection(section, NtCurrentProcess(), &there, 0, 0, NULL, &bytes, ViewUnmap, 0, PAGE_READWRITE),
                     STATUS_SUCCESS);
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process); /* its views go with it */
    assert_int_equal(ZwMapViewOfSection(section, handle, &again, 0, 0, NULL, &bytes, ViewUnmap, 0, PAGE_READWRITE),
                     STATUS_PROCESS_IS_TERMINATING);
    assert_int_equal(ZwUnmapViewOfSection(handle, there), STATUS_PROCESS_IS_TERMINATING);
    assert_int_equal(touch(there, false), STATUS_ACCESS_VIOLATION);
    ZwClose(handle);
    unmap(here);
    ZwClose(section);
    assert_true(ntmm_check());
}

static void private_memory_is_no_view(void **state)
{
    (void)state;
    PVOID  base = NULL;
    SIZE_T bytes = PAGE_SIZE;
    assert_int_equal(ZwAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE),
                     STATUS_SUCCESS);
    assert_int_equal(ZwUnmapViewOfSection(NtCurrentProcess(), base), STATUS_NOT_MAPPED_VIEW);
    bytes = 0;
    assert_int_equal(ZwFreeVirtualMemory(NtCurrentProcess(), &base, &bytes, MEM_RELEASE), STATUS_SUCCESS);
}

static void a_view_can_be_locked(void **state)
{
    (void)state;
    HANDLE section = section_of(2 * PAGE_SIZE);
    PVOID  object = object_of(section, NULL), base;
    SIZE_T bytes = 0;
    assert_int_equal(MmMapViewInSystemSpace(object, &base, &bytes), STATUS_SUCCESS);
    PMDL mdl = IoAllocateMdl(base, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    unsigned char *mapped = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_non_null(mapped);
    ntmm_page_out();
    mapped[PAGE_SIZE + 1] = 61;
    assert_int_equal(peek(base, PAGE_SIZE + 1), 61);
    assert_int_equal(MmUnmapViewInSystemSpace(base), STATUS_SUCCESS);
    ObDereferenceObject(object);
    ZwClose(section); /* the pages stay with the MDL */
    assert_true(ntmm_check());
    mapped[PAGE_SIZE] = 60;
    ntmm_page_out();
    assert_int_equal(mapped[PAGE_SIZE] + mapped[PAGE_SIZE + 1], 121);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    assert_true(ntmm_check());
}

/* ---- names ---- */

static void names_lead_to_sections(void **state)
{
    (void)state;
    UNICODE_STRING    name = RTL_CONSTANT_STRING(u"\\BaseNamedObjects\\Ring"), upper = RTL_CONSTANT_STRING(u"\\BASENAMEDOBJECTS\\RING");
    UNICODE_STRING    nowhere = RTL_CONSTANT_STRING(u"\\Nowhere\\Ring"), bare = RTL_CONSTANT_STRING(u"Ring");
    OBJECT_ATTRIBUTES object = kernel_handle(&name, 0), other = kernel_handle(&upper, 0), lost = kernel_handle(&nowhere, 0),
                      relative = kernel_handle(&bare, 0), nameless = kernel_handle(NULL, 0);
    LARGE_INTEGER size = { .QuadPart = PAGE_SIZE };
    HANDLE        first, second, third;
    assert_int_equal(ZwOpenSection(&second, SECTION_MAP_READ, &object), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(ZwOpenSection(&second, SECTION_MAP_READ, &lost), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_int_equal(ZwOpenSection(&second, SECTION_MAP_READ, &relative), STATUS_OBJECT_PATH_SYNTAX_BAD);
    assert_int_equal(ZwOpenSection(&second, SECTION_MAP_READ, &nameless), STATUS_OBJECT_PATH_SYNTAX_BAD);
    assert_int_equal(ZwCreateSection(&first, SECTION_ALL_ACCESS, &lost, &size, PAGE_READWRITE, SEC_COMMIT, NULL),
                     STATUS_OBJECT_PATH_NOT_FOUND);
    assert_int_equal(ZwCreateSection(&first, SECTION_ALL_ACCESS, &object, &size, PAGE_READWRITE, SEC_COMMIT, NULL), STATUS_SUCCESS);
    assert_int_equal(ZwCreateSection(&second, SECTION_ALL_ACCESS, &other, &size, PAGE_READWRITE, SEC_COMMIT, NULL),
                     STATUS_OBJECT_NAME_COLLISION);
    other.Attributes |= OBJ_OPENIF;
    assert_int_equal(ZwCreateSection(&second, SECTION_ALL_ACCESS, &other, &size, PAGE_READWRITE, SEC_COMMIT, NULL),
                     STATUS_OBJECT_NAME_EXISTS);
    assert_int_equal(ZwOpenSection(&third, SECTION_ALL_ACCESS, &object), STATUS_SUCCESS);
    PVOID a = map(first, PAGE_READWRITE), b = map(third, PAGE_READWRITE);
    poke(a, 1, 88);
    assert_int_equal(peek(b, 1), 88);
    ZwClose(first);
    ZwClose(second);
    assert_int_equal(ZwOpenSection(&first, SECTION_ALL_ACCESS, &object), STATUS_SUCCESS);
    ZwClose(first);
    ZwClose(third); /* the last handle: the name goes, the views stay */
    assert_int_equal(ZwOpenSection(&first, SECTION_ALL_ACCESS, &object), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(peek(b, 1), 88);
    unmap(a);
    unmap(b);
    assert_true(ntmm_check());
}

static void nt_and_extended_parameters(void **state)
{
    (void)state;
    HANDLE                 section;
    LARGE_INTEGER          size = { .QuadPart = PAGE_SIZE };
    MEM_EXTENDED_PARAMETER parameters[2] = { { .Type = MemExtendedParameterNumaNode } };
    assert_int_equal(NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, NULL), STATUS_SUCCESS);
    ZwClose(section);
    assert_int_equal(NtCreateSectionEx(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, NULL, parameters, 1),
                     STATUS_SUCCESS);
    ZwClose(section);
    parameters[1] = parameters[0];
    assert_int_equal(NtCreateSectionEx(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, NULL, parameters, 2),
                     STATUS_INVALID_PARAMETER);
    parameters[0].Type = MemExtendedParameterMax;
    assert_int_equal(NtCreateSectionEx(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, NULL, parameters, 1),
                     STATUS_INVALID_PARAMETER);
    parameters[0].Type = MemExtendedParameterPartitionHandle;
    assert_int_equal(NtCreateSectionEx(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, NULL, parameters, 1),
                     STATUS_NOT_SUPPORTED);
    assert_int_equal(NtCreateSectionEx(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, NULL, NULL, 1),
                     STATUS_INVALID_PARAMETER);
    assert_int_equal(VslCreateSecureSection(&section, NULL, NULL, PAGE_READWRITE, 0), STATUS_NOT_SUPPORTED);
    assert_int_equal(VslDeleteSecureSection(NULL), STATUS_NOT_SUPPORTED);
    assert_false(MmIsRecursiveIoFault());
}

/* ---- files ---- */

static void a_section_over_a_file(void **state)
{
    (void)state;
    HANDLE section, second;
    make_file(2 * PAGE_SIZE + 10);
    HANDLE file = open_file(true);
    assert_int_equal(create(&section, 0, PAGE_READWRITE, SEC_COMMIT, file), STATUS_SUCCESS);
    assert_int_equal(ZwClose(file), STATUS_SUCCESS);
    PVOID view = map(section, PAGE_READWRITE);
    assert_int_equal(peek(view, 1), 'b');
    poke(view, 2 * PAGE_SIZE, 200);
    file = open_file(false); /* the same file: the same pages */
    assert_int_equal(create(&second, 0, PAGE_READONLY, SEC_COMMIT, file), STATUS_SUCCESS);
    PVOID other = map(second, PAGE_READONLY);
    assert_int_equal(peek(other, 2 * PAGE_SIZE), 200);
    assert_int_equal(byte_of_file(2 * PAGE_SIZE), 0);
    unmap(view);
    unmap(other);
    ZwClose(section);
    ZwClose(second);
    ZwClose(file);
    assert_int_equal(byte_of_file(2 * PAGE_SIZE), 200);
    assert_int_equal(size_of_file(), 2 * PAGE_SIZE + 10);
    assert_true(ntmm_check());
}

static void what_is_wrong_with_a_file(void **state)
{
    (void)state;
    HANDLE section, file, folder;
    make_file(0);
    file = open_file(true);
    assert_int_equal(create(&section, 0, PAGE_READWRITE, SEC_COMMIT, file), STATUS_MAPPED_FILE_SIZE_ZERO);
    assert_int_equal(create(&section, 100, PAGE_READONLY, SEC_COMMIT, file), STATUS_SECTION_TOO_BIG);
    assert_int_equal(create(&section, UINT64_C(1) << 40, PAGE_READWRITE, SEC_COMMIT, file), STATUS_SECTION_TOO_BIG);
    assert_int_equal(create(&section, 100, PAGE_READWRITE, SEC_COMMIT, file), STATUS_SUCCESS); /* it grows */
    assert_int_equal(size_of_file(), 100);
    assert_int_equal(create(&folder, 3 * PAGE_SIZE, PAGE_READWRITE, SEC_COMMIT, file), STATUS_SECTION_NOT_EXTENDED);
    ZwClose(section);
    assert_int_equal(create(&section, 3 * PAGE_SIZE, PAGE_READWRITE, SEC_COMMIT, file), STATUS_SUCCESS);
    ZwClose(section);
    ZwClose(file);
    file = open_file(false);
    assert_int_equal(create(&section, 0, PAGE_READWRITE, SEC_COMMIT, file), STATUS_ACCESS_DENIED);
    assert_int_equal(create(&section, 0, PAGE_WRITECOPY, SEC_COMMIT, file), STATUS_SUCCESS);
    ZwClose(section);
    assert_int_equal(create(&section, 0, PAGE_READONLY, SEC_IMAGE, file), STATUS_INVALID_IMAGE_NOT_MZ);
    int fd = open(path, O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(create(&section, 0, PAGE_READONLY, SEC_COMMIT, file), STATUS_FILE_LOCK_CONFLICT);
    assert_int_equal(pwrite(fd, "MZ", 2, 0), 2);
    close(fd);
    assert_int_equal(create(&section, 0, PAGE_READONLY, SEC_IMAGE, file), STATUS_NOT_SUPPORTED);
    ZwClose(file);
    assert_int_equal(ntmm_file_open("/tmp", false, &folder), 0);
    assert_int_equal(create(&section, 100, PAGE_READONLY, SEC_COMMIT, folder), STATUS_INVALID_FILE_FOR_SECTION);
    ZwClose(folder);
    assert_true(ntmm_file_open("/tmp/ntmm/not/there", false, &file) < 0);
    assert_null(file);
    assert_non_null(strstr(ntmm_error(), "/tmp/ntmm/not/there"));
    assert_true(ntmm_check());
}

static void views_outlive_file_and_section(void **state)
{
    (void)state;
    HANDLE section;
    make_file(PAGE_SIZE);
    HANDLE file = open_file(true);
    assert_int_equal(create(&section, 0, PAGE_READWRITE, SEC_COMMIT, file), STATUS_SUCCESS);
    PVOID view = map(section, PAGE_READWRITE);
    ZwClose(section);
    ZwClose(file);
    poke(view, 7, 77);
    file = open_file(true); /* opened again: it shows what the view shows */
    assert_int_equal(create(&section, 0, PAGE_READWRITE, SEC_COMMIT, file), STATUS_SUCCESS);
    PVOID second = map(section, PAGE_READWRITE);
    assert_int_equal(peek(second, 7), 77);
    unmap(view);
    unmap(second);
    ZwClose(section);
    ZwClose(file);
    assert_int_equal(byte_of_file(7), 77);
}

static void what_a_file_system_asks(void **state)
{
    (void)state;
    HANDLE        section;
    LARGE_INTEGER one = { .QuadPart = PAGE_SIZE }, four = { .QuadPart = 4 * PAGE_SIZE };
    make_file(4 * PAGE_SIZE);
    HANDLE                   file = open_file(true);
    PFILE_OBJECT             object = object_of(file, *IoFileObjectType);
    PSECTION_OBJECT_POINTERS pointers = object->SectionObjectPointer;
    assert_non_null(pointers);
    assert_true(object->WriteAccess && object->ReadAccess);
    assert_null(pointers->DataSectionObject);
    assert_true(MmCanFileBeTruncated(pointers, NULL) && MmForceSectionClosed(pointers, FALSE) &&
                MmFlushImageSection(pointers, MmFlushForDelete));
    assert_int_equal(MmDoesFileHaveUserWritableReferences(pointers), 0);
    READ_LIST *list = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *list + sizeof list->List[0], NTMM_TAG("Read"));
    list->FileObject = object;
    list->NumberOfEntries = 2;
    PFILE_SEGMENT_ELEMENT pages = list->List;
    pages[0].Alignment = PAGE_SIZE;
    pages[1].Alignment = 3 * PAGE_SIZE;
    assert_int_equal(MmPrefetchPages(1, &list), STATUS_INVALID_PARAMETER_1); /* no section yet */

    assert_int_equal(create(&section, 0, PAGE_READWRITE, SEC_COMMIT, file), STATUS_SUCCESS);
    assert_non_null(pointers->DataSectionObject);
    assert_false(MmCanFileBeTruncated(pointers, &one)); /* a section is open */
    assert_true(MmCanFileBeTruncated(pointers, &four));
    assert_false(MmForceSectionClosed(pointers, FALSE));
    assert_int_equal(MmDoesFileHaveUserWritableReferences(pointers), 1);
    assert_int_equal(MmPrefetchPages(1, &list), STATUS_SUCCESS);
    PVOID             view = map(section, PAGE_READWRITE);
    ntmm_fault_counts before, after;
    ntmm_query_faults(&before);
    peek(view, PAGE_SIZE);
    ntmm_query_faults(&after);
    assert_int_equal(after.hard, before.hard);
    assert_int_equal(MmDoesFileHaveUserWritableReferences(pointers), 2);
    assert_false(MmFlushImageSection(pointers, MmFlushForDelete));
    assert_true(MmFlushImageSection(pointers, MmFlushForWrite));
    ZwClose(section);
    assert_false(MmCanFileBeTruncated(pointers, &one)); /* the view shows what would go */
    assert_false(MmForceSectionClosedEx(pointers, MM_FORCE_CLOSED_DATA | MM_FORCE_CLOSED_LATER_OK));
    assert_true(MmForceSectionClosedEx(pointers, MM_FORCE_CLOSED_IMAGE));
    unmap(view);
    assert_true(MmCanFileBeTruncated(pointers, &one));
    assert_true(MmForceSectionClosed(pointers, FALSE));
    assert_null(pointers->DataSectionObject);
    assert_true(MmGetMaximumFileSectionSize() >= UINT64_C(1) << 30);
    ExFreePool(list);
    ObDereferenceObject(object);
    ZwClose(file);
    assert_true(ntmm_check());
}

/* ---- system space ---- */

static void a_view_in_system_space(void **state)
{
    (void)state;
    HANDLE section = section_of(3 * PAGE_SIZE), read_only;
    PVOID  object = object_of(section, *MmSectionObjectType), base, second;
    SIZE_T bytes = 0, two = PAGE_SIZE + 1, large = 3 * PAGE_SIZE + 1;
    assert_int_equal(MmMapViewInSystemSpace(object, &base, &bytes), STATUS_SUCCESS);
    assert_int_equal(bytes, 3 * PAGE_SIZE);
    assert_int_equal(MmMapViewInSessionSpace(object, &second, &two), STATUS_SUCCESS);
    assert_int_equal(two, 2 * PAGE_SIZE);
    assert_int_equal(MmMapViewInSystemSpace(object, &(PVOID){ NULL }, &large), STATUS_INVALID_VIEW_SIZE);
    poke(base, PAGE_SIZE, 5);
    ntmm_page_out();
    assert_int_equal(peek(second, PAGE_SIZE), 5);
    PVOID user = map(section, PAGE_READONLY);
    assert_int_equal(peek(user, PAGE_SIZE), 5);
    unmap(user);
    assert_true(MmSetAddressRangeModified(base, PAGE_SIZE + 1)); /* read in, and clean */
    assert_false(MmSetAddressRangeModified(base, 2 * PAGE_SIZE));
    assert_false(MmSetAddressRangeModified(object, 1));
    assert_int_equal(MmUnmapViewInSystemSpace(base), STATUS_SUCCESS);
    assert_int_equal(MmUnmapViewInSessionSpace(second), STATUS_SUCCESS);
    ObDereferenceObject(object);
    ZwClose(section);
    assert_int_equal(create(&read_only, PAGE_SIZE, PAGE_READONLY, SEC_COMMIT, NULL), STATUS_SUCCESS);
    object = object_of(read_only, *MmSectionObjectType);
    bytes = 0;
    assert_int_equal(MmMapViewInSystemSpace(object, &base, &bytes), STATUS_SUCCESS);
    assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, base, (peek(base, 0), poke(base, 0, 1)));
}

static void only_sections_can_be_mapped(void **state)
{
    (void)state;
    PVOID  base;
    SIZE_T bytes = 0;
    assert_int_equal(MmMapViewInSystemSpace(PsGetCurrentProcess(), &base, &bytes), STATUS_OBJECT_TYPE_MISMATCH);
    assert_null(base);
    assert_bugcheck(REFERENCE_BY_POINTER, 0, MmMapViewInSystemSpace(&bytes, &base, &bytes));
}

static void unmapping_what_is_not_mapped(void **state)
{
    (void)state;
    HANDLE section = section_of(3 * PAGE_SIZE);
    PVOID  object = object_of(section, NULL), base;
    SIZE_T bytes = 0;
    assert_int_equal(MmMapViewInSystemSpace(object, &base, &bytes), STATUS_SUCCESS);
    assert_bugcheck_all(DRIVER_UNMAPPING_INVALID_VIEW, (char *)base + PAGE_SIZE, 1, 0, 0,
                        MmUnmapViewInSystemSpace((char *)base + PAGE_SIZE));
    ntmm_cmocka_reboot();
    assert_bugcheck_all(DRIVER_UNMAPPING_INVALID_VIEW, base, 1, 0, 0, MmUnmapViewInSystemSpace(base));
}

static void views_that_are_left_are_leaks(void **state)
{
    (void)state;
    static ntmm_report report;
    HANDLE             section = section_of(3 * PAGE_SIZE);
    PVOID              object = object_of(section, NULL), base;
    SIZE_T             bytes = 0;
    assert_int_equal(MmMapViewInSystemSpace(object, &base, &bytes), STATUS_SUCCESS);
    ObDereferenceObject(object);
    ZwClose(section);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_ptr_equal(report.leaks[0].address, base);
    assert_int_equal(report.leaks[0].bytes, 3 * PAGE_SIZE);
    assert_int_equal(ntmm_boot(ntmm_cmocka_config), 0);
}

/* ---- IRQL, failures ---- */

static HANDLE                   level_handle;
static PVOID                    level_base;
static SIZE_T                   level_bytes;
static LARGE_INTEGER            level_size = { .QuadPart = 1 };
static PSECTION_OBJECT_POINTERS no_file;
LEVEL(ZwCreateSection, PASSIVE_LEVEL, ZwCreateSection(&level_handle, 0, NULL, &level_size, PAGE_READWRITE, SEC_COMMIT, NULL))
LEVEL(NtCreateSection, PASSIVE_LEVEL, NtCreateSection(&level_handle, 0, NULL, &level_size, PAGE_READWRITE, SEC_COMMIT, NULL))
LEVEL(NtCreateSectionEx, PASSIVE_LEVEL, NtCreateSectionEx(&level_handle, 0, NULL, &level_size, PAGE_READWRITE, SEC_COMMIT, NULL, NULL, 0))
LEVEL(ZwOpenSection, PASSIVE_LEVEL, ZwOpenSection(&level_handle, 0, NULL))
LEVEL(ZwMapViewOfSection, PASSIVE_LEVEL,
      ZwMapViewOfSection(NULL, NtCurrentProcess(), &level_base, 0, 0, NULL, &level_bytes, ViewUnmap, 0, PAGE_READWRITE))
LEVEL(ZwUnmapViewOfSection, PASSIVE_LEVEL, ZwUnmapViewOfSection(NtCurrentProcess(), NULL))
LEVEL(MmPrefetchPages, PASSIVE_LEVEL, MmPrefetchPages(0, NULL))
LEVEL(MmMapViewInSystemSpace, APC_LEVEL, MmMapViewInSystemSpace(NULL, &level_base, &level_bytes))
LEVEL(MmUnmapViewInSystemSpace, APC_LEVEL, MmUnmapViewInSystemSpace(NULL))
LEVEL(MmMapViewInSessionSpace, APC_LEVEL, MmMapViewInSessionSpace(NULL, &level_base, &level_bytes))
LEVEL(MmUnmapViewInSessionSpace, APC_LEVEL, MmUnmapViewInSessionSpace(NULL))
LEVEL(MmFlushImageSection, APC_LEVEL, MmFlushImageSection(no_file, MmFlushForWrite))
LEVEL(MmCanFileBeTruncated, APC_LEVEL, MmCanFileBeTruncated(no_file, NULL))
LEVEL(MmForceSectionClosed, APC_LEVEL, MmForceSectionClosed(no_file, TRUE))
LEVEL(MmForceSectionClosedEx, APC_LEVEL, MmForceSectionClosedEx(no_file, 0))
LEVEL(MmGetMaximumFileSectionSize, APC_LEVEL, MmGetMaximumFileSectionSize())
LEVEL(MmDoesFileHaveUserWritableReferences, APC_LEVEL, MmDoesFileHaveUserWritableReferences(no_file))
LEVEL(MmSetAddressRangeModified, DISPATCH_LEVEL, MmSetAddressRangeModified(NULL, 1))
LEVEL(MmIsRecursiveIoFault, DISPATCH_LEVEL, MmIsRecursiveIoFault())
static const struct level_case LEVELS[] = {
    LEVEL_ROW(ZwCreateSection),
    LEVEL_ROW(NtCreateSection),
    LEVEL_ROW(NtCreateSectionEx),
    LEVEL_ROW(ZwOpenSection),
    LEVEL_ROW(ZwMapViewOfSection),
    LEVEL_ROW(ZwUnmapViewOfSection),
    LEVEL_ROW(MmPrefetchPages),
    LEVEL_ROW(MmMapViewInSystemSpace),
    LEVEL_ROW(MmUnmapViewInSystemSpace),
    LEVEL_ROW(MmMapViewInSessionSpace),
    LEVEL_ROW(MmUnmapViewInSessionSpace),
    LEVEL_ROW(MmFlushImageSection),
    LEVEL_ROW(MmCanFileBeTruncated),
    LEVEL_ROW(MmForceSectionClosed),
    LEVEL_ROW(MmForceSectionClosedEx),
    LEVEL_ROW(MmGetMaximumFileSectionSize),
    LEVEL_ROW(MmDoesFileHaveUserWritableReferences),
    LEVEL_ROW(MmSetAddressRangeModified),
    LEVEL_ROW(MmIsRecursiveIoFault),
};
static void the_irql_is_looked_at(void **state)
{
    (void)state;
    HANDLE section;
    KIRQL  old;
    KeRaiseIrql(APC_LEVEL, &old);
    assert_int_equal(ntmm_file_open("/tmp", false, &section), -22);
    KeLowerIrql(old);
    assert_levels(LEVELS, sizeof LEVELS / sizeof LEVELS[0], NULL);
}

static void every_allocation_may_fail(void *context)
{
    HANDLE   section, file;
    NTSTATUS status;
    (void)context;
    if (ntmm_file_open(path, true, &file) != 0)
        return;
    status = create(&section, 0, PAGE_READWRITE, SEC_COMMIT, file);
    if (NT_SUCCESS(status)) {
        PVOID  base = NULL;
        SIZE_T bytes = 0;
        status = map_at(section, &base, 0, &bytes, 0, PAGE_READWRITE);
        if (NT_SUCCESS(status)) {
            poke(base, 0, 1);
            unmap(base);
        }
        assert_int_equal(ZwClose(section), STATUS_SUCCESS);
    }
    assert_true(NT_SUCCESS(status) || status == STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(ZwClose(file), STATUS_SUCCESS);
    assert_true(ntmm_check());
}
static void failures_leave_nothing(void **state)
{
    (void)state;
    make_file(PAGE_SIZE);
    assert_true(ntmm_for_each_failure(every_allocation_may_fail, NULL) >= 5);
}

/* ---- threads ---- */

enum { THREADS = 3, ROUNDS = 60 };
static _Atomic uint64_t wrong;

/* Each opens the file, finds what it wrote the last time, and writes something else: whoever is the last one meanwhile closes all of it. */
static void *open_and_close(void *argument)
{
    size_t            self = (size_t)(uintptr_t)argument;
    unsigned char     last = 0;
    UNICODE_STRING    name = RTL_CONSTANT_STRING(u"\\BaseNamedObjects\\Both");
    OBJECT_ATTRIBUTES object = kernel_handle(&name, OBJ_OPENIF);
    for (int round = 0; round < ROUNDS; round++) {
        HANDLE   file, section, named;
        PVOID    base = NULL;
        SIZE_T   bytes = 0;
        NTSTATUS status = STATUS_UNSUCCESSFUL;
        if (ntmm_file_open(path, true, &file) == 0)
            status = create(&section, 0, PAGE_READWRITE, SEC_COMMIT, file);
        if (!NT_SUCCESS(status) || !NT_SUCCESS(map_at(section, &base, 0, &bytes, 0, PAGE_READWRITE))) {
            atomic_fetch_add(&wrong, 1);
            break;
        }
        if (peek(base, 100 * self + 100) != last)
            atomic_fetch_add(&wrong, 1);
        poke(base, 100 * self + 100, ++last);
        status =
            ZwCreateSection(&named, SECTION_ALL_ACCESS, &object, &(LARGE_INTEGER){ .QuadPart = 100 }, PAGE_READWRITE, SEC_COMMIT, NULL);
        if (!NT_SUCCESS(status) || !NT_SUCCESS(ZwClose(named)) || !NT_SUCCESS(ZwClose(section)) || !NT_SUCCESS(ZwClose(file)) ||
            !NT_SUCCESS(ZwUnmapViewOfSection(NtCurrentProcess(), base)))
            atomic_fetch_add(&wrong, 1);
        if (round % 8 == 0)
            ntmm_page_out();
    }
    return NULL;
}

static void threads_share_a_file(void **state)
{
    pthread_t thread[THREADS];
    (void)state;
    make_file(PAGE_SIZE);
    atomic_store(&wrong, 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, open_and_close, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(wrong, 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(byte_of_file(100 * i + 100), ROUNDS);
    assert_true(ntmm_check());
}

static int teardown(void **state)
{
    int result = ntmm_cmocka_teardown(state);
    unlink(path);
    return result;
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, ntmm_cmocka_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_wrong_with_a_request),
        TEST(a_section_lives_as_long_as_its_views),
        TEST(what_is_wrong_with_a_view),
        TEST(zero_bits_limit_the_address),
        TEST(large_pages_are_like_any_others),
        TEST(sizes_and_offsets_are_rounded),
        TEST(a_reserved_section_is_committed_by_who_maps_it),
        TEST(a_copying_view_is_its_own),
        TEST(views_in_another_process),
        TEST(private_memory_is_no_view),
        TEST(a_view_can_be_locked),
        TEST(names_lead_to_sections),
        TEST(nt_and_extended_parameters),
        TEST(a_section_over_a_file),
        TEST(what_is_wrong_with_a_file),
        TEST(views_outlive_file_and_section),
        TEST(what_a_file_system_asks),
        TEST(a_view_in_system_space),
        TEST(only_sections_can_be_mapped),
        TEST(unmapping_what_is_not_mapped),
        TEST(views_that_are_left_are_leaks),
        TEST(the_irql_is_looked_at),
        TEST(failures_leave_nothing),
        TEST(threads_share_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
