/*
 * test_mailbox.c - a test without any framework: the control API is plain C, and a program's exit status is its verdict.
 */
#include <stdio.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "mailbox.h"

DRIVER_INITIALIZE mailbox_DriverEntry;

static int failures;
#define CHECK(condition) ((condition) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition)))

static NTSTATUS post(PDRIVER_OBJECT driver, UCHAR slot, const char *text, USHORT claimed)
{
    unsigned char   bytes[64];
    PMAILBOX_LETTER letter = (PMAILBOX_LETTER)bytes;
    letter->Slot = slot;
    letter->Bytes = claimed;
    memcpy(letter->Text, text, strlen(text));
    return ntmm_request_control(driver->DeviceObject, IOCTL_MAILBOX_POST, letter,
                                FIELD_OFFSET(MAILBOX_LETTER, Text) + (uint32_t)strlen(text), NULL, 0, NULL);
}

static void letters_are_kept(void)
{
    char        buffer[16] = { 3 };
    size_t      bytes = 0;
    ntmm_report report;

    CHECK(ntmm_boot(NULL) == 0);
    PDRIVER_OBJECT driver = ntmm_driver_load(mailbox_DriverEntry);
    CHECK(driver != NULL);
    CHECK(post(driver, 3, "hello", 5) == STATUS_SUCCESS);
    CHECK(post(driver, 3, "hello", 6) == STATUS_BUFFER_TOO_SMALL);
    CHECK(post(driver, 8, "hello", 5) == STATUS_INVALID_PARAMETER);
    CHECK(ntmm_page_out() != 0); /* the letter, and the code that reads it */
    CHECK(ntmm_request_control(driver->DeviceObject, IOCTL_MAILBOX_FETCH, buffer, 1, buffer, sizeof buffer, &bytes) == STATUS_SUCCESS);
    CHECK(bytes == 5 && memcmp(buffer, "hello", 5) == 0);
    CHECK(ntmm_driver_unload(driver) == 0);
    CHECK(ntmm_shutdown(&report) == 0);
}

static void send_at_dispatch_level(void *driver)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    post(driver, 0, "hello", 5);
    KeLowerIrql(irql);
}

static void requests_at_dispatch_level_stop_the_machine(void)
{
    ntmm_bugcheck stop = { 0 };

    CHECK(ntmm_boot(&(ntmm_config){ .quiet = true }) == 0);
    PDRIVER_OBJECT driver = ntmm_driver_load(mailbox_DriverEntry);
    CHECK(ntmm_catch_bugcheck(send_at_dispatch_level, driver, &stop));
    CHECK(stop.code != 0);
    printf("caught: 0x%X %s\n", stop.code, ntmm_bugcheck_name(stop.code));
    ntmm_shutdown(NULL);
}

int main(void)
{
    letters_are_kept();
    requests_at_dispatch_level_stop_the_machine();
    return failures != 0;
}
