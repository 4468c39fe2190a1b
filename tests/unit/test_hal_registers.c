/*
 * test_hal_registers.c - registers and ports: a driver that programs a device which the test plays, the width, place and order of each
 * access, and what an access without a device does.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <ntmm/cmocka.h>

#define WINDOW 0xFE100000u
#define VECTOR 0x51

static PHYSICAL_ADDRESS at(uint64_t bytes) { return (PHYSICAL_ADDRESS){ .QuadPart = (LONGLONG)bytes }; }

/* ---- a device: it adds up the words of a FIFO when it is told to, takes its time, and interrupts ---- */

enum { REG_ID = 0x00, REG_CONTROL = 0x04, REG_STATUS = 0x08, REG_DATA = 0x0c, REG_SUM = 0x10, REG_ACK = 0x18, ADDER_BYTES = 0x20 };
enum { CONTROL_START = 1, CONTROL_INTERRUPT = 2, STATUS_BUSY = 1, STATUS_DONE = 2 };

typedef struct adder {
    uint32_t    fifo[16], filled, control, status, polls_left;
    uint64_t    sum;
    PKINTERRUPT interrupt;
    unsigned    strange; /* accesses that the device does not know */
} adder_t;

static void adder_finish(adder_t *adder)
{
    for (uint32_t i = 0; i < adder->filled; i++)
        adder->sum += adder->fifo[i];
    adder->filled = 0;
    adder->status = STATUS_DONE;
}

static uint64_t adder_read(void *context, uint64_t offset, unsigned bytes)
{
    adder_t *adder = context;
    if (bytes == 8 && offset == REG_SUM)
        return adder->sum;
    adder->strange += bytes != 4;
    if (offset == REG_STATUS && adder->status == STATUS_BUSY && adder->polls_left-- == 0)
        adder_finish(adder);
    switch (offset) {
    case REG_ID: return 0xADDE0001;
    case REG_STATUS: return adder->status;
    default: adder->strange++; return 0;
    }
}

static void adder_write(void *context, uint64_t offset, unsigned bytes, uint64_t value)
{
    adder_t *adder = context;
    adder->strange += bytes != 4;
    switch (offset) {
    case REG_DATA: adder->fifo[adder->filled++ % 16] = (uint32_t)value; break;
    case REG_ACK: adder->status &= ~(uint32_t)value; break;
    case REG_CONTROL:
        adder->control = (uint32_t)value;
        adder->status = STATUS_BUSY;
        adder->polls_left = 3;
        if ((value & CONTROL_INTERRUPT) != 0) {
            adder_finish(adder);
            ntmm_fire_interrupt(adder->interrupt);
        }
        break;
    default: adder->strange++;
    }
}

/* ---- its driver: what one would write for Windows ---- */

typedef struct adder_extension {
    PUCHAR      registers;
    SIZE_T      length;
    PKINTERRUPT interrupt;
    ULONG       interrupts;
} adder_extension_t;

#define REG(ext, offset) ((volatile ULONG *)((ext)->registers + (offset)))

static BOOLEAN adder_isr(PKINTERRUPT interrupt, PVOID context)
{
    adder_extension_t *ext = context;
    (void)interrupt;
    if ((READ_REGISTER_ULONG(REG(ext, REG_STATUS)) & STATUS_DONE) == 0)
        return FALSE;
    WRITE_REGISTER_ULONG(REG(ext, REG_ACK), STATUS_DONE);
    ext->interrupts++;
    return TRUE;
}

static NTSTATUS adder_start(adder_extension_t *ext, const CM_RESOURCE_LIST *translated)
{
    const CM_PARTIAL_RESOURCE_LIST *list = &translated->List[0].PartialResourceList;
    for (ULONG i = 0; i < list->Count; i++) {
        const CM_PARTIAL_RESOURCE_DESCRIPTOR *resource = &list->PartialDescriptors[i];
        if (resource->Type != CmResourceTypeMemory)
            continue;
        ext->length = resource->u.Memory.Length;
        ext->registers = MmMapIoSpaceEx(resource->u.Memory.Start, ext->length, PAGE_READWRITE | PAGE_NOCACHE);
    }
    if (ext->registers == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (READ_REGISTER_ULONG(REG(ext, REG_ID)) != 0xADDE0001) {
        MmUnmapIoSpace(ext->registers, ext->length);
        return STATUS_NO_SUCH_DEVICE;
    }
    return IoConnectInterrupt(&ext->interrupt, adder_isr, ext, NULL, VECTOR, 5, 5, LevelSensitive, FALSE, 1, FALSE);
}

static void adder_stop(adder_extension_t *ext)
{
    IoDisconnectInterrupt(ext->interrupt);
    MmUnmapIoSpace(ext->registers, ext->length);
}

static ULONG64 adder_sum(adder_extension_t *ext, const ULONG *words, ULONG count)
{
    for (ULONG i = 0; i < count; i++)
        WRITE_REGISTER_ULONG(REG(ext, REG_DATA), words[i]);
    WRITE_REGISTER_ULONG(REG(ext, REG_CONTROL), CONTROL_START);
    while ((READ_REGISTER_ULONG(REG(ext, REG_STATUS)) & STATUS_DONE) == 0)
        ;
    WRITE_REGISTER_ULONG(REG(ext, REG_ACK), STATUS_DONE);
    return READ_REGISTER_ULONG64((volatile ULONG64 *)(ext->registers + REG_SUM));
}

static CM_RESOURCE_LIST resources_of(uint64_t physical, ULONG length)
{
    CM_RESOURCE_LIST list = { .Count = 1 };
    list.List[0].InterfaceType = PCIBus;
    list.List[0].PartialResourceList.Count = 1;
    list.List[0].PartialResourceList.PartialDescriptors[0].Type = CmResourceTypeMemory;
    list.List[0].PartialResourceList.PartialDescriptors[0].u.Memory.Start = at(physical);
    list.List[0].PartialResourceList.PartialDescriptors[0].u.Memory.Length = length;
    return list;
}

static void a_driver_programs_its_device(void **state)
{
    (void)state;
    static const ULONG words[] = { 1, 20, 300, 0xFFFFFFFF };
    adder_t            adder = { .strange = 0 };
    adder_extension_t  ext = { .registers = NULL };
    const ntmm_io_ops  ops = { adder_read, adder_write };
    CM_RESOURCE_LIST   resources = resources_of(WINDOW + 0x40, ADDER_BYTES);
    assert_int_equal(adder_start(&ext, &resources), STATUS_INSUFFICIENT_RESOURCES); /* the device is not plugged in */
    assert_int_equal(ntmm_io_space_add_device(WINDOW + 0x40, ADDER_BYTES, &ops, &adder), 0);
    assert_int_equal(adder_start(&ext, &resources), STATUS_SUCCESS);
    adder.interrupt = ext.interrupt;
    assert_true(adder_sum(&ext, words, 4) == 321 + UINT64_C(0xFFFFFFFF));
    assert_int_equal(adder.polls_left, UINT32_MAX); /* it polled until there was nothing left to wait for */
    WRITE_REGISTER_ULONG(REG(&ext, REG_CONTROL), CONTROL_START | CONTROL_INTERRUPT);
    assert_int_equal(ext.interrupts, 1);
    assert_int_equal(adder.status, 0);
    assert_int_equal(adder.strange, 0);
    assert_true(ntmm_check());
    assert_int_equal(ntmm_io_space_remove(WINDOW + 0x40), -EBUSY);
    adder_stop(&ext);
    assert_int_equal(ntmm_io_space_remove(WINDOW + 0x40), 0);
}

/* ---- width, place, order ---- */

typedef struct access {
    bool     write;
    uint64_t offset, value;
    unsigned bytes;
    KIRQL    irql;
} access_t;
static access_t log_of[64];
static unsigned logged;

static uint64_t note_read(void *context, uint64_t offset, unsigned bytes)
{
    uint64_t value = 0xF1E2D3C4B5A69788 + offset;
    assert_ptr_equal(context, log_of);
    log_of[logged++ % 64] = (access_t){ false, offset, value, bytes, KeGetCurrentIrql() };
    return value;
}
static void note_write(void *context, uint64_t offset, unsigned bytes, uint64_t value)
{
    assert_ptr_equal(context, log_of);
    log_of[logged++ % 64] = (access_t){ true, offset, value, bytes, KeGetCurrentIrql() };
}
static const ntmm_io_ops noting = { note_read, note_write };

#define assert_access(i, is_write, at_offset, of_bytes) \
    do { \
        assert_true((i) < logged); \
        assert_int_equal(log_of[i].write, (is_write)); \
        assert_int_equal(log_of[i].offset, (at_offset)); \
        assert_int_equal(log_of[i].bytes, (of_bytes)); \
    } while (0)

#define EACH_WIDTH(Type) \
    do { \
        Type           buffer[3] = { (Type)0x1122334455667788, (Type)0x99, (Type)0xAA }, out[3]; \
        volatile Type *r = (volatile Type *)(registers + 0x10); \
        const unsigned n = sizeof(Type); \
        const uint64_t mask = UINT64_MAX >> (64 - 8 * n); \
        logged = 0; \
        assert_true(READ_REGISTER_##Type(r) == (Type)(0xF1E2D3C4B5A69788 + 0x18)); \
        assert_true(READ_REGISTER_NOFENCE_##Type(r + 1) == (Type)(0xF1E2D3C4B5A69788 + 0x18 + n)); \
        WRITE_REGISTER_##Type(r, buffer[0]); \
        WRITE_REGISTER_NOFENCE_##Type(r + 1, buffer[1]); \
        READ_REGISTER_BUFFER_##Type(r, out, 3); \
        READ_REGISTER_NOFENCE_BUFFER_##Type(r, out, 1); \
        WRITE_REGISTER_BUFFER_##Type(r, buffer, 3); \
        WRITE_REGISTER_NOFENCE_BUFFER_##Type(r, buffer, 1); \
        READ_REGISTER_BUFFER_##Type(r, NULL, 0); \
        assert_int_equal(logged, 12); \
        assert_access(0, false, 0x18, n); \
        assert_access(1, false, 0x18 + n, n); \
        assert_access(2, true, 0x18, n); \
        assert_true(log_of[2].value == (UINT64_C(0x1122334455667788) & mask)); \
        assert_access(3, true, 0x18 + n, n); \
        assert_int_equal(log_of[3].value, 0x99); \
        for (unsigned i = 0; i < 3; i++) { \
            assert_access(4 + i, false, 0x18 + i * n, n); /* registers ascend */ \
            assert_true(out[i] == (Type)(0xF1E2D3C4B5A69788 + 0x18 + i * n)); \
            assert_access(8 + i, true, 0x18 + i * n, n); \
            assert_true(log_of[8 + i].value == (buffer[i] & mask)); \
        } \
        assert_access(7, false, 0x18, n); \
        assert_access(11, true, 0x18, n); \
    } while (0)

static void each_access_arrives_as_it_was_made(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add_device(WINDOW + 0x38, 0x100, &noting, log_of), 0);
    char *registers = MmMapIoSpace(at(WINDOW + 0x40), 0x80, MmNonCached); /* eight bytes behind where the window begins */
    EACH_WIDTH(UCHAR);
    EACH_WIDTH(USHORT);
    EACH_WIDTH(ULONG);
    EACH_WIDTH(ULONG64);
    MmUnmapIoSpace(registers, 0x80);
}

static void callbacks_run_at_the_callers_level(void **state)
{
    (void)state;
    KIRQL before;
    assert_int_equal(ntmm_io_space_add_device(WINDOW, 0x100, &noting, log_of), 0);
    volatile UCHAR    *registers = MmMapIoSpace(at(WINDOW), 0x100, MmNonCached);
    static const KIRQL levels[] = { PASSIVE_LEVEL, APC_LEVEL, DISPATCH_LEVEL, 7, HIGH_LEVEL };
    for (size_t i = 0; i < sizeof levels; i++) {
        logged = 0;
        KeRaiseIrql(levels[i], &before);
        (void)READ_REGISTER_UCHAR(registers);
        WRITE_REGISTER_UCHAR(registers, 1);
        (void)READ_PORT_UCHAR((PUCHAR)0x10);
        KeLowerIrql(before);
        assert_int_equal(logged, 2);
        assert_int_equal(log_of[0].irql, levels[i]);
        assert_int_equal(log_of[1].irql, levels[i]);
    }
    MmUnmapIoSpace((PVOID)(uintptr_t)registers, 0x100);
}

static uint64_t read_and_stop(void *context, uint64_t offset, unsigned bytes)
{
    (void)bytes;
    assert_true(ntmm_io_space_bytes(WINDOW) == NULL); /* no lock of the machine is held */
    if (offset == 0)
        return *(volatile UCHAR *)context + 1u;
    KeBugCheckEx(MANUALLY_INITIATED_CRASH, offset, 0, 0, 0);
}

static void a_callback_may_do_what_code_may_do(void **state)
{
    (void)state;
    static UCHAR below;
    assert_int_equal(ntmm_io_space_add_device(WINDOW, 0x10, &(ntmm_io_ops){ read_and_stop, NULL }, &below), 0);
    volatile UCHAR *registers = MmMapIoSpace(at(WINDOW), 0x10, MmNonCached);
    below = 8;
    assert_int_equal(READ_REGISTER_UCHAR(registers), 9);
    assert_bugcheck(MANUALLY_INITIATED_CRASH, 3, READ_REGISTER_UCHAR(registers + 3));
    assert_int_equal(READ_REGISTER_UCHAR(registers), 0xFF); /* a halted machine's devices are silent */
    WRITE_REGISTER_UCHAR(registers, 1);
}

/* ---- memory ---- */

static void memory_is_just_memory(void **state)
{
    (void)state;
    static ULONG own[4]; /* a driver under test may be given a structure of its own for registers */
    assert_int_equal(ntmm_io_space_add(WINDOW, PAGE_SIZE), 0);
    assert_int_equal(ntmm_io_space_add_device(WINDOW + 4 * PAGE_SIZE, PAGE_SIZE, &noting, log_of), 0);
    volatile ULONG *memory = MmMapIoSpace(at(WINDOW), PAGE_SIZE, MmNonCached),
                   *low = MmMapIoSpace(at(WINDOW + 4 * PAGE_SIZE), 4, MmNonCached);
    volatile ULONG *between = MmMapIoSpace(at(WINDOW), PAGE_SIZE, MmNonCached),
                   *high = MmMapIoSpace(at(WINDOW + 4 * PAGE_SIZE), 4, MmNonCached);
    volatile ULONG *const places[] = { memory, between, own };
    ULONG                 in[3] = { 7, 8, 9 }, out[3];
    logged = 0;
    for (size_t i = 0; i < 3; i++) {
        WRITE_REGISTER_ULONG(places[i], 0x12345678);
        assert_int_equal(READ_REGISTER_ULONG(places[i]), 0x12345678);
        assert_int_equal(READ_REGISTER_UCHAR((volatile UCHAR *)places[i] + 1), 0x56);
        WRITE_REGISTER_USHORT((volatile USHORT *)places[i] + 1, 0xBEEF);
        assert_int_equal(READ_REGISTER_ULONG(places[i]), 0xBEEF5678);
        WRITE_REGISTER_BUFFER_ULONG(places[i] + 1, in, 3);
        READ_REGISTER_BUFFER_ULONG(places[i] + 1, out, 3);
        assert_memory_equal(in, out, sizeof in);
    }
    assert_int_equal(logged, 0);
    (void)READ_REGISTER_ULONG(low);
    (void)READ_REGISTER_ULONG(high);
    assert_int_equal(logged, 2);
    assert_int_equal(*(ULONG *)ntmm_io_space_bytes(WINDOW), 0xBEEF5678);
    MmUnmapIoSpace((PVOID)(uintptr_t)low, 4);
    MmUnmapIoSpace((PVOID)(uintptr_t)between, PAGE_SIZE);
    MmUnmapIoSpace((PVOID)(uintptr_t)memory, PAGE_SIZE);
    (void)READ_REGISTER_ULONG(high);
    assert_int_equal(logged, 3);
    MmUnmapIoSpace((PVOID)(uintptr_t)high, 4);
}

static void memory_and_registers_may_share_a_page(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add(WINDOW, 0x100), 0);
    void *mapped = MmMapIoSpace(at(WINDOW), 0x100, MmNonCached);
    assert_int_equal(ntmm_io_space_add_device(WINDOW + 0x100, 0x40, &noting, log_of), -EBUSY); /* it is mapped as memory */
    MmUnmapIoSpace(mapped, 0x100);
    assert_int_equal(ntmm_io_space_add_device(WINDOW + 0x100, 0x40, &noting, log_of), 0);
    volatile UCHAR *p = MmMapIoSpace(at(WINDOW), 0x200, MmNonCached);
    assert_true(MmIsAddressValid((PVOID)(uintptr_t)p));
    logged = 0;
    WRITE_REGISTER_ULONG((volatile ULONG *)(p + 0x20), 0xCAFE);
    assert_int_equal(*(ULONG *)ntmm_io_space_bytes(WINDOW + 0x20), 0xCAFE);
    assert_int_equal(READ_REGISTER_USHORT((volatile USHORT *)(p + 0x20)), 0xCAFE);
    assert_int_equal(logged, 0);
    WRITE_REGISTER_ULONG((volatile ULONG *)(p + 0x120), 5);
    assert_int_equal(logged, 1);
    assert_access(0, true, 0x20, 4);
    assert_int_equal(READ_REGISTER_ULONG((volatile ULONG *)(p + 0x140)), 0xFFFFFFFF); /* the page goes on, nobody answers */
    assert_int_equal(READ_REGISTER_UCHAR(p + 0x1ff), 0xFF);
    WRITE_REGISTER_UCHAR(p + 0x1ff, 0);
    assert_int_equal(logged, 1);
    assert_true(ntmm_check());
    MmUnmapIoSpace((PVOID)(uintptr_t)p, 0x200);
    assert_int_equal(ntmm_io_space_remove(WINDOW + 0x100), 0);
    volatile UCHAR *memory = MmMapIoSpace(at(WINDOW), 0x100, MmNonCached); /* only memory is left: plain access works again */
    assert_int_equal(memory[0x21], 0xCA);
    MmUnmapIoSpace((PVOID)(uintptr_t)memory, 0x100);
}

static void without_callbacks_nobody_answers(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add_device(WINDOW, 0x20, &(ntmm_io_ops){ NULL, NULL }, NULL), 0);
    volatile UCHAR *p = MmMapIoSpace(at(WINDOW), 0x20, MmNonCached);
    assert_int_equal(READ_REGISTER_UCHAR(p), 0xFF);
    assert_int_equal(READ_REGISTER_USHORT((volatile USHORT *)p), 0xFFFF);
    assert_int_equal(READ_REGISTER_ULONG((volatile ULONG *)p), 0xFFFFFFFF);
    assert_true(READ_REGISTER_ULONG64((volatile ULONG64 *)p) == UINT64_MAX);
    WRITE_REGISTER_ULONG((volatile ULONG *)p, 1);
    assert_null(ntmm_io_space_bytes(WINDOW));
    MmUnmapIoSpace((PVOID)(uintptr_t)p, 0x20);
}

/* ---- what is wrong with an access ---- */

static void a_register_that_may_only_be_read(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_space_add_device(WINDOW, 0x20, &noting, log_of), 0);
    volatile UCHAR *p = MmMapIoSpaceEx(at(WINDOW), 0x20, PAGE_READONLY | PAGE_NOCACHE);
    logged = 0;
    (void)READ_REGISTER_UCHAR(p);
    assert_bugcheck(ATTEMPTED_WRITE_TO_READONLY_MEMORY, p + 7, WRITE_REGISTER_UCHAR(p + 7, 1));
    assert_int_equal(logged, 1);
    assert_non_null(strstr(ntmm_stop_report(), "byte 0x7 of the window of registers of 0x20 bytes at physical address 0xfe100000"));
}

#if defined(__SANITIZE_THREAD__)
#define UNDER_THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER
#endif
#endif
/* An atomic operation that faults does so inside ThreadSanitizer, with its locks held; and a handler may be called late, with no way back out
 * of it by longjmp. */
#ifndef UNDER_THREAD_SANITIZER
static void a_register_that_is_not_there(void **state)
{
    (void)state;
    KIRQL before;
    assert_int_equal(ntmm_io_space_add_device(WINDOW, 0x20, &noting, log_of), 0);
    volatile ULONG *p = MmMapIoSpace(at(WINDOW), 0x20, MmNonCached), *other = MmMapIoSpace(at(WINDOW), 0x20, MmNonCached);
    MmUnmapIoSpace((PVOID)(uintptr_t)p, 0x20);
    (void)READ_REGISTER_ULONG(other);
    assert_bugcheck(PAGE_FAULT_IN_NONPAGED_AREA, p, READ_REGISTER_ULONG(p)); /* between the bounds, and yet gone */
    ntmm_cmocka_reboot();
    assert_int_equal(ntmm_io_space_add_device(WINDOW, 0x20, &noting, log_of), 0);
    p = MmMapIoSpace(at(WINDOW), 0x20, MmNonCached);
    MmUnmapIoSpace((PVOID)(uintptr_t)p, 0x20);
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_bugcheck(DRIVER_IRQL_NOT_LESS_OR_EQUAL, p + 1, WRITE_REGISTER_ULONG(p + 1, 5)); /* the access is the driver's own */
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 1);
}

static sigjmp_buf way_back;
static void       on_segv(int signal)
{
    (void)signal;
    siglongjmp(way_back, 1);
}

static void a_plain_access_is_told_of(void **state)
{
    (void)state;
    char text[1024] = "";
    int  saved = dup(STDERR_FILENO);
    assert_int_equal(ntmm_io_space_add_device(WINDOW, PAGE_SIZE, &noting, log_of), 0);
    volatile ULONG *p = MmMapIoSpace(at(WINDOW), PAGE_SIZE, MmNonCached);
    for (volatile int catching = 0; catching < 2; catching++) {
        FILE            *caught = tmpfile();
        ntmm_catch_frame frame;
        void (*before)(int) = signal(SIGSEGV, on_segv);
        dup2(fileno(caught), STDERR_FILENO);
        if (catching)
            assert_int_equal(sigsetjmp(*ntmm_catch_push(&frame), 0), 0);
        volatile bool came_back = false;
        if (sigsetjmp(way_back, 1) == 0)
            p[4] = 1; /* no bug check: Windows would do it */
        else
            came_back = true;
        dup2(saved, STDERR_FILENO);
        signal(SIGSEGV, before);
        if (catching)
            ntmm_catch_pop(&frame);
        assert_true(came_back);
        rewind(caught);
        text[fread(text, 1, sizeof text - 1, caught)] = '\0';
        fclose(caught);
        assert_non_null(strstr(text, "a plain write to 0x"));
        assert_non_null(strstr(text, ", physical address 0xfe100010: a test plays the registers"));
        assert_string_equal(ntmm_stop_report(), "");
    }
    close(saved);
    MmUnmapIoSpace((PVOID)(uintptr_t)p, PAGE_SIZE);
    assert_true(ntmm_check());
}
#endif

/* ---- ports ---- */

#define EACH_PORT_WIDTH(Type) \
    do { \
        Type           buffer[3] = { (Type)0x11223344, (Type)0x99, (Type)0xAA }, out[3]; \
        const unsigned n = sizeof(Type); \
        logged = 0; \
        assert_true(READ_PORT_##Type((Type *)0x3F8) == (Type)0xF1E2D3C4B5A69788); \
        WRITE_PORT_##Type((Type *)0x3FC, buffer[0]); \
        READ_PORT_BUFFER_##Type((Type *)0x3FA, out, 3); \
        WRITE_PORT_BUFFER_##Type((Type *)0x3FA, buffer, 3); \
        WRITE_PORT_BUFFER_##Type((Type *)0x3FA, buffer, 0); \
        assert_int_equal(logged, 8); \
        assert_access(0, false, 0, n); \
        assert_access(1, true, 4, n); \
        assert_true((Type)log_of[1].value == buffer[0]); \
        for (unsigned i = 0; i < 3; i++) { \
            assert_access(2 + i, false, 2, n); /* the same port again and again */ \
            assert_access(5 + i, true, 2, n); \
            assert_true(log_of[5 + i].value == buffer[i]); \
            assert_true(out[i] == (Type)(0xF1E2D3C4B5A69788 + 2)); \
        } \
    } while (0)

static void ports_are_a_space_of_their_own(void **state)
{
    (void)state;
    assert_int_equal(ntmm_io_port_add(0x3F8, 8, &noting, log_of), 0);
    EACH_PORT_WIDTH(UCHAR);
    EACH_PORT_WIDTH(USHORT);
    EACH_PORT_WIDTH(ULONG);
    logged = 0;
    assert_int_equal(READ_PORT_UCHAR((PUCHAR)0x400), 0xFF); /* nobody answers */
    assert_int_equal(READ_PORT_USHORT((PUSHORT)0x3F6), 0xFFFF);
    assert_int_equal(READ_PORT_ULONG((PULONG)0x3F7), 0xFFFFFFFF); /* though it goes on into the range */
    WRITE_PORT_UCHAR((PUCHAR)0x3F7, 1);
    assert_int_equal(logged, 0);
    (void)READ_PORT_ULONG((PULONG)0x3FF); /* belongs to where it begins */
    assert_access(0, false, 7, 4);
    (void)READ_PORT_UCHAR((PUCHAR)0x103F9); /* the low 16 bits */
    assert_access(1, false, 1, 1);
}

static void ranges_of_ports_come_and_go(void **state)
{
    (void)state;
    static const struct {
        uint16_t port;
        size_t   count;
    } refused[] = { { 0x60, 0 }, { 0xFFFF, 2 }, { 0, 0x10001 }, { 0x67, 1 }, { 0x5F, 2 }, { 0, 0x10000 }, { 0x60, 8 } };
    assert_int_equal(ntmm_io_port_add(0x60, 8, &noting, log_of), 0);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(ntmm_io_port_add(refused[i].port, refused[i].count, &noting, log_of), -EINVAL);
        assert_non_null(strstr(ntmm_error(), i < 3 ? "up to 0xffff" : "range at 0x60"));
    }
    assert_int_equal(ntmm_io_port_add(0x70, 1, NULL, NULL), -EINVAL);
    for (uint16_t i = 1; i < 64; i++)
        assert_int_equal(ntmm_io_port_add((uint16_t)(0x60 + 8 * i), 8, &noting, log_of), 0);
    assert_int_equal(ntmm_io_port_add(0xFFFF, 1, &noting, log_of), -ENOSPC);
    assert_int_equal(ntmm_io_port_remove(0x61), -EINVAL);
    assert_int_equal(ntmm_io_port_remove(0x60), 0);
    assert_int_equal(ntmm_io_port_remove(0x60), -EINVAL);
    logged = 0;
    assert_int_equal(READ_PORT_UCHAR((PUCHAR)0x60), 0xFF);
    (void)READ_PORT_UCHAR((PUCHAR)0x68);
    assert_int_equal(logged, 1);
    assert_int_equal(ntmm_io_port_add(0xFFFF, 1, &noting, log_of), 0);
    ntmm_cmocka_reboot();
    assert_int_equal(READ_PORT_UCHAR((PUCHAR)0x68), 0xFF); /* they go with the machine */
    assert_int_equal(logged, 1);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(READ_PORT_UCHAR((PUCHAR)0x68), 0xFF);
    WRITE_PORT_UCHAR((PUCHAR)0x68, 1);
    assert_int_equal(ntmm_io_port_add(0x60, 8, &noting, log_of), -ENODEV);
}

/* ---- threads ---- */

enum { MESSAGES = 200, READS = 500, USERS = 4 };

/* The far side of a mailbox in device memory: answers each message by its double, as firmware would. */
static void *firmware(void *mailbox)
{
    volatile uint32_t *box = mailbox;
    for (uint32_t i = 1; i <= MESSAGES; i++) {
        while (__atomic_load_n(&box[0], __ATOMIC_ACQUIRE) != i)
            sched_yield();
        box[2] = 2 * box[1];
        __atomic_store_n(&box[3], i, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void a_driver_talks_to_a_device_on_another_thread(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(ntmm_io_space_add(WINDOW, 0x10), 0);
    assert_int_equal(pthread_create(&thread, NULL, firmware, ntmm_io_space_bytes(WINDOW)), 0);
    volatile ULONG *box = MmMapIoSpace(at(WINDOW), 0x10, MmNonCached);
    for (ULONG i = 1; i <= MESSAGES; i++) {
        WRITE_REGISTER_ULONG(&box[1], i * 7);
        WRITE_REGISTER_ULONG(&box[0], i);
        while (READ_REGISTER_ULONG(&box[3]) != i)
            sched_yield();
        assert_int_equal(READ_REGISTER_ULONG(&box[2]), i * 14);
    }
    pthread_join(thread, NULL);
    MmUnmapIoSpace((PVOID)(uintptr_t)box, 0x10);
}

static uint64_t count_up(void *context, uint64_t offset, unsigned bytes)
{
    (void)bytes;
    return atomic_fetch_add((_Atomic uint64_t *)context + offset / 8, 1);
}

static const ntmm_io_ops counting = { count_up, NULL };
static _Atomic uint64_t  counters[16];

static void *use_a_device(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;
    for (uint64_t i = 0; i < READS; i++) { /* others' pages with registers come and go meanwhile */
        volatile ULONG64 *p = MmMapIoSpace(at(WINDOW + me * 8), 8, MmNonCached);
        if (p == NULL || READ_REGISTER_ULONG64(p) != i)
            return "one's own register";
        (void)READ_REGISTER_ULONG64(p + 4 - me); /* all threads': within the same window */
        MmUnmapIoSpace((PVOID)(uintptr_t)p, 8);
        (void)READ_PORT_ULONG((PULONG)0x100);
    }
    return NULL;
}

static void threads_use_devices_side_by_side(void **state)
{
    (void)state;
    pthread_t threads[USERS];
    memset((void *)counters, 0, sizeof counters);
    assert_int_equal(ntmm_io_space_add_device(WINDOW, sizeof counters, &counting, counters), 0);
    assert_int_equal(ntmm_io_port_add(0x100, 8, &counting, &counters[8]), 0);
    for (uintptr_t i = 0; i < USERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_a_device, (void *)i), 0);
    for (unsigned i = 0; i < USERS; i++) {
        void *what = NULL;
        pthread_join(threads[i], &what);
        if (what != NULL)
            fail_msg("thread %u: %s", i, (const char *)what);
    }
    assert_int_equal(counters[4], USERS * READS);
    assert_int_equal(counters[8], USERS * READS);
    assert_true(ntmm_check());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(a_driver_programs_its_device),
        ntmm_cmocka_test(each_access_arrives_as_it_was_made),
        ntmm_cmocka_test(callbacks_run_at_the_callers_level),
        ntmm_cmocka_test(a_callback_may_do_what_code_may_do),
        ntmm_cmocka_test(memory_is_just_memory),
        ntmm_cmocka_test(memory_and_registers_may_share_a_page),
        ntmm_cmocka_test(without_callbacks_nobody_answers),
        ntmm_cmocka_test(a_register_that_may_only_be_read),
#ifndef UNDER_THREAD_SANITIZER
        ntmm_cmocka_test(a_register_that_is_not_there),
        ntmm_cmocka_test(a_plain_access_is_told_of),
#endif
        ntmm_cmocka_test(ports_are_a_space_of_their_own),
        ntmm_cmocka_test(ranges_of_ports_come_and_go),
        ntmm_cmocka_test(a_driver_talks_to_a_device_on_another_thread),
        ntmm_cmocka_test(threads_use_devices_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
