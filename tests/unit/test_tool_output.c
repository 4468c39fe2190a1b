/*
 * test_tool_output.c - files that appear complete or not at all, also when somebody ends the program while it writes.
 */
#include "tool/output.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char                  folder[] = "/tmp/ntmm-output-XXXXXX";
static char                  path[64];
static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static bool file_says(const char *text)
{
    char   found[64] = "";
    FILE  *file = fopen(path, "r");
    size_t length = file != NULL ? fread(found, 1, sizeof found - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    return file != NULL && length == strlen(text) && strcmp(found, text) == 0;
}

static int make_folder(void **state)
{
    (void)state;
    signals = 0;
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/result", folder);
    return 0;
}

/* Nothing but the result may be left. */
static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_text(const char *text, int signal_number, bool keep)
{
    output out;
    assert_true(output_open(&out, path));
    fputs(text, out.stream);
    if (signal_number != 0)
        raise(signal_number);
    assert_int_equal(signals, 0);
    assert_true(output_close(&out, keep));
}

static void the_file_appears_at_the_end(void **state)
{
    (void)state;
    write_text("first", 0, true);
    assert_true(file_says("first"));
    write_text("second", 0, false);
    assert_true(file_says("first"));
    write_text("third", 0, true);
    assert_true(file_says("third"));
}

static void a_signal_waits_for_the_whole_file(void **state)
{
    const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
    (void)state;
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
        void (*before)(int) = signal(ending[i], count_signal);
        signals = 0;
        write_text("whole", ending[i], true);
        assert_int_equal(signals, 1);
        assert_true(file_says("whole"));
        signal(ending[i], before);
    }
}

static void a_file_that_cannot_be_made_holds_nothing_back(void **state)
{
    output out;
    (void)state;
    assert_false(output_open(&out, "/no/such/folder/result"));
    void (*before)(int) = signal(SIGTERM, count_signal);
    raise(SIGTERM);
    assert_int_equal(signals, 1);
    signal(SIGTERM, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_file_appears_at_the_end, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_signal_waits_for_the_whole_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_made_holds_nothing_back, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
