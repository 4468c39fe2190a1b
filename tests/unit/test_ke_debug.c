/*
 * test_ke_debug.c - messages: where they go, what is held back, how long they can be; break points and assertions.
 */
#include <ntmm/cmocka.h>

static char     heard[2000];
static uint32_t heard_component, heard_level;
static size_t   heard_count;

static void hear(void *context, uint32_t component, uint32_t level, const char *text, size_t bytes)
{
    assert_ptr_equal(context, heard);
    assert_int_equal(strlen(text), bytes);
    strcat(heard, text);
    heard_component = component;
    heard_level = level;
    heard_count++;
}

static int listen(void **state)
{
    heard[0] = '\0';
    heard_count = 0;
    ntmm_debug_output(hear, heard);
    ntmm_debug_filter(DPFLTR_DEFAULT_ID, ~0u);
    ntmm_debug_filter(DPFLTR_IHVDRIVER_ID, ~0u);
    return ntmm_cmocka_setup(state);
}
static int stop_listening(void **state)
{
    ntmm_debug_output(NULL, NULL);
    return ntmm_cmocka_teardown(state);
}

static void say(PCCH prefix, PCCH format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (prefix != NULL)
        assert_int_equal(vDbgPrintExWithPrefix(prefix, DPFLTR_IHVBUS_ID, 5, format, arguments), STATUS_SUCCESS);
    else
        assert_int_equal(vDbgPrintEx(DPFLTR_IHVBUS_ID, 5, format, arguments), STATUS_SUCCESS);
    va_end(arguments);
}

static void a_test_hears_them(void **state)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(u"\\Device\\X");
    KIRQL          old;
    (void)state;
    assert_int_equal(DbgPrint("one %d\n", 1), STATUS_SUCCESS);
    assert_int_equal(heard_component, DPFLTR_DEFAULT_ID);
    assert_int_equal(heard_level, DPFLTR_INFO_LEVEL);
    DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL, "two %wZ\n", &name);
    assert_int_equal(heard_component, DPFLTR_IHVDRIVER_ID);
    assert_int_equal(heard_level, DPFLTR_ERROR_LEVEL);
    say(NULL, "three %p\n", NULL);
    say("X: ", "four\n");
    KdPrint(("five %d\n", 5));
    KdPrintEx((DPFLTR_IHVDRIVER_ID, DPFLTR_TRACE_LEVEL, "six\n"));
    KeRaiseIrql(HIGH_LEVEL, &old);
    DbgPrint("high\n");
    KeLowerIrql(old);
    assert_string_equal(heard, "one 1\ntwo \\Device\\X\nthree 0000000000000000\nX: four\nfive 5\nsix\nhigh\n");
}

static void filters(void **state)
{
    (void)state;
    assert_int_equal(DbgQueryDebugFilterState(DPFLTR_DEFAULT_ID, DPFLTR_INFO_LEVEL), TRUE);
    assert_int_equal(DbgSetDebugFilterState(DPFLTR_DEFAULT_ID, DPFLTR_INFO_LEVEL, FALSE), STATUS_SUCCESS);
    assert_int_equal(DbgQueryDebugFilterState(DPFLTR_DEFAULT_ID, DPFLTR_INFO_LEVEL), FALSE);
    assert_int_equal(DbgPrint("held back"), STATUS_SUCCESS);
    assert_int_equal(heard_count, 0);
    DbgPrintEx(DPFLTR_DEFAULT_ID, DPFLTR_WARNING_LEVEL, "w");
    assert_int_equal(heard_count, 1);
    DbgSetDebugFilterState(DPFLTR_DEFAULT_ID, DPFLTR_INFO_LEVEL, TRUE);
    DbgPrint("back");
    assert_int_equal(heard_count, 2);
    assert_true(ntmm_debug_filter(DPFLTR_IHVDRIVER_ID, 1u << DPFLTR_ERROR_LEVEL));
    DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_WARNING_LEVEL, "no");
    DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_MASK | 0x10, "no"); /* a mask: none of its bits */
    DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_MASK | 0x1, "yes");
    assert_int_equal(heard_count, 3);
    assert_int_equal(DbgQueryDebugFilterState(256, 0), STATUS_INVALID_PARAMETER_1);
    assert_int_equal(DbgSetDebugFilterState(256, 0, TRUE), STATUS_INVALID_PARAMETER_1);
    assert_false(ntmm_debug_filter(256, 0));
}

static void the_longest_message(void **state)
{
    (void)state;
    DbgPrint("%600d", 7);
    assert_int_equal(strlen(heard), 512);
    heard[0] = '\0';
    DbgPrint("%512d", 7);
    assert_int_equal(strlen(heard), 512);
    assert_int_equal(heard[511], '7');
}

static void break_points(void **state)
{
    (void)state;
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_BREAKPOINT, DbgBreakPoint());
    ntmm_cmocka_reboot();
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_BREAKPOINT, DbgBreakPointWithStatus(0x55));
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 0x55);
    assert_true(KdRefreshDebuggerNotPresent());
}

static void assertions(void **state)
{
    int zero = 0;
    (void)state;
    ASSERT(zero == 0);
    assert_int_equal((unsigned)NT_ASSERT(zero == 0), TRUE);
    assert_int_equal((unsigned)NT_VERIFY(zero == 0), TRUE);
    assert_int_equal((unsigned)RTL_SOFT_ASSERT(zero == 0), TRUE);
    assert_string_equal(heard, "");
    assert_int_equal((unsigned)RTL_SOFT_ASSERT(zero == 1), FALSE);
    assert_non_null(strstr(heard, "zero == 1"));
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_ASSERTION_FAILURE, NT_ASSERT(zero == 2));
    assert_non_null(strstr(heard, "zero == 2"));
    ntmm_cmocka_reboot();
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_ASSERTION_FAILURE, NT_ASSERTMSG("why", zero == 3));
    assert_non_null(strstr(heard, "why"));
    ntmm_cmocka_reboot();
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, (uintptr_t)(intptr_t)STATUS_BREAKPOINT, ASSERTMSG("because", zero == 4));
    assert_non_null(strstr(heard, "because: zero == 4"));
    assert_non_null(strstr(heard, "test_ke_debug.c"));
}

/* ---- with a __try around them ---- */

static int go_on(PEXCEPTION_POINTERS exception)
{
    assert_int_equal(exception->ExceptionRecord->ExceptionCode, STATUS_BREAKPOINT);
    return EXCEPTION_CONTINUE_EXECUTION;
}

static void a_filter_takes_them_or_goes_on(void **state)
{
    volatile int reached = 0;
    (void)state;
    __try {
        DbgBreakPoint();
        reached = 1;
    } __except (go_on(GetExceptionInformation())) {
        reached = 2;
    }
    assert_int_equal(reached, 1);
    __try {
        NT_ASSERT(reached == 0);
        reached = 3;
    } __except (GetExceptionCode() == STATUS_ASSERTION_FAILURE ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH) {
        reached = 4;
    }
    assert_int_equal(reached, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_test_hears_them, listen, stop_listening),
        cmocka_unit_test_setup_teardown(filters, listen, stop_listening),
        cmocka_unit_test_setup_teardown(the_longest_message, listen, stop_listening),
        cmocka_unit_test_setup_teardown(break_points, listen, stop_listening),
        cmocka_unit_test_setup_teardown(assertions, listen, stop_listening),
        cmocka_unit_test_setup_teardown(a_filter_takes_them_or_goes_on, listen, stop_listening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
