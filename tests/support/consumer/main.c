/*
 * main.c - the test that somebody else wrote for driver.c, against an installed ntmm.
 */
#include <stdio.h>

#include <ntmm/ntmm.h>

typedef struct MAILBOX *PMAILBOX;
PMAILBOX                MailboxCreate(void);
ULONG                   MailboxPost(PMAILBOX box);
ULONG                   MailboxRename(PMAILBOX box, PCWSTR name);
void                    MailboxDelete(PMAILBOX box);
NTSTATUS                MailboxCopyFrom(PVOID to, const VOID *user, SIZE_T bytes, PULONG attempts);

static int failures;
#define CHECK(condition) ((condition) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition)))

static void delete_twice(void *box)
{
    MailboxDelete(box);
    MailboxDelete(box);
}

static void healthy_driver_leaves_nothing(void)
{
    ntmm_report report;
    PMAILBOX    box;

    CHECK(ntmm_boot(NULL) == 0);
    box = MailboxCreate();
    CHECK(box != NULL && MailboxPost(box) == 1 && MailboxPost(box) == 2);
    CHECK(ntmm_check());
    MailboxDelete(box);
    CHECK(ntmm_shutdown(&report) == 0 && report.leak_count == 0);
}

static void forgotten_block_is_a_leak(void)
{
    ntmm_report report;

    CHECK(ntmm_boot(NULL) == 0);
    MailboxCreate();
    CHECK(ntmm_shutdown(&report) == 1 && report.leaks[0].tag == NTMM_TAG("MBox"));
}

static void double_free_stops_the_machine(void)
{
    ntmm_bugcheck stop = { 0 };

    CHECK(ntmm_boot(&(ntmm_config){ .quiet = true }) == 0);
    CHECK(ntmm_catch_bugcheck(delete_twice, MailboxCreate(), &stop));
    CHECK(stop.code == BAD_POOL_CALLER && stop.parameter[0] == 0x07);
    printf("caught: 0x%X %s (0x%llX, ...)\n", stop.code, ntmm_bugcheck_name(stop.code), (unsigned long long)stop.parameter[0]);
    ntmm_shutdown(NULL);
}

static void bad_pointer_is_an_exception(void)
{
    char  text[8] = "";
    ULONG attempts = 0;

    CHECK(ntmm_boot(NULL) == 0);
    CHECK(MailboxCopyFrom(text, "letter", 7, &attempts) == STATUS_SUCCESS && attempts == 1 && text[0] == 'l');
    CHECK(MailboxCopyFrom(text, (const void *)16, 7, &attempts) == STATUS_ACCESS_VIOLATION && attempts == 2 && text[0] == 'l');
    CHECK(ntmm_shutdown(NULL) == 0);
}

static void rename_at_dispatch_level(void *box)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    MailboxRename(box, L"0123456789abcde");
    KeLowerIrql(irql);
}

/* The link step that comes with the package has given the driver's pageable sections pages of their own. */
static void pageable_code_is_paged(void)
{
    ntmm_fault_counts before, after;
    ntmm_bugcheck     stop = { 0 };
    PMAILBOX          box;

    CHECK(ntmm_boot(&(ntmm_config){ .quiet = true }) == 0);
    box = MailboxCreate();
    CHECK(MailboxRename(box, L"0123456789abcde") == 1);
    CHECK(ntmm_page_out() >= 2);
    ntmm_query_faults(&before);
    CHECK(MailboxRename(box, L"0123456789abcde") == 2);
    ntmm_query_faults(&after);
    CHECK(after.hard == before.hard + 2); /* the function, and what it counts with */
    CHECK(ntmm_page_out() >= 2);
    CHECK(ntmm_catch_bugcheck(rename_at_dispatch_level, box, &stop));
    CHECK(stop.code == DRIVER_PORTION_MUST_BE_NONPAGED && stop.parameter[1] == DISPATCH_LEVEL);
    ntmm_shutdown(NULL);
}

int main(void)
{
    pageable_code_is_paged();
    healthy_driver_leaves_nothing();
    bad_pointer_is_an_exception();
    forgotten_block_is_a_leak();
    double_free_stops_the_machine();
    return failures != 0;
}
