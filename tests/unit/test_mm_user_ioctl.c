/*
 * test_mm_user_ioctl.c - a driver that serves METHOD_NEITHER requests, and what it answers to the buffers that applications, careless or hostile,
 * hand it: every address of theirs is probed, every touch is in a __try, and nothing stops the machine.
 */
#define NTMM_USES_TRY
#include "../support/user_memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <usermode_accessors.h>

/* ---- the driver ---- */

/* Both serve one request: every byte of the input, plus one, goes to the output. The old way: probe, then touch. */
static UNWATCHED NTSTATUS serve_by_probes(PVOID input, ULONG input_length, PVOID output, ULONG output_length, PULONG_PTR information)
{
    NTSTATUS       status = STATUS_SUCCESS;
    ULONG          length = input_length < output_length ? input_length : output_length;
    unsigned char *copy = ExAllocatePool2(POOL_FLAG_PAGED, length + 1, NTMM_TAG("Ioct"));
    if (copy == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    __try {
        ProbeForRead(input, input_length, sizeof(UCHAR));
        RtlCopyMemory(copy, input, length);
        for (ULONG i = 0; i < length; i++)
            copy[i]++;
        ProbeForWrite(output, output_length, sizeof(UCHAR));
        RtlCopyMemory(output, copy, length);
        *information = length;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        status = GetExceptionCode();
    }
    ExFreePoolWithTag(copy, NTMM_TAG("Ioct"));
    return status;
}

/* And the new one, with accessors. */
static NTSTATUS serve_by_accessors(PVOID input, ULONG input_length, PVOID output, ULONG output_length, PULONG_PTR information)
{
    NTSTATUS       status = STATUS_SUCCESS;
    ULONG          length = input_length < output_length ? input_length : output_length;
    unsigned char *copy = ExAllocatePool2(POOL_FLAG_PAGED, length + 1, NTMM_TAG("Ioct"));
    if (copy == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    __try {
        CopyFromUser(copy, input, length);
        for (ULONG i = 0; i < length; i++)
            copy[i]++;
        CopyToUser(output, copy, length);
        *information = length;
    } __except (UmaExceptionFilter(UserMode)) {
        status = GetExceptionCode();
    }
    ExFreePoolWithTag(copy, NTMM_TAG("Ioct"));
    return status;
}

typedef NTSTATUS      serve_t(PVOID input, ULONG input_length, PVOID output, ULONG output_length, PULONG_PTR information);
static serve_t *const SERVE[] = { serve_by_probes, serve_by_accessors };

/* ---- the applications ---- */

#define BYTES (PAGE_SIZE + 100)

typedef enum buffer {
    GOOD,
    PAGED_OUT,
    FREED,
    READ_ONLY,
    NO_ACCESS,
    GUARDED,
    HALF_FREED, /* its second page is decommitted */
    NOT_OURS,   /* another process's */
    NULL_POINTER,
    SYSTEM, /* a block of pool */
    WRAPPING,
    BUFFERS
} buffer_t;

static ntmm_process  *process, *other;
static unsigned char *pool;

static unsigned char *make(buffer_t kind)
{
    uint32_t protect = kind == READ_ONLY   ? PAGE_READONLY
                       : kind == NO_ACCESS ? PAGE_NOACCESS
                       : kind == GUARDED   ? PAGE_READWRITE | PAGE_GUARD
                                           : PAGE_READWRITE;
    if (kind == NULL_POINTER)
        return NULL;
    if (kind == SYSTEM)
        return pool;
    if (kind == WRAPPING)
        return (unsigned char *)(UINTPTR_MAX - 50);
    unsigned char *buffer = ntmm_user_alloc(kind == NOT_OURS ? other : process, BYTES, protect);
    assert_non_null(buffer);
    if (kind == GOOD || kind == PAGED_OUT || kind == HALF_FREED)
        memset(buffer, 7, BYTES);
    if (kind == FREED)
        ntmm_user_free(process, buffer);
    PVOID  base = buffer + PAGE_SIZE;
    SIZE_T size = 1;
    if (kind == HALF_FREED)
        assert_int_equal(ZwFreeVirtualMemory(ZwCurrentProcess(), &base, &size, MEM_DECOMMIT), STATUS_SUCCESS);
    if (kind == PAGED_OUT)
        ntmm_page_out();
    return buffer;
}

static const NTSTATUS READING[BUFFERS] = {
    [FREED] = STATUS_ACCESS_VIOLATION,      [NO_ACCESS] = STATUS_ACCESS_VIOLATION, [GUARDED] = STATUS_GUARD_PAGE_VIOLATION,
    [HALF_FREED] = STATUS_ACCESS_VIOLATION, [NOT_OURS] = STATUS_ACCESS_VIOLATION,  [NULL_POINTER] = STATUS_ACCESS_VIOLATION,
    [SYSTEM] = STATUS_ACCESS_VIOLATION,     [WRAPPING] = STATUS_ACCESS_VIOLATION,
};
static NTSTATUS writing(buffer_t kind) { return kind == READ_ONLY ? STATUS_ACCESS_VIOLATION : READING[kind]; }

static int boot(void **state)
{
    if (ntmm_cmocka_setup(state) != 0)
        return -1;
    process = ntmm_process_create();
    other = ntmm_process_create();
    ntmm_process_attach(process);
    pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, BYTES, NTMM_TAG("Pool"));
    return pool != NULL ? 0 : -1;
}
static int shut_down(void **state)
{
    ExFreePoolWithTag(pool, NTMM_TAG("Pool"));
    return ntmm_cmocka_teardown(state);
}
#define ioctl_test(test) cmocka_unit_test_setup_teardown(test, boot, shut_down)

static void every_kind_of_buffer(void **state)
{
    (void)state;
    for (size_t way = 0; way < 2; way++)
        for (buffer_t in = 0; in < BUFFERS; in++)
            for (buffer_t out = 0; out < BUFFERS; out++) {
                bool           output_first = in == FREED; /* else the other one would take its place */
                unsigned char *output = output_first ? make(out) : NULL, *input = make(in);
                output = output_first ? output : make(out);
                ULONG_PTR information = 0;
                NTSTATUS  expected = READING[in] != STATUS_SUCCESS ? READING[in] : writing(out);
                NTSTATUS  status = SERVE[way](input, BYTES, output, BYTES, &information);
                if (status != expected)
                    fail_msg("way %zu, input %d, output %d: 0x%08x", way, (int)in, (int)out, (unsigned)status);
                assert_int_equal(information, expected == STATUS_SUCCESS ? BYTES : 0);
                if (expected == STATUS_SUCCESS)
                    assert_true(output[0] == input[0] + 1 && output[BYTES - 1] == input[BYTES - 1] + 1);
                if (in != NULL_POINTER && in != SYSTEM && in != WRAPPING && in != FREED)
                    ntmm_user_free(in == NOT_OURS ? other : process, input);
                if (out != NULL_POINTER && out != SYSTEM && out != WRAPPING && out != FREED)
                    ntmm_user_free(out == NOT_OURS ? other : process, output);
            }
    assert_true(ntmm_check());
}

static void lengths(void **state)
{
    (void)state;
    unsigned char *good = make(GOOD);
    ULONG_PTR      information = 1;
    for (size_t way = 0; way < 2; way++) {
        assert_int_equal(SERVE[way](NULL, 0, NULL, 0, &information), STATUS_SUCCESS); /* no bytes, no check */
        assert_int_equal(information, 0);
        assert_int_equal(SERVE[way](good, 10, good + 10, 10, &information), STATUS_SUCCESS);
        assert_int_equal(information, 10);
    }
    assert_int_equal(serve_by_probes(good, MAXULONG, good, 10, &information), STATUS_ACCESS_VIOLATION); /* more than it has */
    assert_int_equal(serve_by_probes(good, 10, good, 0xFFFFFFF0, &information), STATUS_ACCESS_VIOLATION);
}

/* The application changes the protection of its buffer under the driver, over and over. */
typedef struct hostile {
    unsigned char *buffer;
    _Atomic bool   done;
} hostile_t;
static void *change_its_mind(void *context)
{
    hostile_t *it = context;
    ntmm_process_attach(process);
    for (unsigned i = 0; !atomic_load(&it->done); i++) {
        static const ULONG protect[] = { PAGE_READWRITE, PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE, PAGE_READWRITE | PAGE_GUARD };
        PVOID              base = it->buffer;
        SIZE_T             size = BYTES;
        ULONG              old;
        (void)ZwProtectVirtualMemory(ZwCurrentProcess(), &base, &size, protect[i % 5], &old);
        if (i % 7 == 0) {
            size = BYTES;
            (void)ZwFreeVirtualMemory(ZwCurrentProcess(), &base, &size, MEM_DECOMMIT);
            size = BYTES;
            (void)ZwAllocateVirtualMemory(ZwCurrentProcess(), &base, 0, &size, MEM_COMMIT, PAGE_READWRITE);
        }
    }
    return NULL;
}
static void a_buffer_that_changes_meanwhile(void **state)
{
    (void)state;
    pthread_t thread;
    hostile_t it = { .buffer = make(GOOD) };
    unsigned  served = 0, refused = 0;
    assert_int_equal(pthread_create(&thread, NULL, change_its_mind, &it), 0);
    for (unsigned i = 0; i < 600; i++) {
        ULONG_PTR information;
        NTSTATUS  status = SERVE[i % 2](it.buffer, BYTES, it.buffer, BYTES, &information);
        assert_true(status == STATUS_SUCCESS || status == STATUS_ACCESS_VIOLATION || status == STATUS_GUARD_PAGE_VIOLATION);
        served += status == STATUS_SUCCESS;
        refused += status != STATUS_SUCCESS;
    }
    atomic_store(&it.done, true);
    pthread_join(thread, NULL);
    assert_int_equal(served + refused, 600);
    assert_true(ntmm_check());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ioctl_test(every_kind_of_buffer),
        ioctl_test(lengths),
        ioctl_test(a_buffer_that_changes_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
