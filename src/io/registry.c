/*
 * registry.c - the tree of keys and values.
 *
 *     absent --- created ---> in the tree --- deleted ---> gone, `opens` key objects left ---> freed with the last one
 *
 * Locks       registry_lock (leaf): everything; only the host's allocator is called with it held.
 * Source      WDK reference: "Registry key object routines", "Using the registry in a driver".
 * Fidelity    one hive, empty at each boot but for the keys that are always there; no security, no symbolic links, no transactions. Names are
 *             folded as ASCII.
 */
#include "io/registry.h"

#include <stdlib.h>
#include <string.h>

#include "io/object_name.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

static ke_lock_t registry_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static io_key_t *root; /* NULL: nobody has asked yet */

/* ---- memory ---- */

static void free_value(io_value_t *value)
{
    free(value->name.Buffer);
    free(value->data);
    free(value);
}

static void free_key(io_key_t *key)
{
    while (key->values != NULL) {
        io_value_t *value = key->values;
        key->values = value->next;
        free_value(value);
    }
    free(key->name.Buffer);
    free(key->class_name.Buffer);
    free(key);
}

static void free_tree(io_key_t *key)
{
    while (key->first != NULL) {
        io_key_t *child = key->first;
        key->first = child->next;
        free_tree(child);
    }
    free_key(key);
}

/* Key objects were pool of the machine, and went with it; deleted keys that they kept are lost with them. */
void io_registry_reset(void)
{
    ke_lock_init(&registry_lock, KE_RANK_LEAF);
    if (root != NULL)
        free_tree(root);
    root = NULL;
}

/* ---- keys ---- */

void io_key_touch_locked(io_key_t *key) { KeQuerySystemTime(&key->written); }

static int compare(PCUNICODE_STRING one, PCUNICODE_STRING other)
{
    size_t shorter = (one->Length < other->Length ? one->Length : other->Length) / sizeof(WCHAR);
    for (size_t i = 0; i < shorter; i++) {
        int a = one->Buffer[i], b = other->Buffer[i];
        a -= a >= 'a' && a <= 'z' ? 'a' - 'A' : 0;
        b -= b >= 'a' && b <= 'z' ? 'a' - 'A' : 0;
        if (a != b)
            return a - b;
    }
    return (int)one->Length - (int)other->Length;
}

/* The first child whose name is not below that one. */
static io_key_t **place_of(io_key_t *parent, PCUNICODE_STRING name)
{
    io_key_t **link = &parent->first;
    while (*link != NULL && compare(&(*link)->name, name) < 0)
        link = &(*link)->next;
    return link;
}

static io_key_t *make_key(PCUNICODE_STRING name)
{
    io_key_t *key = calloc(1, sizeof *key);
    if (key == NULL)
        return NULL;
    key->name.Buffer = malloc(name->Length + sizeof(WCHAR));
    if (key->name.Buffer == NULL) {
        free(key);
        return NULL;
    }
    if (name->Length != 0)
        memcpy(key->name.Buffer, name->Buffer, name->Length);
    key->name.Length = key->name.MaximumLength = name->Length;
    io_key_touch_locked(key);
    return key;
}

static UNICODE_STRING first_name(UNICODE_STRING *path)
{
    UNICODE_STRING name = { .Buffer = path->Buffer };
    size_t         at = 0, count = path->Length / sizeof(WCHAR);
    while (at < count && path->Buffer[at] != '\\')
        at++;
    name.Length = (USHORT)(at * sizeof(WCHAR));
    at += at < count;
    path->Buffer += at;
    path->Length = (USHORT)(path->Length - at * sizeof(WCHAR));
    return name;
}

static NTSTATUS add_child(io_key_t *parent, io_key_t **link, PCUNICODE_STRING name, bool is_volatile, io_key_t **key)
{
    if (parent->is_volatile && !is_volatile)
        return STATUS_CHILD_MUST_BE_VOLATILE;
    io_key_t *fresh = make_key(name);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    fresh->parent = parent;
    fresh->is_volatile = is_volatile;
    fresh->next = *link;
    *link = fresh;
    io_key_touch_locked(parent);
    *key = fresh;
    return STATUS_SUCCESS;
}

NTSTATUS io_key_find_locked(io_key_t *from, UNICODE_STRING path, io_key_create_t create, bool is_volatile, io_key_t **key, bool *created)
{
    io_key_t *at = from != NULL ? from : root;
    NTSTATUS  status = STATUS_SUCCESS;
    *created = false;
    if (at->deleted)
        return STATUS_KEY_DELETED;
    while (path.Length != 0 && NT_SUCCESS(status)) {
        UNICODE_STRING name = first_name(&path);
        if (name.Length == 0)
            return STATUS_OBJECT_NAME_INVALID;
        io_key_t **link = place_of(at, &name), *parent = at;
        at = *link;
        if (at != NULL && compare(&at->name, &name) == 0)
            continue;
        *created = create == IO_KEY_CREATE_ALL || (create == IO_KEY_CREATE_LAST && path.Length == 0);
        status = *created ? add_child(parent, link, &name, is_volatile, &at) : STATUS_OBJECT_NAME_NOT_FOUND;
    }
    *key = at;
    return status;
}

io_key_t *io_key_child_locked(const io_key_t *key, ULONG index)
{
    io_key_t *child = key->first;
    while (child != NULL && index-- != 0)
        child = child->next;
    return child;
}

static void take_out(io_key_t *key)
{
    io_key_t **link = &key->parent->first;
    while (*link != key)
        link = &(*link)->next;
    *link = key->next;
    io_key_touch_locked(key->parent);
    key->parent = key->next = NULL;
    key->deleted = true;
    if (key->opens == 0)
        free_key(key);
}

void io_key_free_locked(io_key_t *key) { free_key(key); }

NTSTATUS io_key_delete_locked(io_key_t *key, bool with_children)
{
    if (key->deleted)
        return STATUS_KEY_DELETED;
    if (key->parent == NULL || (key->first != NULL && !with_children))
        return STATUS_CANNOT_DELETE;
    while (key->first != NULL)
        (void)io_key_delete_locked(key->first, true);
    take_out(key);
    return STATUS_SUCCESS;
}

size_t io_key_path_locked(const io_key_t *key, WCHAR *path)
{
    static const WCHAR REGISTRY[] = L"\\REGISTRY";
    size_t             bytes = sizeof REGISTRY - sizeof(WCHAR);
    if (key->parent == NULL) {
        if (path != NULL)
            memcpy(path, REGISTRY, bytes);
        return bytes;
    }
    bytes = io_key_path_locked(key->parent, path);
    if (path != NULL) {
        path[bytes / sizeof(WCHAR)] = '\\';
        memcpy(path + bytes / sizeof(WCHAR) + 1, key->name.Buffer, key->name.Length);
    }
    return bytes + sizeof(WCHAR) + key->name.Length;
}

/* ---- values ---- */

io_value_t *io_value_find_locked(const io_key_t *key, PCUNICODE_STRING name)
{
    io_value_t *value = key->values;
    while (value != NULL && compare(&value->name, name) != 0)
        value = value->next;
    return value;
}

io_value_t *io_value_at_locked(const io_key_t *key, ULONG index)
{
    io_value_t *value = key->values;
    while (value != NULL && index-- != 0)
        value = value->next;
    return value;
}

static io_value_t *add_value(io_key_t *key, UNICODE_STRING *name)
{
    io_value_t *fresh = calloc(1, sizeof *fresh), **link = &key->values;
    if (fresh == NULL)
        return NULL;
    fresh->name = *name;
    name->Buffer = NULL;
    while (*link != NULL)
        link = &(*link)->next;
    *link = fresh;
    return fresh;
}

NTSTATUS io_value_set_locked(io_key_t *key, UNICODE_STRING *name, ULONG type, void *data, ULONG bytes)
{
    if (key->deleted)
        return STATUS_KEY_DELETED;
    io_value_t *value = io_value_find_locked(key, name);
    if (value == NULL)
        value = add_value(key, name);
    if (value == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    free(value->data);
    value->data = data;
    value->bytes = bytes;
    value->type = type;
    io_key_touch_locked(key);
    return STATUS_SUCCESS;
}

bool io_value_delete_locked(io_key_t *key, PCUNICODE_STRING name)
{
    io_value_t **link = &key->values;
    while (*link != NULL && compare(&(*link)->name, name) != 0)
        link = &(*link)->next;
    io_value_t *value = *link;
    if (value == NULL)
        return false;
    *link = value->next;
    free_value(value);
    io_key_touch_locked(key);
    return true;
}

/* ---- what is always there ---- */

static void make_usual_keys(void)
{
    static WCHAR SERVICES[] = L"Machine\\System\\CurrentControlSet\\Services", CONTROL[] = L"Machine\\System\\CurrentControlSet\\Control",
                 ENUM[] = L"Machine\\System\\CurrentControlSet\\Enum", MAP[] = L"Machine\\Hardware\\DeviceMap", USER[] = L"User\\.Default",
                 NT[] = L"Machine\\Software\\Microsoft\\Windows NT\\CurrentVersion";
    static const UNICODE_STRING USUAL[] = { RTL_CONSTANT_STRING(SERVICES), RTL_CONSTANT_STRING(CONTROL), RTL_CONSTANT_STRING(ENUM),
                                            RTL_CONSTANT_STRING(MAP),      RTL_CONSTANT_STRING(USER),    RTL_CONSTANT_STRING(NT) };
    io_key_t                   *key;
    bool                        created;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(USUAL); i++)
        (void)io_key_find_locked(root, USUAL[i], IO_KEY_CREATE_ALL, false, &key, &created);
}

void io_registry_lock(void)
{
    static const UNICODE_STRING no_name = { 0 };
    ke_lock(&registry_lock);
    if (root != NULL)
        return;
    root = make_key(&no_name);
    NTMM_INVARIANT(root != NULL, "the host has memory for an empty registry");
    make_usual_keys();
}

void io_registry_unlock(void) { ke_unlock(&registry_lock); }
