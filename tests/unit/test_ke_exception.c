/*
 * test_ke_exception.c - __try, __except and __finally: who is asked, in which order, and what filters and handlers see.
 * Compiled at several levels of optimisation; what is checked must not depend on that.
 */
#include <string.h>

#include "../support/exceptions.h"

/* ---- the simple cases ---- */

static void body_without_an_exception(void **state)
{
    int n = 1;
    (void)state;
    __try {
        n++;
        note('1');
    } __except (says('f', EXCEPTION_EXECUTE_HANDLER)) {
        note('H');
    }
    __try {
        n++;
        note('2');
    } __finally {
        note(AbnormalTermination() ? 'A' : 'N');
    }
    assert_int_equal(n, 3);
    happened("12N");
}

static void handler_sees_locals(void **state)
{
    int          n = 1, array[8] = { 0 };
    double       x = 1.0;
    register int r = 1; /* an honest request when nothing is optimised */
    (void)state;
    for (int i = 0; i < 3; i++) {
        __try {
            n = 10 + i;
            array[i] = n;
            x *= 2.0;
            r += 5;
            raise_now(STATUS_A);
            n = 99;
        } __except (n == 10 + i && array[i] == n ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH) {
            note((char)('0' + i));
            n += 100;
        }
        assert_int_equal(n, 110 + i);
    }
    assert_int_equal(array[2], 12);
    assert_true(x == 8.0);
    assert_int_equal(r, 16);
    happened("012");
}

static void locals_after_a_fault(void **state)
{
    int n = 0;
    (void)state;
    __try {
        n = 2;
        n += read_at((void *)16);
        n = 3;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note('H');
    }
    assert_int_equal(n, 2);
    happened("H");
}

static void fault_in_the_body_itself(void **state)
{
    volatile unsigned char *volatile nowhere = (volatile unsigned char *)24;
    int n = 0, sum = 0;
    (void)state;
    for (n = 0; n < 100; n++) {
        __try {
            sum += n;
            sum += *nowhere;
        } __except (GetExceptionCode() == STATUS_ACCESS_VIOLATION ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH) {
            sum -= 1;
        }
    }
    assert_int_equal(sum, 99 * 50 - 100);
}

static void code_in_filter_and_handler(void **state)
{
    NTSTATUS in_filter = 0, in_handler = 0;
    (void)state;
    __try {
        raise_now(STATUS_A);
    } __except (in_filter = GetExceptionCode(), EXCEPTION_EXECUTE_HANDLER) {
        in_handler = GetExceptionCode();
    }
    assert_int_equal(in_filter, STATUS_A);
    assert_int_equal(in_handler, STATUS_A);
}

static void record_of_a_raise(void **state)
{
    EXCEPTION_RECORD record = { 0 };
    CONTEXT          context = { 0 };
    (void)state;
    __try {
        raise_now(STATUS_B);
    } __except (look(GetExceptionInformation(), &record, &context)) {
        assert_null(GetExceptionInformation());
    }
    assert_int_equal(record.ExceptionCode, STATUS_B);
    assert_int_equal(record.ExceptionFlags, EXCEPTION_NONCONTINUABLE);
    assert_null(record.ExceptionRecord);
    assert_int_equal(record.NumberParameters, 0);
    assert_in_range(record.ExceptionAddress, (uintptr_t)raise_now, (uintptr_t)raise_now + 256);
    assert_int_equal(CONTEXT_PC(&context), (uintptr_t)record.ExceptionAddress);
}

static void record_of_a_fault(void **state)
{
    static const struct {
        uintptr_t kind, address;
    } rows[] = { { 0, 0 }, { 1, 0x18 }, { 0, 0xFFFF }, { 8, 0x40 } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        EXCEPTION_RECORD record = { 0 };
        CONTEXT          context = { 0 };
        __try {
            if (rows[i].kind == 8)
                call_at((void *)rows[i].address);
            else if (rows[i].kind == 1)
                write_at((void *)rows[i].address);
            else
                read_at((void *)rows[i].address);
            fail();
        } __except (look(GetExceptionInformation(), &record, &context)) {
            note('H');
        }
        assert_int_equal(record.ExceptionCode, STATUS_ACCESS_VIOLATION);
        assert_int_equal(record.ExceptionFlags, 0);
        assert_int_equal(record.NumberParameters, 2);
        assert_int_equal(record.ExceptionInformation[0], rows[i].kind);
        assert_int_equal(record.ExceptionInformation[1], rows[i].address);
        assert_int_equal(CONTEXT_PC(&context), (uintptr_t)record.ExceptionAddress);
        if (rows[i].kind == 8)
            assert_int_equal(CONTEXT_PC(&context), rows[i].address);
        else
            assert_in_range(CONTEXT_PC(&context), rows[i].kind == 1 ? (uintptr_t)write_at : (uintptr_t)read_at,
                            (rows[i].kind == 1 ? (uintptr_t)write_at : (uintptr_t)read_at) + 128);
    }
    happened("HHHH");
}

/* ---- order ---- */

static void inner(void)
{
    __try {
        __try {
            note('1');
            raise_now(STATUS_A);
            note('x');
        } __except (says('i', EXCEPTION_CONTINUE_SEARCH)) {
            note('x');
        }
    } __finally {
        note(AbnormalTermination() ? 'F' : 'x');
    }
    note('x');
}

static void filters_run_before_unwinding(void **state)
{
    (void)state;
    __try {
        __try {
            inner();
        } __finally {
            note(AbnormalTermination() ? 'G' : 'x');
        }
    } __except (says('o', EXCEPTION_EXECUTE_HANDLER)) {
        note('H');
    }
    happened("1ioFGH");
}

static char *deep_buffer;
static int   deep_is_alive(void) { return deep_buffer != NULL && strcmp(deep_buffer, "still here") == 0; }
static void  deep(int depth)
{
    char text[64];
    if (depth > 0) {
        deep(depth - 1);
        text[0] = 'x'; /* no tail call */
        note(text[0]);
        return;
    }
    strcpy(text, "still here");
    deep_buffer = text;
    raise_now(STATUS_A);
}

static void raisers_stack_is_there_for_the_filter(void **state)
{
    (void)state;
    __try {
        deep(10);
    } __except (says(deep_is_alive() ? 'y' : 'n', EXCEPTION_EXECUTE_HANDLER)) {
        note('H');
    }
    happened("yH");
}

static void nested_in_handler_and_filter(void **state)
{
    NTSTATUS first = 0, second = 0;
    (void)state;
    __try {
        raise_now(STATUS_A);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        first = GetExceptionCode();
        __try {
            raise_now(STATUS_B);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            second = GetExceptionCode();
        }
    }
    assert_int_equal(first, STATUS_A);
    assert_int_equal(second, STATUS_B);
}

static int filter_with_a_try(char letter)
{
    int answer = EXCEPTION_CONTINUE_SEARCH;
    __try {
        raise_now(STATUS_B);
    } __except (GetExceptionCode() == STATUS_B) {
        answer = EXCEPTION_EXECUTE_HANDLER;
    }
    return says(letter, answer);
}

static void try_in_a_filter(void **state)
{
    (void)state;
    __try {
        inner();
    } __except (filter_with_a_try('o')) {
        assert_int_equal(GetExceptionCode(), STATUS_A);
        note('H');
    }
    happened("1ioFH");
}

static void exception_in_a_handler_goes_out(void **state)
{
    (void)state;
    __try {
        __try {
            raise_now(STATUS_A);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            note('I');
            raise_now(STATUS_B);
            note('x');
        }
    } __except (GetExceptionCode() == STATUS_B) {
        note('O');
    }
    happened("IO");
}

static int filter_that_raises(void)
{
    note('r');
    raise_now(STATUS_B);
    return EXCEPTION_EXECUTE_HANDLER;
}

/* The statement whose filter raises is not asked about that: the next one outwards is. What both leave behind is unwound. */
static void exception_in_a_filter(void **state)
{
    (void)state;
    __try {
        __try {
            __try {
                inner();
            } __finally {
                note('G');
            }
        } __except (filter_that_raises()) {
            note('x');
        }
    } __except (says('o', GetExceptionCode() == STATUS_B)) {
        note('H');
    }
    happened("1iroFGH");
}

static int filter_that_faults(void)
{
    note('r');
    read_at((void *)0x48);
    return EXCEPTION_EXECUTE_HANDLER;
}

static void fault_in_a_filter(void **state)
{
    (void)state;
    __try {
        __try {
            write_at((void *)0x40);
        } __except (filter_that_faults()) {
            note('x');
        }
    } __except (GetExceptionInformation()->ExceptionRecord->ExceptionInformation[1] == 0x48) {
        note('H');
    }
    happened("rH");
}

static void exception_in_a_finally(void **state)
{
    (void)state;
    __try {
        __try {
            __try {
                raise_now(STATUS_A);
            } __finally {
                note('F');
                raise_now(STATUS_B);
                note('x');
            }
        } __finally {
            note('G');
        }
    } __except (says(GetExceptionCode() == STATUS_A ? 'a' : 'b', EXCEPTION_EXECUTE_HANDLER)) {
        note('H');
        assert_int_equal(GetExceptionCode(), STATUS_B);
    }
    happened("aFbGH");
}

static void try_in_a_finally(void **state)
{
    (void)state;
    __try {
        __try {
            raise_now(STATUS_A);
        } __finally {
            __try {
                raise_now(STATUS_B);
            } __except (GetExceptionCode() == STATUS_B) {
                note('I');
            }
            __try {
                note('1');
            } __finally {
                note(AbnormalTermination() ? 'x' : 'N');
            }
            note(AbnormalTermination() ? 'A' : 'x');
        }
    } __except (GetExceptionCode() == STATUS_A) {
        note(GetExceptionCode() == STATUS_A ? 'H' : 'x');
    }
    happened("I1NAH");
}

static void siblings_and_loops(void **state)
{
    int handled = 0;
    (void)state;
    for (int i = 0; i < 50; i++) {
        __try {
            if (i % 2 == 0)
                raise_now(STATUS_A + i);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            assert_int_equal(GetExceptionCode(), STATUS_A + i);
            handled++;
        }
        __try {
            if (i % 3 == 0)
                raise_now(STATUS_B + i);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            assert_int_equal(GetExceptionCode(), STATUS_B + i);
            handled++;
        }
    }
    assert_int_equal(handled, 25 + 17);
}

static int recurse(int depth)
{
    int n = depth;
    __try {
        if (depth == 0)
            raise_now(STATUS_A);
        n += recurse(depth - 1);
        n += 1000; /* not when the call raised */
    } __except (depth % 3 == 0 ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH) {
        n += 1;
        if (depth > 0)
            raise_now(STATUS_A);
    }
    return n;
}

static void recursion(void **state)
{
    int n = 0;
    (void)state;
    assert_int_equal(recurse(0), 1);
    __try {
        n = recurse(40);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        n = -1;
    }
    assert_int_equal(n, 1 + 820 + 40000);
}

/* ---- going on ---- */

static int again(int *times) { return says('c', ++*times < 3 ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_EXECUTE_HANDLER); }

static void raise_cannot_be_continued(void **state)
{
    NTSTATUS         seen[4] = { 0 };
    int              times = 0, n = 0;
    EXCEPTION_RECORD record = { 0 };
    CONTEXT          context;
    (void)state;
    __try {
        __try {
            raise_now(STATUS_A);
        } __except (seen[n++] = GetExceptionCode(), EXCEPTION_CONTINUE_EXECUTION) {
            note('x');
        }
    } __except (seen[n++] = GetExceptionCode(), look(GetExceptionInformation(), &record, &context)) {
        note('H');
        assert_int_equal(GetExceptionCode(), STATUS_NONCONTINUABLE_EXCEPTION);
    }
    assert_int_equal(n, 3);
    assert_int_equal(seen[0], STATUS_A);
    assert_int_equal(seen[1], STATUS_NONCONTINUABLE_EXCEPTION); /* the same filter is asked again, once */
    assert_int_equal(seen[2], STATUS_NONCONTINUABLE_EXCEPTION);
    assert_non_null(record.ExceptionRecord);
    happened("H");
    __try {
        raise_now(STATUS_A);
    } __except (GetExceptionCode() == STATUS_A ? again(&times) : EXCEPTION_EXECUTE_HANDLER) {
        note('J');
    }
    happened("cJ");
}

static unsigned char elsewhere = 77;

#if defined(__x86_64__)
UNCHECKED static unsigned read_through_a_register(uintptr_t address)
{
    unsigned value;
    __asm__ volatile("movzbl (%%rcx), %0" : "=r"(value) : "c"(address) : "memory");
    return value;
}
UNCHECKED static unsigned read_or_keep(uintptr_t address, unsigned value)
{
    __asm__ volatile("movzbl (%%rcx), %0" : "+a"(value) : "c"(address) : "memory");
    return value;
}
#define SKIP 3 /* bytes of that instruction */
#define ADDRESS_REGISTER(context) ((context)->Rcx)
#else
UNCHECKED static unsigned read_through_a_register(uintptr_t address)
{
    unsigned value;
    __asm__ volatile("mov x9, %1\n\tldrb %w0, [x9]" : "=r"(value) : "r"(address) : "x9", "memory");
    return value;
}
UNCHECKED static unsigned read_or_keep(uintptr_t address, unsigned value)
{
    __asm__ volatile("ldrb %w0, [%1]" : "+r"(value) : "r"(address) : "memory");
    return value;
}
#define SKIP 4 /* bytes of that instruction */
#define ADDRESS_REGISTER(context) ((context)->X9)
#endif

static int point_elsewhere(PEXCEPTION_POINTERS pointers)
{
    ADDRESS_REGISTER(pointers->ContextRecord) = (uintptr_t)&elsewhere;
    return EXCEPTION_CONTINUE_EXECUTION;
}

/* What is half computed when the instruction faults survives the filter: in registers, and in slots of the stack that both might use. */
static void interrupted_instruction_goes_on(void **state)
{
    volatile unsigned one = 1;
    volatile double   half = 0.5;
    (void)state;
    for (int i = 0; i < 3; i++) {
        unsigned sum = 0;
        double   x = 0;
        __try {
            sum = (one ? 10 : 20) + (one + 1) * (read_through_a_register(0x20) + (one ? 3 : 4)) + (one == 1 ? 100 : 200);
            x = half * 3 + (double)read_through_a_register(0x28) + (one ? half : one);
        } __except (one ? (half > 0 ? point_elsewhere(GetExceptionInformation()) : (int)one) : (int)(one + one)) {
            note('x');
        }
        assert_int_equal(sum, 10 + 2 * (77 + 3) + 100);
        assert_true(x == 79.0);
    }
    happened("");
}

static int spoil_registers(PEXCEPTION_POINTERS pointers)
{
#if defined(__x86_64__)
    __asm__ volatile("pxor %%xmm9, %%xmm9\n\tmovq $0, %%r10\n\tcld" ::: "xmm9", "r10");
#else
    __asm__ volatile("movi v17.2d, #0\n\tmov x10, #0" ::: "v17", "x10");
#endif
    return point_elsewhere(pointers);
}

UNCHECKED static unsigned read_between_registers(uintptr_t address, double *vector, uint64_t *general)
{
    unsigned value;
#if defined(__x86_64__)
    __asm__ volatile("movsd %1, %%xmm9\n\tmovq %2, %%r10\n\tmovzbl (%%rcx), %0\n\tmovsd %%xmm9, %1\n\tmovq %%r10, %2"
                     : "=&r"(value), "+m"(*vector), "+m"(*general)
                     : "c"(address)
                     : "xmm9", "r10", "memory");
#else
    __asm__ volatile("mov x9, %3\n\tldr d17, %1\n\tldr x10, %2\n\tldrb %w0, [x9]\n\tstr d17, %1\n\tstr x10, %2"
                     : "=&r"(value), "+m"(*vector), "+m"(*general)
                     : "r"(address)
                     : "v17", "x9", "x10", "memory");
#endif
    return value;
}

static void every_register_is_as_before(void **state)
{
    double   vector = 1.25;
    uint64_t general = 0x123456789abcdef0;
    unsigned value = 0;
    (void)state;
    __try {
        value = read_between_registers(0x30, &vector, &general);
    } __except (spoil_registers(GetExceptionInformation())) {
        note('x');
    }
    assert_int_equal(value, 77);
    assert_true(vector == 1.25);
    assert_true(general == 0x123456789abcdef0);
}

static int skip_the_instruction(PEXCEPTION_POINTERS pointers)
{
    CONTEXT_PC(pointers->ContextRecord) = (uintptr_t)pointers->ExceptionRecord->ExceptionAddress + SKIP;
    return EXCEPTION_CONTINUE_EXECUTION;
}

static void pc_can_be_changed(void **state)
{
    unsigned value = 5;
    (void)state;
    __try {
        value = read_or_keep(0x38, value);
    } __except (skip_the_instruction(GetExceptionInformation())) {
        note('x');
    }
    assert_int_equal(value, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        exception_test(body_without_an_exception),
        exception_test(handler_sees_locals),
        exception_test(locals_after_a_fault),
        exception_test(fault_in_the_body_itself),
        exception_test(code_in_filter_and_handler),
        exception_test(record_of_a_raise),
        exception_test(record_of_a_fault),
        exception_test(filters_run_before_unwinding),
        exception_test(raisers_stack_is_there_for_the_filter),
        exception_test(nested_in_handler_and_filter),
        exception_test(try_in_a_filter),
        exception_test(exception_in_a_handler_goes_out),
        exception_test(exception_in_a_filter),
        exception_test(fault_in_a_filter),
        exception_test(exception_in_a_finally),
        exception_test(try_in_a_finally),
        exception_test(siblings_and_loops),
        exception_test(recursion),
        exception_test(raise_cannot_be_continued),
        exception_test(interrupted_instruction_goes_on),
        exception_test(every_register_is_as_before),
        exception_test(pc_can_be_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
