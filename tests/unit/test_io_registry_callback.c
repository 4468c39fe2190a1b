/*
 * test_io_registry_callback.c - registry filters: what they are asked and told, in which order; blocking, doing it themselves, other results; contexts
 * of calls and of key objects; names and numbers of keys.
 */
#include <ntmm/cmocka.h>

#include <string.h>

#define SERVICES L"\\Registry\\Machine\\System\\CurrentControlSet\\Services"

/* ---- filters that write down what they see ---- */

typedef struct filter {
    char             letter;
    LARGE_INTEGER    cookie;
    REG_NOTIFY_CLASS says_no_to; /* a pre, with `answer` */
    REG_NOTIFY_CLASS changes;    /* a post, to `answer` */
    NTSTATUS         answer;
    bool             gives_context; /* to each key object that is opened */
    bool             asks_name;
    int              contexts_seen, contexts_gone;
    bool             leaves;    /* unregisters itself in the next call */
    HANDLE           counts_in; /* a key: before a value is set anywhere, the value there becomes one more */
} filter_t;

static char      history[512];
static bool      nobody_interferes; /* what is opened is what the registry has opened */
static NTSTATUS  last_status;
static WCHAR     last_name[128];
static ULONG_PTR last_id;

static void note(const char *text) { strncat(history, text, sizeof history - strlen(history) - 1); }

static const char *name_of(REG_NOTIFY_CLASS what)
{
    static const struct {
        REG_NOTIFY_CLASS what;
        const char      *name;
    } NAMES[] = { { RegNtPreCreateKeyEx, "create" },
                  { RegNtPostCreateKeyEx, "CREATE" },
                  { RegNtPreOpenKeyEx, "open" },
                  { RegNtPostOpenKeyEx, "OPEN" },
                  { RegNtPreSetValueKey, "set" },
                  { RegNtPostSetValueKey, "SET" },
                  { RegNtPreQueryValueKey, "query" },
                  { RegNtPostQueryValueKey, "QUERY" },
                  { RegNtPreDeleteValueKey, "drop" },
                  { RegNtPostDeleteValueKey, "DROP" },
                  { RegNtPreEnumerateValueKey, "list" },
                  { RegNtPostEnumerateValueKey, "LIST" },
                  { RegNtPreQueryKey, "look" },
                  { RegNtPostQueryKey, "LOOK" },
                  { RegNtPreEnumerateKey, "walk" },
                  { RegNtPostEnumerateKey, "WALK" },
                  { RegNtPreDeleteKey, "delete" },
                  { RegNtPostDeleteKey, "DELETE" },
                  { RegNtPreFlushKey, "flush" },
                  { RegNtPostFlushKey, "FLUSH" },
                  { RegNtPreKeyHandleClose, "close" },
                  { RegNtPostKeyHandleClose, "CLOSE" },
                  { RegNtCallbackObjectContextCleanup, "cleanup" } };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (NAMES[i].what == what)
            return NAMES[i].name;
    return "?";
}

static void look_at_post(filter_t *filter, REG_NOTIFY_CLASS what, const REG_POST_OPERATION_INFORMATION *post)
{
    last_status = post->Status;
    assert_ptr_equal(post->CallContext, filter); /* as its own pre has left it */
    filter->contexts_seen += post->ObjectContext == filter;
    if (what != RegNtPostCreateKeyEx && what != RegNtPostOpenKeyEx)
        return;
    if (nobody_interferes)
        assert_true((post->Object != NULL) == NT_SUCCESS(post->Status));
    if (post->Object != NULL && filter->gives_context)
        assert_int_equal(CmSetCallbackObjectContext(post->Object, &filter->cookie, filter, NULL), STATUS_SUCCESS);
}

static void look_at_pre(filter_t *filter, REG_NOTIFY_CLASS what, PVOID information)
{
    PCUNICODE_STRING name;
    if (what == RegNtPreCreateKeyEx || what == RegNtPreOpenKeyEx) {
        REG_CREATE_KEY_INFORMATION_V1 *open = information;
        assert_true(open->Version == 1 && open->ObjectType == *CmKeyObjectType && open->CallContext == NULL);
        open->CallContext = filter;
    } else if (what == RegNtPreSetValueKey) {
        REG_SET_VALUE_KEY_INFORMATION *set = information;
        set->CallContext = filter;
        filter->contexts_seen += set->ObjectContext == filter;
        if (filter->asks_name) {
            assert_int_equal(CmCallbackGetKeyObjectID(&filter->cookie, set->Object, &last_id, &name), STATUS_SUCCESS);
            memcpy(last_name, name->Buffer, name->Length);
        }
    } else if (what == RegNtPreQueryValueKey)
        ((REG_QUERY_VALUE_KEY_INFORMATION *)information)->CallContext = filter;
    else if (what == RegNtPreDeleteValueKey)
        ((REG_DELETE_VALUE_KEY_INFORMATION *)information)->CallContext = filter;
    else if (what == RegNtPreEnumerateValueKey)
        ((REG_ENUMERATE_VALUE_KEY_INFORMATION *)information)->CallContext = filter;
    else if (what == RegNtPreQueryKey)
        ((REG_QUERY_KEY_INFORMATION *)information)->CallContext = filter;
    else if (what == RegNtPreEnumerateKey)
        ((REG_ENUMERATE_KEY_INFORMATION *)information)->CallContext = filter;
    else if (what != RegNtCallbackObjectContextCleanup)
        ((REG_DELETE_KEY_INFORMATION *)information)->CallContext = filter; /* those of flush and close are alike */
}

static bool is_post(REG_NOTIFY_CLASS what) { return name_of(what)[0] <= 'Z'; }

static NTSTATUS set_value(HANDLE key, ULONG value);
static NTSTATUS get_value(HANDLE key, ULONG *value);

/* A filter that uses the registry hears of that, too, and must know its own calls. */
static void count_the_value(filter_t *filter)
{
    HANDLE key = filter->counts_in;
    ULONG  count = 0;
    filter->counts_in = NULL;
    assert_int_equal(get_value(key, &count), STATUS_SUCCESS);
    assert_int_equal(set_value(key, count + 1), STATUS_SUCCESS);
    filter->counts_in = key;
}

static NTSTATUS see(PVOID context, PVOID argument1, PVOID argument2)
{
    filter_t        *filter = context;
    REG_NOTIFY_CLASS what = (REG_NOTIFY_CLASS)(ULONG_PTR)argument1;
    const char       letter[] = { filter->letter, ':', 0 };
    assert_irql(PASSIVE_LEVEL);
    note(letter);
    note(name_of(what));
    note(" ");
    if (is_post(what))
        look_at_post(filter, what, argument2);
    else
        look_at_pre(filter, what, argument2);
    if (what == RegNtCallbackObjectContextCleanup) {
        assert_ptr_equal(((REG_CALLBACK_CONTEXT_CLEANUP_INFORMATION *)argument2)->ObjectContext, filter);
        filter->contexts_gone++;
        return STATUS_SUCCESS;
    }
    if (what == RegNtPreSetValueKey && filter->counts_in != NULL)
        count_the_value(filter);
    if (filter->leaves) {
        filter->leaves = false;
        assert_int_equal(CmUnRegisterCallback(filter->cookie), STATUS_SUCCESS);
    }
    if (!is_post(what))
        return filter->answer != 0 && filter->says_no_to == what ? filter->answer : STATUS_SUCCESS;
    if (filter->answer == 0 || filter->changes != what)
        return STATUS_SUCCESS;
    ((REG_POST_OPERATION_INFORMATION *)argument2)->ReturnStatus = filter->answer;
    return STATUS_CALLBACK_BYPASS;
}

static NTSTATUS enlist(filter_t *filter, char letter, const WCHAR *altitude)
{
    UNICODE_STRING text;
    RtlInitUnicodeString(&text, altitude);
    memset(filter, 0, sizeof *filter);
    filter->letter = letter;
    filter->says_no_to = filter->changes = MaxRegNtNotifyClass;
    return CmRegisterCallbackEx(see, &text, NULL, filter, &filter->cookie, NULL);
}

static void expect(const char *wanted)
{
    assert_string_equal(history, wanted);
    history[0] = 0;
}

/* ---- the operations ---- */

static NTSTATUS make_key(HANDLE *key)
{
    UNICODE_STRING    name;
    OBJECT_ATTRIBUTES attributes;
    RtlInitUnicodeString(&name, SERVICES L"\\Filtered");
    InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, NULL, NULL);
    return ZwCreateKey(key, KEY_ALL_ACCESS, &attributes, 0, NULL, 0, NULL);
}
static NTSTATUS open_below(HANDLE directory, const WCHAR *path, HANDLE *key)
{
    UNICODE_STRING    name;
    OBJECT_ATTRIBUTES attributes;
    RtlInitUnicodeString(&name, path);
    InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, directory, NULL);
    return ZwOpenKey(key, KEY_READ, &attributes);
}
static NTSTATUS set_value(HANDLE key, ULONG value)
{
    UNICODE_STRING name;
    RtlInitUnicodeString(&name, L"Value");
    return ZwSetValueKey(key, &name, 0, REG_DWORD, &value, sizeof value);
}
static NTSTATUS get_value(HANDLE key, ULONG *value)
{
    struct {
        KEY_VALUE_PARTIAL_INFORMATION head;
        UCHAR                         more[8];
    } answer;
    UNICODE_STRING name;
    ULONG          length;
    RtlInitUnicodeString(&name, L"Value");
    NTSTATUS status = ZwQueryValueKey(key, &name, KeyValuePartialInformation, &answer, sizeof answer, &length);
    if (NT_SUCCESS(status))
        memcpy(value, answer.head.Data, sizeof *value);
    return status;
}

/* ---- what is told ---- */

static void each_operation_in_order(void **state)
{
    filter_t high, low;
    HANDLE   key, same;
    ULONG    value = 0, length;
    UCHAR    room[256];
    (void)state;
    history[0] = 0;
    assert_int_equal(enlist(&low, 'l', L"99999"), STATUS_SUCCESS);
    assert_int_equal(enlist(&high, 'h', L"100000"), STATUS_SUCCESS);
    assert_int_equal(make_key(&key), STATUS_SUCCESS);
    expect("h:create l:create l:CREATE h:CREATE ");
    nobody_interferes = true;
    assert_int_equal(open_below(key, L"Nothing", &same), STATUS_OBJECT_NAME_NOT_FOUND);
    history[0] = 0;
    assert_int_equal(open_below(key, L"", &same), STATUS_SUCCESS);
    expect("h:open l:open l:OPEN h:OPEN ");
    assert_int_equal(set_value(key, 7), STATUS_SUCCESS);
    expect("h:set l:set l:SET h:SET ");
    assert_true(NT_SUCCESS(get_value(key, &value)) && value == 7);
    expect("h:query l:query l:QUERY h:QUERY ");
    assert_int_equal(ZwEnumerateValueKey(key, 0, KeyValueBasicInformation, room, sizeof room, &length), STATUS_SUCCESS);
    expect("h:list l:list l:LIST h:LIST ");
    assert_int_equal(ZwQueryKey(key, KeyBasicInformation, room, sizeof room, &length), STATUS_SUCCESS);
    expect("h:look l:look l:LOOK h:LOOK ");
    assert_int_equal(ZwEnumerateKey(key, 0, KeyBasicInformation, room, sizeof room, &length), STATUS_NO_MORE_ENTRIES);
    assert_int_equal(last_status, STATUS_NO_MORE_ENTRIES);
    expect("h:walk l:walk l:WALK h:WALK ");
    assert_int_equal(ZwFlushKey(key), STATUS_SUCCESS);
    expect("h:flush l:flush l:FLUSH h:FLUSH ");
    UNICODE_STRING name;
    RtlInitUnicodeString(&name, L"Value");
    assert_int_equal(ZwDeleteValueKey(key, &name), STATUS_SUCCESS);
    expect("h:drop l:drop l:DROP h:DROP ");
    assert_int_equal(ZwDeleteKey(key), STATUS_SUCCESS);
    expect("h:delete l:delete l:DELETE h:DELETE ");
    ZwClose(same);
    ZwClose(key);
    expect("h:close l:close l:CLOSE h:CLOSE h:close l:close l:CLOSE h:CLOSE ");
    assert_int_equal(CmUnRegisterCallback(high.cookie), STATUS_SUCCESS);
    assert_int_equal(CmUnRegisterCallback(low.cookie), STATUS_SUCCESS);
    assert_int_equal(CmUnRegisterCallback(low.cookie), STATUS_INVALID_PARAMETER);
    assert_int_equal(open_below(NULL, SERVICES, &key), STATUS_SUCCESS);
    ZwClose(key);
    expect("");
}

static void blocked(void **state)
{
    filter_t high, middle, low;
    HANDLE   key, none;
    ULONG    value;
    (void)state;
    nobody_interferes = false;
    history[0] = 0;
    assert_int_equal(make_key(&key), STATUS_SUCCESS);
    assert_int_equal(enlist(&high, 'h', L"3"), STATUS_SUCCESS);
    assert_int_equal(enlist(&middle, 'm', L"2"), STATUS_SUCCESS);
    assert_int_equal(enlist(&low, 'l', L"1"), STATUS_SUCCESS);
    middle.says_no_to = RegNtPreSetValueKey;
    middle.answer = STATUS_ACCESS_DENIED;
    assert_int_equal(set_value(key, 1), STATUS_ACCESS_DENIED);
    expect("h:set m:set h:SET ");
    assert_int_equal(last_status, STATUS_ACCESS_DENIED);
    assert_int_equal(get_value(key, &value), STATUS_OBJECT_NAME_NOT_FOUND);
    history[0] = 0;
    middle.answer = STATUS_CALLBACK_BYPASS; /* it has done it, it says */
    assert_int_equal(set_value(key, 1), STATUS_SUCCESS);
    expect("h:set m:set h:SET ");
    assert_int_equal(last_status, STATUS_SUCCESS);
    assert_int_equal(get_value(key, &value), STATUS_OBJECT_NAME_NOT_FOUND);
    middle.says_no_to = RegNtPreOpenKeyEx;
    middle.answer = STATUS_ACCESS_DENIED;
    assert_int_equal(open_below(NULL, SERVICES, &none), STATUS_ACCESS_DENIED);
    assert_null(none);
    middle.answer = STATUS_CALLBACK_BYPASS; /* without a key object it is nothing */
    assert_int_equal(open_below(NULL, SERVICES, &none), STATUS_OBJECT_TYPE_MISMATCH);
    assert_null(none);
    middle.answer = 0;
    ZwClose(key);
    CmUnRegisterCallback(high.cookie);
    CmUnRegisterCallback(middle.cookie);
    CmUnRegisterCallback(low.cookie);
}

static void another_result(void **state)
{
    filter_t high, low;
    HANDLE   key, none;
    ULONG    value;
    (void)state;
    nobody_interferes = false;
    assert_int_equal(make_key(&key), STATUS_SUCCESS);
    assert_int_equal(enlist(&high, 'h', L"2"), STATUS_SUCCESS);
    assert_int_equal(enlist(&low, 'l', L"1"), STATUS_SUCCESS);
    low.changes = RegNtPostSetValueKey;
    low.answer = STATUS_NO_MEMORY;
    assert_int_equal(set_value(key, 5), STATUS_NO_MEMORY);
    assert_int_equal(last_status, STATUS_NO_MEMORY); /* the one above sees what is below */
    assert_true(NT_SUCCESS(get_value(key, &value)) && value == 5);
    low.changes = RegNtPostOpenKeyEx; /* the key is opened, and then not */
    assert_int_equal(open_below(NULL, SERVICES, &none), STATUS_NO_MEMORY);
    assert_null(none);
    low.answer = 0;
    ZwClose(key);
    CmUnRegisterCallback(high.cookie);
    CmUnRegisterCallback(low.cookie);
}

/* ---- contexts and names ---- */

static void contexts_of_key_objects(void **state)
{
    filter_t one, other;
    HANDLE   key, second;
    (void)state;
    assert_int_equal(enlist(&one, '1', L"2"), STATUS_SUCCESS);
    assert_int_equal(enlist(&other, '2', L"1"), STATUS_SUCCESS);
    one.gives_context = true;
    assert_int_equal(make_key(&key), STATUS_SUCCESS);
    assert_int_equal(make_key(&second), STATUS_SUCCESS);
    assert_int_equal(set_value(key, 1), STATUS_SUCCESS);
    assert_int_equal(one.contexts_seen, 2); /* before and after */
    assert_int_equal(other.contexts_seen, 0);
    history[0] = 0;
    ZwClose(key);
    expect("1:close 2:close 2:CLOSE 1:CLOSE 1:cleanup ");
    assert_int_equal(one.contexts_gone, 1);
    assert_int_equal(CmUnRegisterCallback(one.cookie), STATUS_SUCCESS);
    expect("1:cleanup ");
    assert_int_equal(one.contexts_gone, 2);
    ZwClose(second);
    assert_int_equal(one.contexts_gone, 2);
    CmUnRegisterCallback(other.cookie);
}

static void a_context_is_replaced(void **state)
{
    filter_t filter;
    HANDLE   key;
    PVOID    object, old = &key;
    (void)state;
    assert_int_equal(make_key(&key), STATUS_SUCCESS);
    assert_int_equal(enlist(&filter, 'f', L"1"), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByHandle(key, 0, *CmKeyObjectType, KernelMode, &object, NULL), STATUS_SUCCESS);
    assert_int_equal(CmSetCallbackObjectContext(object, &filter.cookie, &filter.letter, &old), STATUS_SUCCESS);
    assert_null(old);
    assert_int_equal(CmSetCallbackObjectContext(object, &filter.cookie, &filter, &old), STATUS_SUCCESS);
    assert_ptr_equal(old, &filter.letter);
    assert_int_equal(CmSetCallbackObjectContext(PsInitialSystemProcess, &filter.cookie, &filter, NULL), STATUS_INVALID_PARAMETER);
    LARGE_INTEGER nobody = { .QuadPart = -1 };
    assert_int_equal(CmSetCallbackObjectContext(object, &nobody, &filter, NULL), STATUS_INVALID_PARAMETER);
    ntmm_fail_allocation(1);
    assert_int_equal(CmSetCallbackObjectContext(object, &filter.cookie, &filter, NULL), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(0);
    ObDereferenceObject(object);
    ZwClose(key);
    assert_int_equal(filter.contexts_gone, 1);
    CmUnRegisterCallback(filter.cookie);
}

static void names_and_numbers(void **state)
{
    static const WCHAR WANTED[] = L"\\REGISTRY\\Machine\\System\\CurrentControlSet\\Services\\Filtered";
    filter_t           filter;
    HANDLE             key, second;
    PVOID              object, other;
    PCUNICODE_STRING   name;
    ULONG_PTR          id;
    (void)state;
    assert_int_equal(enlist(&filter, 'f', L"1"), STATUS_SUCCESS);
    filter.asks_name = true;
    memset(last_name, 0, sizeof last_name);
    assert_int_equal(make_key(&key), STATUS_SUCCESS);
    assert_int_equal(set_value(key, 1), STATUS_SUCCESS);
    assert_memory_equal(last_name, WANTED, sizeof WANTED);
    assert_int_equal(set_value(key, 2), STATUS_SUCCESS); /* the name is kept once */
    assert_int_equal(make_key(&second), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByHandle(second, 0, *CmKeyObjectType, KernelMode, &object, NULL), STATUS_SUCCESS);
    assert_int_equal(CmCallbackGetKeyObjectIDEx(&filter.cookie, object, &id, &name, 0), STATUS_SUCCESS);
    assert_int_equal(name->Length, sizeof WANTED - sizeof(WCHAR));
    assert_memory_equal(name->Buffer, WANTED, name->Length);
    assert_int_equal(id, last_id); /* two objects, one key */
    CmCallbackReleaseKeyObjectIDEx(name);
    assert_int_equal(CmCallbackGetKeyObjectIDEx(&filter.cookie, object, NULL, NULL, 1), STATUS_INVALID_PARAMETER);
    assert_int_equal(CmCallbackGetKeyObjectID(&filter.cookie, PsInitialSystemProcess, &id, NULL), STATUS_INVALID_PARAMETER);
    ntmm_fail_allocation(1);
    assert_int_equal(CmCallbackGetKeyObjectID(&filter.cookie, object, NULL, &name), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(0);
    HANDLE parent;
    assert_int_equal(open_below(NULL, SERVICES, &parent), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByHandle(parent, 0, *CmKeyObjectType, KernelMode, &other, NULL), STATUS_SUCCESS);
    assert_int_equal(CmCallbackGetKeyObjectID(&filter.cookie, other, &id, NULL), STATUS_SUCCESS);
    assert_int_not_equal(id, last_id);
    ObDereferenceObject(other);
    ObDereferenceObject(object);
    ZwClose(parent);
    ZwClose(second);
    ZwClose(key);
    CmUnRegisterCallback(filter.cookie);
    assert_int_equal(CmCallbackGetKeyObjectID(&filter.cookie, object, &id, NULL), STATUS_INVALID_PARAMETER);
}

/* ---- registering ---- */

static void registering(void **state)
{
    filter_t      one, two, three, four;
    LARGE_INTEGER plain, second;
    ULONG         major = 9, minor = 9;
    HANDLE        key;
    (void)state;
    history[0] = 0;
    assert_int_equal(enlist(&one, 'a', L"320000"), STATUS_SUCCESS);
    assert_int_equal(enlist(&two, 'b', L"320000"), STATUS_FLT_INSTANCE_ALTITUDE_COLLISION);
    assert_int_equal(enlist(&two, 'b', L"320000.5"), STATUS_SUCCESS);
    assert_int_equal(enlist(&three, 'c', L""), STATUS_INVALID_PARAMETER);
    assert_int_equal(enlist(&three, 'c', L"12x"), STATUS_INVALID_PARAMETER);
    memset(&three, 0, sizeof three);
    three.letter = 'c';
    four = three;
    four.letter = 'd';
    three.says_no_to = three.changes = four.says_no_to = four.changes = MaxRegNtNotifyClass;
    assert_int_equal(CmRegisterCallback(see, &three, &plain), STATUS_SUCCESS);
    assert_int_equal(CmRegisterCallback(see, &four, &second), STATUS_SUCCESS);
    assert_int_equal(open_below(NULL, SERVICES, &key), STATUS_SUCCESS);
    expect("b:open a:open c:open d:open d:OPEN c:OPEN a:OPEN b:OPEN ");
    one.leaves = true; /* from within */
    assert_int_equal(ZwFlushKey(key), STATUS_SUCCESS);
    assert_int_equal(CmUnRegisterCallback(one.cookie), STATUS_INVALID_PARAMETER);
    ZwClose(key);
    CmUnRegisterCallback(two.cookie);
    CmUnRegisterCallback(plain);
    CmUnRegisterCallback(second);
    CmGetCallbackVersion(&major, NULL);
    CmGetCallbackVersion(NULL, &minor);
    assert_true(major == 1 && minor == 1);
    ntmm_fail_allocation(1);
    assert_int_equal(enlist(&one, 'a', L"320000"), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(0);
}

static void a_filter_uses_the_registry(void **state)
{
    filter_t          filter;
    HANDLE            key, journal;
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING    name;
    ULONG             value = 0;
    (void)state;
    history[0] = 0;
    assert_int_equal(make_key(&key), STATUS_SUCCESS);
    RtlInitUnicodeString(&name, L"Journal");
    InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, key, NULL);
    assert_int_equal(ZwCreateKey(&journal, KEY_ALL_ACCESS, &attributes, 0, NULL, 0, NULL), STATUS_SUCCESS);
    assert_int_equal(set_value(journal, 6), STATUS_SUCCESS);
    assert_int_equal(enlist(&filter, 'f', L"320000"), STATUS_SUCCESS);
    filter.counts_in = journal;
    assert_int_equal(set_value(key, 40), STATUS_SUCCESS);
    expect("f:set f:query f:QUERY f:set f:SET f:SET ");
    filter.says_no_to = RegNtPreSetValueKey;
    filter.answer = STATUS_ACCESS_DENIED;
    filter.counts_in = NULL;
    assert_int_equal(set_value(key, 41), STATUS_ACCESS_DENIED);
    assert_int_equal(CmUnRegisterCallback(filter.cookie), STATUS_SUCCESS);
    assert_int_equal(get_value(journal, &value), STATUS_SUCCESS);
    assert_int_equal(value, 7);
    assert_int_equal(get_value(key, &value), STATUS_SUCCESS);
    assert_int_equal(value, 40);
    ZwClose(journal);
    ZwClose(key);
}

static void too_many(void **state)
{
    static filter_t filters[33];
    static WCHAR    altitude[] = L"1000";
    (void)state;
    for (int i = 0; i < 32; i++) {
        altitude[2] = (WCHAR)('0' + i / 10);
        altitude[3] = (WCHAR)('0' + i % 10);
        assert_int_equal(enlist(&filters[i], 'x', altitude), STATUS_SUCCESS);
    }
    assert_int_equal(enlist(&filters[32], 'x', L"5"), STATUS_INSUFFICIENT_RESOURCES);
    for (int i = 0; i < 32; i++)
        assert_int_equal(CmUnRegisterCallback(filters[i].cookie), STATUS_SUCCESS);
}

static void above_apc_level(void **state)
{
    UNICODE_STRING   altitude;
    LARGE_INTEGER    cookie = { .QuadPart = 0 };
    PCUNICODE_STRING name;
    (void)state;
    RtlInitUnicodeString(&altitude, L"1");
    for (int i = 0; i < 5; i++) {
        switch (i) {
        case 0:
            assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL,
                                 at_irql(DISPATCH_LEVEL, CmRegisterCallbackEx(see, &altitude, NULL, NULL, &cookie, NULL)));
            break;
        case 1: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(DISPATCH_LEVEL, CmRegisterCallback(see, NULL, &cookie))); break;
        case 2: assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(DISPATCH_LEVEL, CmUnRegisterCallback(cookie))); break;
        case 3:
            assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL,
                                 at_irql(DISPATCH_LEVEL, CmCallbackGetKeyObjectIDEx(&cookie, NULL, NULL, &name, 0)));
            break;
        default:
            assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(DISPATCH_LEVEL, CmSetCallbackObjectContext(NULL, &cookie, NULL, NULL)));
            break;
        }
        ntmm_cmocka_reboot();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(each_operation_in_order),
        ntmm_cmocka_test(blocked),
        ntmm_cmocka_test(another_result),
        ntmm_cmocka_test(contexts_of_key_objects),
        ntmm_cmocka_test(a_context_is_replaced),
        ntmm_cmocka_test(names_and_numbers),
        ntmm_cmocka_test(registering),
        ntmm_cmocka_test(a_filter_uses_the_registry),
        ntmm_cmocka_test(too_many),
        ntmm_cmocka_test(above_apc_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
