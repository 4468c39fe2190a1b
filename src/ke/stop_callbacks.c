/*
 * stop_callbacks.c - the drivers' bug-check callbacks: registered while the machine is up, called when it stops.
 *
 *     State   BufferEmpty --KeRegister...--> BufferInserted --stop--> BufferStarted --> BufferFinished
 *                 ^----- KeDeregister... --------'                        `-- it faulted or stopped --> BufferIncomplete
 *
 * First the dump is written, with the reason callbacks: pages to add, then header and body to those who watch the writing, then the
 * secondary data. The dump of this machine is the text of the stop report. Then the plain callbacks run. Within a kind the order is that
 * of registration. A record lives in the driver's memory and may have been freed or overwritten since: every step runs guarded, and a
 * record whose checksum does not match is not called.
 *
 * Locks   KE_RANK_KE_CALLBACKS around both lists; not taken by a stop, which runs alone.
 * Source  WDK reference: KeRegisterBugCheckCallback, KeRegisterBugCheckReasonCallback, "Writing a Bug Check Reason Callback Routine".
 */
#include <string.h>

#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/catch.h"
#include "ke/report.h"

#define RECORDS_MAX 1024u /* a longer list is a damaged one */
#define ADD_PAGES_CALLS_MAX 64u
#define SECONDARY_BYTES 4096u /* what InBuffer offers, and the most that one callback may add */

static ke_lock_t  lists_lock = KE_LOCK_INIT(KE_RANK_KE_CALLBACKS);
static LIST_ENTRY plain_list, reason_list;
static uint32_t   lists_generation; /* of the machine whose drivers registered; a new boot starts with empty lists */

/* ---- registering ---- */

static void lists_make_ready_locked(void)
{
    if (lists_generation == ke_machine_generation)
        return;
    plain_list.Flink = plain_list.Blink = &plain_list;
    reason_list.Flink = reason_list.Blink = &reason_list;
    lists_generation = ke_machine_generation;
}

static void list_append(LIST_ENTRY *list, LIST_ENTRY *entry)
{
    entry->Flink = list;
    entry->Blink = list->Blink;
    list->Blink->Flink = entry;
    list->Blink = entry;
}

static bool list_remove(LIST_ENTRY *list, LIST_ENTRY *entry)
{
    LIST_ENTRY *at = list->Flink;
    for (size_t i = 0; at != list && i < RECORDS_MAX; i++, at = at->Flink) {
        if (at != entry)
            continue;
        at->Blink->Flink = at->Flink;
        at->Flink->Blink = at->Blink;
        return true;
    }
    return false;
}

static ULONG_PTR plain_checksum(const KBUGCHECK_CALLBACK_RECORD *record)
{
    return (ULONG_PTR)record->CallbackRoutine + (ULONG_PTR)record->Buffer + record->Length + (ULONG_PTR)record->Component;
}

static ULONG_PTR reason_checksum(const KBUGCHECK_REASON_CALLBACK_RECORD *record)
{
    return (ULONG_PTR)record->CallbackRoutine + (ULONG_PTR)record->Component + (ULONG_PTR)record->Reason;
}

BOOLEAN KeRegisterBugCheckCallback(PKBUGCHECK_CALLBACK_RECORD CallbackRecord, PKBUGCHECK_CALLBACK_ROUTINE CallbackRoutine, PVOID Buffer,
                                   ULONG Length, PUCHAR Component)
{
    ke_thread_t *self = ke_thread_enter(__func__);
    bool         done = false;

    if (self == NULL)
        return FALSE;
    ke_lock(&lists_lock);
    lists_make_ready_locked();
    if (CallbackRecord->State == BufferEmpty) {
        CallbackRecord->CallbackRoutine = CallbackRoutine;
        CallbackRecord->Buffer = Buffer;
        CallbackRecord->Length = Length;
        CallbackRecord->Component = Component;
        CallbackRecord->Checksum = plain_checksum(CallbackRecord);
        CallbackRecord->State = BufferInserted;
        list_append(&plain_list, &CallbackRecord->Entry);
        done = true;
    }
    ke_unlock(&lists_lock);
    ke_thread_leave(self);
    return done;
}

BOOLEAN KeRegisterBugCheckReasonCallback(PKBUGCHECK_REASON_CALLBACK_RECORD  CallbackRecord,
                                         PKBUGCHECK_REASON_CALLBACK_ROUTINE CallbackRoutine, KBUGCHECK_CALLBACK_REASON Reason,
                                         PUCHAR Component)
{
    bool         reserved = Reason < KbCallbackSecondaryDumpData || Reason > KbCallbackTriageDumpData;
    ke_thread_t *self = ke_thread_enter(__func__);
    bool         done = false;

    if (self == NULL)
        return FALSE;
    ke_lock(&lists_lock);
    lists_make_ready_locked();
    if (CallbackRecord->State == BufferEmpty && !reserved) {
        CallbackRecord->CallbackRoutine = CallbackRoutine;
        CallbackRecord->Component = Component;
        CallbackRecord->Reason = Reason;
        CallbackRecord->Checksum = reason_checksum(CallbackRecord);
        CallbackRecord->State = BufferInserted;
        list_append(&reason_list, &CallbackRecord->Entry);
        done = true;
    }
    ke_unlock(&lists_lock);
    ke_thread_leave(self);
    return done;
}

static BOOLEAN deregister(const char *routine, LIST_ENTRY *list, LIST_ENTRY *entry, UCHAR *state)
{
    ke_thread_t *self = ke_thread_enter(routine);
    bool         done;

    if (self == NULL)
        return FALSE;
    ke_lock(&lists_lock);
    lists_make_ready_locked();
    done = *state == BufferInserted && list_remove(list, entry);
    if (done)
        *state = BufferEmpty;
    ke_unlock(&lists_lock);
    ke_thread_leave(self);
    return done;
}

BOOLEAN KeDeregisterBugCheckCallback(PKBUGCHECK_CALLBACK_RECORD CallbackRecord)
{
    return deregister(__func__, &plain_list, &CallbackRecord->Entry, &CallbackRecord->State);
}

BOOLEAN KeDeregisterBugCheckReasonCallback(PKBUGCHECK_REASON_CALLBACK_RECORD CallbackRecord)
{
    return deregister(__func__, &reason_list, &CallbackRecord->Entry, &CallbackRecord->State);
}

/* ---- what the report shows of a callback ---- */

static void component_append(const char *kind, const UCHAR *component)
{
    char   name[64] = "";
    size_t got = component == NULL ? 0 : host_copy_safely(name, component, sizeof name - 1);
    name[got] = '\0';
    for (size_t i = 0; name[i] != '\0'; i++)
        if (name[i] < 0x20 || name[i] > 0x7e)
            name[i] = '.';
    ke_report_append("  %s of \"%s\"", kind, name);
}

static void bytes_append(const void *address, size_t bytes)
{
    unsigned char shown[32];
    size_t        got = host_copy_safely(shown, address, bytes < sizeof shown ? bytes : sizeof shown);
    for (size_t i = 0; i < got; i++)
        ke_report_append("%s%02x", i == 0 ? ":  " : " ", shown[i]);
    ke_report_append("%s\n", got < bytes ? " ..." : "");
}

/* ---- the calls ---- */

typedef struct call_step { /* what one guarded step works on */
    const ntmm_bugcheck      *check;
    LIST_ENTRY               *entry;
    LIST_ENTRY               *next; /* NULL: the list is damaged here */
    KBUGCHECK_CALLBACK_REASON reason;
    void (*run)(struct call_step *step);
    KBUGCHECK_DUMP_IO io;
} call_step_t;

/* The links are read as what they may be: bytes of freed memory. */
static LIST_ENTRY *next_entry(const LIST_ENTRY *entry)
{
    LIST_ENTRY links, next_links;
    bool       intact = host_copy_safely(&links, entry, sizeof links) == sizeof links &&
                  host_copy_safely(&next_links, links.Flink, sizeof next_links) == sizeof next_links && next_links.Blink == entry;
    return intact ? links.Flink : NULL;
}

static void step_call(void *context)
{
    call_step_t *step = context;
    step->next = next_entry(step->entry);
    if (step->next != NULL)
        step->run(step);
}

static void list_walk(LIST_ENTRY *list, call_step_t *step)
{
    if (lists_generation != ke_machine_generation) /* nobody registered since the boot */
        return;
    step->entry = list->Flink;
    for (size_t i = 0; step->entry != list; i++) {
        step->next = NULL;
        ke_guarded(step_call, step);
        if (step->next == NULL || i == RECORDS_MAX) {
            ke_report_append("  (the list of callbacks is damaged: a record was freed or overwritten while registered)\n");
            return;
        }
        step->entry = step->next;
    }
}

static void plain_run(call_step_t *step)
{
    KBUGCHECK_CALLBACK_RECORD *record = CONTAINING_RECORD(step->entry, KBUGCHECK_CALLBACK_RECORD, Entry);

    component_append("callback", record->Component);
    if (record->Checksum != plain_checksum(record)) {
        ke_report_append(": the record was overwritten, so it is not called\n");
        return;
    }
    ke_report_append("\n");
    record->State = BufferStarted;
    if (record->CallbackRoutine != NULL)
        record->CallbackRoutine(record->Buffer, record->Length);
    record->State = BufferFinished;
    if (record->Buffer != NULL && record->Length != 0) {
        ke_report_append("    %u bytes at 0x%llx", record->Length, (unsigned long long)(uintptr_t)record->Buffer);
        bytes_append(record->Buffer, record->Length);
    }
}

/* A callback that did not come back: its record still says so. */
static void incomplete_run(call_step_t *step)
{
    KBUGCHECK_CALLBACK_RECORD *record = CONTAINING_RECORD(step->entry, KBUGCHECK_CALLBACK_RECORD, Entry);
    if (record->State == BufferStarted)
        record->State = BufferIncomplete;
}

static void incomplete_reason_run(call_step_t *step)
{
    KBUGCHECK_REASON_CALLBACK_RECORD *record = CONTAINING_RECORD(step->entry, KBUGCHECK_REASON_CALLBACK_RECORD, Entry);
    if (record->State == BufferStarted)
        record->State = BufferIncomplete;
}

static void reason_call(KBUGCHECK_REASON_CALLBACK_RECORD *record, void *data, ULONG bytes)
{
    record->State = BufferStarted;
    record->CallbackRoutine(record->Reason, record, data, bytes);
    record->State = BufferFinished;
}

static void add_pages(const ntmm_bugcheck *check, KBUGCHECK_REASON_CALLBACK_RECORD *record)
{
    KBUGCHECK_ADD_PAGES pages = { .BugCheckCode = check->code };
    unsigned            calls = 0;

    do {
        pages.Flags = 0;
        pages.Count = 0;
        reason_call(record, &pages, sizeof pages);
        if (pages.Count != 0)
            ke_report_append("    adds %llu pages at %s address 0x%llx\n", (unsigned long long)pages.Count,
                             (pages.Flags & KB_ADD_PAGES_FLAG_PHYSICAL_ADDRESS) != 0 ? "physical" : "virtual",
                             (unsigned long long)pages.Address);
    } while ((pages.Flags & KB_ADD_PAGES_FLAG_ADDITIONAL_RANGES_EXIST) != 0 && ++calls < ADD_PAGES_CALLS_MAX);
}

static void dump_io_all(KBUGCHECK_DUMP_IO_TYPE type, void *buffer, size_t bytes);

static void secondary_data(KBUGCHECK_REASON_CALLBACK_RECORD *record)
{
    static unsigned char          room[SECONDARY_BYTES];
    KBUGCHECK_SECONDARY_DUMP_DATA data = { .InBuffer = room, .InBufferLength = sizeof room, .MaximumAllowed = sizeof room };

    reason_call(record, &data, sizeof data); /* OutBuffer is NULL: how much would it be? */
    if (data.OutBufferLength == 0 || data.OutBufferLength > data.MaximumAllowed) {
        ke_report_append("    offers %u bytes; at most %u are taken\n", data.OutBufferLength, data.MaximumAllowed);
        return;
    }
    data.OutBuffer = data.InBuffer; /* the data, please */
    reason_call(record, &data, sizeof data);
    if (data.OutBuffer == NULL || data.OutBufferLength > data.MaximumAllowed)
        return;
    ke_report_append("    {%08x-%04x-%04x} %u bytes", data.Guid.Data1, data.Guid.Data2, data.Guid.Data3, data.OutBufferLength);
    bytes_append(data.OutBuffer, data.OutBufferLength);
    dump_io_all(KbDumpIoSecondaryData, data.OutBuffer, data.OutBufferLength);
}

static void reason_run(call_step_t *step)
{
    static const char *const          names[] = { [KbCallbackSecondaryDumpData] = "secondary dump data",
                                                  [KbCallbackDumpIo] = "dump I/O",
                                                  [KbCallbackAddPages] = "pages to add",
                                                  [KbCallbackSecondaryMultiPartDumpData] = "multi-part data",
                                                  [KbCallbackRemovePages] = "pages to remove",
                                                  [KbCallbackTriageDumpData] = "triage data" };
    KBUGCHECK_REASON_CALLBACK_RECORD *record = CONTAINING_RECORD(step->entry, KBUGCHECK_REASON_CALLBACK_RECORD, Entry);
    bool                              intact = record->Checksum == reason_checksum(record);

    if (!intact ? step->reason != KbCallbackAddPages : record->Reason != step->reason)
        return; /* its turn comes with another reason; a damaged one is told once */
    if (step->reason == KbCallbackDumpIo) {
        reason_call(record, &step->io, sizeof step->io);
        return;
    }
    component_append(intact ? names[record->Reason] : "callback", record->Component);
    ke_report_append("%s\n", intact ? "" : ": the record was overwritten, so it is not called");
    if (intact && step->reason == KbCallbackAddPages)
        add_pages(step->check, record);
    else if (intact && step->reason == KbCallbackSecondaryDumpData)
        secondary_data(record);
    else if (intact)
        ke_report_append("    (this machine writes no dump that would ask for it: not called)\n");
}

static void dump_io_all(KBUGCHECK_DUMP_IO_TYPE type, void *buffer, size_t bytes)
{
    call_step_t step = { .reason = KbCallbackDumpIo, .run = reason_run };
    step.io = (KBUGCHECK_DUMP_IO){ .Offset = UINT64_MAX, .Buffer = buffer, .BufferLength = (ULONG)bytes, .Type = type };
    list_walk(&reason_list, &step);
}

static void reasons_walk(const ntmm_bugcheck *check, KBUGCHECK_CALLBACK_REASON reason)
{
    call_step_t step = { .check = check, .reason = reason, .run = reason_run };
    list_walk(&reason_list, &step);
}

void ke_stop_callbacks_run(const ntmm_bugcheck *check)
{
    static const KBUGCHECK_CALLBACK_REASON not_called[] = { KbCallbackSecondaryMultiPartDumpData, KbCallbackRemovePages,
                                                            KbCallbackTriageDumpData };
    call_step_t                            step = { .check = check, .run = plain_run };
    size_t                                 bytes;
    char                                  *body = ke_report_text(&bytes);

    if (lists_generation != ke_machine_generation)
        return;
    ke_report_append("\nWhat the drivers' bug-check callbacks say:\n");
    reasons_walk(check, KbCallbackAddPages);
    dump_io_all(KbDumpIoHeader, body, strcspn(body + 1, "\n") + 2); /* the report's first lines */
    dump_io_all(KbDumpIoBody, body, bytes);
    reasons_walk(check, KbCallbackSecondaryDumpData);
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(not_called); i++)
        reasons_walk(check, not_called[i]);
    dump_io_all(KbDumpIoComplete, NULL, 0);
    list_walk(&plain_list, &step);
    step.run = incomplete_run;
    list_walk(&plain_list, &step);
    step.run = incomplete_reason_run;
    list_walk(&reason_list, &step);
}

void ke_stop_callbacks_boot(void) { ke_lock_init(&lists_lock, KE_RANK_KE_CALLBACKS); }
