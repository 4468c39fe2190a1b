/*
 * exceptions.h - for tests of __try and its companions: what raises, and a record of what happens in which order.
 * A test writes down a letter for each event and compares the string at its end: filters in lower case, handlers and blocks of __finally
 * in upper case, `x` where nobody should come by. In tests that are compiled at several levels of optimisation.
 */
#ifndef NTMM_TESTS_EXCEPTIONS_H
#define NTMM_TESTS_EXCEPTIONS_H

#include <ntmm/cmocka.h>

#define STATUS_A ((NTSTATUS)0xE0000001)
#define STATUS_B ((NTSTATUS)0xE0000002)

#define UNCHECKED __attribute__((noinline, unused, no_sanitize("address", "undefined", "thread")))
#define APART __attribute__((noinline, unused))

static char events[64];

static APART void note(char letter)
{
    size_t length = strlen(events);
    assert_true(length < sizeof events - 1);
    events[length] = letter;
    events[length + 1] = '\0';
}
static APART int says(char letter, int value) /* in a filter */
{
    note(letter);
    return value;
}
static APART void happened(const char *expected)
{
    assert_string_equal(events, expected);
    events[0] = '\0';
}

static APART int boot_for_exceptions(void **state)
{
    events[0] = '\0';
    return ntmm_cmocka_setup(state);
}
#define exception_test(test) cmocka_unit_test_setup_teardown(test, boot_for_exceptions, ntmm_cmocka_teardown)

static APART void raise_now(NTSTATUS status) { ExRaiseStatus(status); }
static APART void raise_and_note(NTSTATUS status)
{
    note('r');
    ExRaiseStatus(status);
}

static UNCHECKED unsigned char read_at(const void *address) { return *(const volatile unsigned char *)address; }
static UNCHECKED void          write_at(void *address) { *(volatile unsigned char *)address = 1; }
static UNCHECKED void          call_at(void *address)
{
    void (*volatile function)(void) = (void (*)(void))(uintptr_t)address;
    function();
}

#if defined(__x86_64__)
#define CONTEXT_PC(context) ((context)->Rip)
#else
#define CONTEXT_PC(context) ((context)->Pc)
#endif

/* A filter that keeps what it sees. */
static APART int look(PEXCEPTION_POINTERS pointers, EXCEPTION_RECORD *record, CONTEXT *context)
{
    assert_non_null(pointers);
    *record = *pointers->ExceptionRecord;
    *context = *pointers->ContextRecord;
    return EXCEPTION_EXECUTE_HANDLER;
}

#endif
