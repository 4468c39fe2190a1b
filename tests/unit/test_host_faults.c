/*
 * test_host_faults.c - faults that the machine resolves, redirects or passes on; what it is told of each.
 * The handlers here stand for the machine's. Loads and stores go through volatile pointers, so that each is really made.
 */
#include "host/fault_context.h"
#include "host/host.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include <cmocka.h>

static host_fault_t     last; /* copied by the handlers */
static _Atomic unsigned handled;
static char            *pages; /* of the test: a reservation of 4 pages */
static size_t           page;

static int open_pages(void **state)
{
    (void)state;
    page = host_page_size();
    pages = host_reserve(4 * page);
    atomic_store(&handled, 0);
    memset(&last, 0, sizeof last);
    return pages == NULL;
}

static int close_pages(void **state)
{
    (void)state;
    host_faults_stop();
    host_release(pages, 4 * page);
    return 0;
}

#define UNINSTRUMENTED __attribute__((noinline, no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined")))

/* Not instrumented: a sanitizer touches the shadow of a wild address before the address itself. */
UNINSTRUMENTED static int  load(const void *at) { return *(volatile const char *)at; }
UNINSTRUMENTED static void store(void *at, char value) { *(volatile char *)at = value; }

/* ---- resolved ---- */

static bool in_pages(uintptr_t address) { return address - (uintptr_t)pages < 4 * page; }

static host_fault_verdict_t open_the_page(host_fault_t *fault)
{
    if (!in_pages(fault->address))
        return HOST_FAULT_NOT_OURS;
    last = *fault;
    atomic_fetch_add(&handled, 1);
    errno = EDOM; /* the handler preserves it for the interrupted code */
    unsigned access = HOST_READ | (fault->write ? (unsigned)HOST_WRITE : 0) | (fault->execute ? (unsigned)HOST_EXECUTE : 0);
    host_protect((void *)(fault->address & ~(uintptr_t)(page - 1)), page, access);
    return HOST_FAULT_RESOLVED;
}

static void a_page_is_opened_on_demand(void **state)
{
    (void)state;
    assert_false(host_faults_armed());
    assert_int_equal(host_faults_start(open_the_page), 0);
    assert_true(host_faults_armed());
    assert_int_equal(host_faults_start(open_the_page), -EBUSY);
    errno = 5;
    assert_int_equal(load(pages + 10), 0);
    assert_int_equal(errno, 5);
    assert_int_equal(handled, 1);
    assert_int_equal(load(pages + page - 1), 0);
    assert_int_equal(handled, 1);
    assert_int_equal(last.address, (uintptr_t)pages + 10);
    host_faults_stop();
    assert_false(host_faults_armed());
}

static void access_kinds_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(host_faults_start(open_the_page), 0);
    load(pages);
    assert_int_equal(last.write, 0);
    assert_int_equal(last.execute, 0);
    store(pages, 1); /* readable by now: a write to a read-only page */
    assert_int_equal(last.write, 1);
    assert_int_equal(last.execute, 0);
    store(pages + page, 2); /* and one to a page that is not there */
    assert_int_equal(last.write, 1);
    memset(pages + 2 * page + 8, 1, 64);
    assert_int_equal(last.write, 1);
    assert_int_equal(handled, 4);
    assert_int_equal(last.non_canonical, 0);
    assert_true(last.pc != 0 && last.sp != 0);
    uintptr_t here = (uintptr_t)&state;
    assert_true(last.sp - here < 65536 || here - last.sp < 65536);
}

/* A function of one return instruction, in a page that is not executable yet. */
static void execution_is_an_access_kind(void **state)
{
    (void)state;
#if defined(__x86_64__)
    static const unsigned char code[] = { 0xc3 };
#else
    static const unsigned char code[] = { 0xc0, 0x03, 0x5f, 0xd6 };
#endif
    assert_int_equal(host_protect(pages, page, HOST_READ | HOST_WRITE), 0);
    memcpy(pages, code, sizeof code);
    __builtin___clear_cache(pages, pages + sizeof code);
    assert_int_equal(host_faults_start(open_the_page), 0);
    ((void (*)(void))(uintptr_t)pages)();
    assert_int_equal(handled, 1);
    assert_int_equal(last.execute, 1);
    assert_int_equal(last.write, 0);
    assert_int_equal(last.address, (uintptr_t)pages);
    assert_int_equal(last.pc, (uintptr_t)pages);
}

/* ---- a fault beyond the end of an object comes as SIGBUS on Linux ---- */

static host_fault_verdict_t cover_with_memory(host_fault_t *fault)
{
    last = *fault;
    void *at = (void *)(fault->address & ~(uintptr_t)(page - 1));
    if (mmap(at, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_FIXED, -1, 0) == MAP_FAILED)
        return HOST_FAULT_NOT_OURS;
    return HOST_FAULT_RESOLVED;
}

static void a_bus_error_is_a_fault_too(void **state)
{
    /* qemu-user makes large pages of small ones, and ends objects between them */
    if (getenv("NTMM_EMULATED") != NULL && host_page_size() > 4096)
        skip();
    (void)state;
    host_object_t object;
    assert_int_equal(host_object_create(&object, page, HOST_OBJECT_BEST), 0);
    assert_int_equal(host_map_object(pages, &object, 0, 2 * page, HOST_READ | HOST_WRITE), 0);
    assert_int_equal(host_faults_start(cover_with_memory), 0);
    assert_int_equal(load(pages + page + 7), 0);
    assert_int_equal(last.address, (uintptr_t)pages + page + 7);
    assert_int_equal(last.bus, 1);
    host_object_close(&object);
}

/* ---- redirected ---- */

static sigjmp_buf  resume_here;
static void *const expected_argument = &resume_here;

static _Noreturn void continue_here(void *argument)
{
    volatile char frame[64] __attribute__((aligned(16))); /* faults in some libraries if the stack were misaligned */
    memset((void *)(uintptr_t)frame, 0, sizeof frame);
    if (argument != expected_argument || (uintptr_t)frame % 16 != 0)
        abort();
    siglongjmp(resume_here, 1);
}

static host_fault_verdict_t redirect_all(host_fault_t *fault)
{
    last = *fault;
    atomic_fetch_add(&handled, 1);
    host_fault_redirect(fault, continue_here, expected_argument, NULL);
    return HOST_FAULT_REDIRECT;
}

#define REDIRECTED(...) (sigsetjmp(resume_here, 0) == 0 ? ((void)(__VA_ARGS__), false) : true)

static void *volatile nothing; /* NULL, but the compiler does not know */

static void a_null_call_continues_elsewhere(void **state)
{
    if (getenv("NTMM_EMULATED") != NULL) /* qemu-user fetches ahead of the jump */
        skip();
    (void)state;
    assert_int_equal(host_faults_start(redirect_all), 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(REDIRECTED(((void (*)(void))(uintptr_t)nothing)()));
    assert_int_equal(handled, 1000);
    assert_int_equal(last.execute, 1);
    assert_int_equal(last.pc, 0);
    assert_int_equal(last.address, 0);
}

static void a_read_inside_memcpy_continues_elsewhere(void **state)
{
    (void)state;
    static char buffer[8192];
    void *(*volatile copy)(void *, const void *, size_t) = memcpy; /* the library's, not the compiler's own idea of it */
    assert_int_equal(host_faults_start(redirect_all), 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(REDIRECTED(copy(buffer, pages + i, sizeof buffer)));
    assert_int_equal(handled, 1000);
    assert_true(in_pages(last.address));
    assert_int_equal(last.write, 0);
}

/* After siglongjmp without a saved mask nothing may be left behind: no blocked signal, no stack marked as in use. */
static void redirection_leaves_the_handler(void **state)
{
    (void)state;
    sigset_t before, after;
    stack_t  stack;
    host_thread_faults_prepare();
    sigemptyset(&before);
    sigemptyset(&after);
    sigaddset(&before, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &before, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(host_faults_start(redirect_all), 0);
    assert_true(REDIRECTED(load(pages)));
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int i = 1; i < 32; i++)
        assert_int_equal(sigismember(&before, i), sigismember(&after, i));
    assert_int_equal(sigaltstack(NULL, &stack), 0);
    assert_int_equal(stack.ss_flags & SS_ONSTACK, 0);
    sigemptyset(&before);
    sigaddset(&before, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &before, NULL);
}

#if defined(__x86_64__)
static void the_direction_flag_is_clear(void *argument)
{
    uint64_t flags;
    (void)argument;
    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags));
    siglongjmp(resume_here, (flags & 0x400) != 0 ? 2 : 1);
}

static host_fault_verdict_t redirect_to_flag_check(host_fault_t *fault)
{
    host_fault_redirect(fault, the_direction_flag_is_clear, NULL, NULL);
    return HOST_FAULT_REDIRECT;
}

static void a_backward_string_move_is_forgotten(void **state)
{
    (void)state;
    assert_int_equal(host_faults_start(redirect_to_flag_check), 0);
    int result = sigsetjmp(resume_here, 0);
    if (result == 0) {
        char          target[8];
        const char   *from = pages + 8;
        char         *to = target + 7;
        unsigned long count = 8;
        __asm__ volatile("std\n\trep movsb\n\tcld" : "+S"(from), "+D"(to), "+c"(count)::"memory");
        fail();
    }
    assert_int_equal(result, 1);
}

static void non_canonical_pointers_are_marked(void **state)
{
    (void)state;
    assert_int_equal(host_faults_start(redirect_all), 0);
    void *volatile wild = (void *)0xdfdfdfdfdfdfdf00u;
    assert_true(REDIRECTED(load(wild)));
    assert_int_equal(last.non_canonical, 1);
    assert_int_equal(last.address, 0xdfdfdfdfdfdfdf00u);
    assert_true(REDIRECTED(load(nothing)));
    assert_int_equal(last.non_canonical, 0);
    assert_int_equal(last.address, 0);
}
#endif

/* ---- the record of an AArch64 fault, which not every kernel writes ---- */

#if defined(__aarch64__) && defined(__linux__)
static struct esr_case {
    uint32_t class, bits;
    int write, execute;
} esr_cases[] = {
    { 0x24, 0x0000, 0, 0 },                         /* data abort, a load */
    { 0x24, 0x0040, 1, 0 },                         /* a store */
    { 0x24, 0x0140, 0, 0 },                         /* cache maintenance: needs read access only */
    { 0x25, 0x0040, 1, 0 }, { 0x20, 0x0000, 0, 1 }, /* instruction abort */
};

static void the_syndrome_record_is_read(void **state)
{
    (void)state;
    static ucontext_t context;
    siginfo_t         info = { .si_addr = (void *)0x5000 };
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(esr_cases); i++) {
        const struct esr_case *row = &esr_cases[i];
        uint32_t              *record = (uint32_t *)(void *)context.uc_mcontext.__reserved;
        record[0] = 0x46508001; /* the vector registers come first */
        record[1] = 528;
        record += 528 / 4;
        record[0] = 0x45535201;
        record[1] = 16;
        *(uint64_t *)(void *)&record[2] = ((uint64_t)row->class << 26) | row->bits;
        host_fault_t fault = { .bus = 0 };
        context_read(&fault, &info, &context);
        assert_int_equal(fault.address, 0x5000);
        assert_int_equal(fault.write, row->write);
        assert_int_equal(fault.execute, row->execute);
        assert_int_equal(fault.non_canonical, 0);
    }
}
#endif

/* ---- an overflown stack ---- */

static char         *emergency_stack;
static volatile bool on_emergency_stack;

static void land_on_emergency_stack(void *argument)
{
    char here;
    on_emergency_stack = (uintptr_t)&here - (uintptr_t)emergency_stack < 65536;
    continue_here(argument);
}

static host_fault_verdict_t redirect_to_emergency_stack(host_fault_t *fault)
{
    host_fault_redirect(fault, land_on_emergency_stack, expected_argument, emergency_stack + 65536);
    return HOST_FAULT_REDIRECT;
}

static volatile bool go_on = true;

__attribute__((noinline)) static int recurse_for_ever(volatile char *above)
{
    volatile char here[512];
    here[0] = above[0];
    int depth = go_on ? recurse_for_ever(here) : 0;
    return depth + here[0]; /* no tail call */
}

static void overflow_thread(void *argument)
{
    char zero = 0;
    host_thread_faults_prepare();
    *(bool *)argument = REDIRECTED(recurse_for_ever(&zero));
}

static void an_overflown_stack_is_a_fault(void **state)
{
    (void)state;
    bool           redirected = false;
    host_thread_t *thread;
    emergency_stack = malloc(65536);
    assert_int_equal(host_faults_start(redirect_to_emergency_stack), 0);
    assert_int_equal(host_thread_start(&thread, overflow_thread, &redirected), 0);
    host_thread_join(thread);
    assert_true(redirected);
    assert_true(on_emergency_stack);
    free(emergency_stack);
}

/* ---- two threads at once ---- */

static _Atomic unsigned at_once;
static _Atomic unsigned at_once_most;

static host_fault_verdict_t meet_and_open(host_fault_t *fault)
{
    unsigned now = atomic_fetch_add(&at_once, 1) + 1;
    for (unsigned spin = 0; spin < 200 && atomic_load(&at_once_most) < 2; spin++) {
        if (now >= 2 || atomic_load(&at_once) >= 2)
            atomic_store(&at_once_most, 2);
        host_yield();
    }
    atomic_fetch_sub(&at_once, 1);
    atomic_fetch_add(&handled, 1);
    host_protect((void *)(fault->address & ~(uintptr_t)(page - 1)), page, HOST_READ);
    return HOST_FAULT_RESOLVED;
}

static void touch_and_close(void *argument)
{
    char *at = argument;
    for (unsigned i = 0; i < 2000; i++) {
        load(at);
        host_protect(at, page, HOST_NONE);
    }
}

static void two_threads_fault_at_once(void **state)
{
    (void)state;
    host_thread_t *threads[2];
    assert_int_equal(host_faults_start(meet_and_open), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(host_thread_start(&threads[i], touch_and_close, pages + i * page), 0);
    for (unsigned i = 0; i < 2; i++)
        host_thread_join(threads[i]);
    assert_int_equal(handled, 4000);
    assert_int_equal(at_once_most, 2);
}

/* ---- the end of a process whose fault nobody wants ---- */

static host_fault_verdict_t not_ours(host_fault_t *fault)
{
    (void)fault;
    return HOST_FAULT_NOT_OURS;
}

static host_fault_verdict_t fault_again(host_fault_t *fault)
{
    load((void *)(fault->address + 64));
    return HOST_FAULT_RESOLVED;
}

static void prepare_to_die(void)
{
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
}

static void die_of_a_load(void)
{
    prepare_to_die();
    host_faults_start(not_ours);
    load(pages);
}

static void die_of_an_ignored_load(void)
{
    signal(SIGSEGV, SIG_IGN);
    host_faults_start(not_ours);
    load(pages);
}

static void die_of_a_sent_signal(void)
{
    prepare_to_die();
    host_faults_start(redirect_all);
    raise(SIGSEGV);
}

static void die_inside_the_handler(void)
{
    prepare_to_die();
    host_faults_start(fault_again);
    load(pages);
}

static void survive_an_ignored_sent_signal(void)
{
    signal(SIGSEGV, SIG_IGN);
    host_faults_start(redirect_all);
    raise(SIGSEGV);
    _exit(33);
}

static void die_of_an_invariant(void)
{
    close(STDERR_FILENO);
    signal(SIGABRT, SIG_DFL);
    NTMM_INVARIANT(page == 0, "a page has no bytes");
}

static struct death {
    const char *name;
    void (*die)(void);
    int signal, code;
} deaths[] = {
    { "default action: the process dies of the fault", die_of_a_load, SIGSEGV, 0 },
    { "ignored: the process dies all the same", die_of_an_ignored_load, SIGSEGV, 0 },
    { "a signal sent by a program is not a fault", die_of_a_sent_signal, SIGSEGV, 0 },
    { "a sent signal can be ignored", survive_an_ignored_sent_signal, 0, 33 },
    { "a fault inside the machine's handler is not the machine's", die_inside_the_handler, SIGSEGV, 0 },
    { "a broken invariant aborts", die_of_an_invariant, SIGABRT, 0 },
};

static void check_death(void **state)
{
    const struct death *row = *state;
    int                 status;
    open_pages(NULL);
    pid_t child = fork();
    if (child == 0) {
        row->die();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : 0, row->signal);
    assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : 0, row->code);
    close_pages(NULL);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, open_pages, close_pages)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_page_is_opened_on_demand),
        ROW(access_kinds_are_told_apart),
        ROW(execution_is_an_access_kind),
        ROW(a_bus_error_is_a_fault_too),
        ROW(a_null_call_continues_elsewhere),
        ROW(a_read_inside_memcpy_continues_elsewhere),
        ROW(redirection_leaves_the_handler),
#if defined(__x86_64__)
        ROW(a_backward_string_move_is_forgotten),
        ROW(non_canonical_pointers_are_marked),
#endif
#if defined(__aarch64__) && defined(__linux__)
        ROW(the_syndrome_record_is_read),
#endif
        ROW(an_overflown_stack_is_a_fault),
        ROW(two_threads_fault_at_once),
    };
    struct CMUnitTest death_tests[NTMM_ARRAY_COUNT(deaths)];
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(deaths); i++)
        death_tests[i] = (struct CMUnitTest){ deaths[i].name, check_death, NULL, NULL, &deaths[i] };
    return cmocka_run_group_tests(tests, NULL, NULL) + cmocka_run_group_tests(death_tests, NULL, NULL);
}
