/*
 * protection_key.c - the key of protection_key.h: who has one, the register, and its image in a signal frame.
 *
 *     PKRU    | key 15 | .. | key 1 | key 0 |     two bits each: 1 no access, 2 no writes
 *
 * The kernel saves the interrupted thread's register with XSAVE and restores it when the handler returns; so a handler that wants the thread to go
 * on with another value writes it there. Where in the XSAVE area that is, the processor says (CPUID leaf 0xD).
 *
 *     fpregs    512 bytes of FXSAVE, the last 48 of which tell what follows | header: which components are there | ... PKRU ...
 *
 * The instructions are written as bytes: not every assembler that we meet knows them, and Valgrind must never meet them.
 */
#include "host/protection_key.h"

#include "host/fault_context.h"

#include <errno.h>
#include <string.h>

#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#if defined(SYS_pkey_alloc) && defined(SEGV_PKUERR)
#define HAVE_KEYS 1
#endif
#endif

#ifdef HAVE_KEYS
#include <cpuid.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CPUID_FEATURES = 7, ECX_OSPKE = 1u << 4 }; /* the processor has it, and the kernel has switched it on */
enum { CPUID_XSAVE = 0xD, PKRU_COMPONENT = 9 };
enum { FXSAVE_BYTES = 512, SOFTWARE_WORDS = 464, SOFTWARE_MAGIC = 0x46505853 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int            taken = -1;  /* the key */
static uint32_t       pkru_offset; /* in the XSAVE area */
static uint32_t       bits_in_use; /* of PKRU; 0: the key is not used */

static uint32_t read_register(void)
{
    uint32_t value, zero;
    __asm__ volatile(".byte 0x0f, 0x01, 0xee" /* rdpkru */ : "=a"(value), "=d"(zero) : "c"(0));
    return value;
}

static void write_register(uint32_t value)
{
    __asm__ volatile(".byte 0x0f, 0x01, 0xef" /* wrpkru */ : : "a"(value), "d"(0), "c"(0) : "memory");
}

/* ---- who has one ---- */

static void take(void)
{
    uint32_t eax, ebx, ecx, edx;
    if (__get_cpuid_count(CPUID_FEATURES, 0, &eax, &ebx, &ecx, &edx) == 0 || (ecx & ECX_OSPKE) == 0)
        return;
    if (__get_cpuid_count(CPUID_XSAVE, PKRU_COMPONENT, &eax, &ebx, &ecx, &edx) == 0 || eax < sizeof(uint32_t) || ebx < FXSAVE_BYTES)
        return;
    pkru_offset = ebx;
    taken = (int)syscall(SYS_pkey_alloc, 0, 0);
}

bool host_key_take(void)
{
    pthread_once(&once, take);
    return taken > 0;
}

void host_key_use(bool used)
{
    bits_in_use = used && taken > 0 ? 3u << (2 * taken) : 0;
    host_key_open();
}

/* ---- the register ---- */

void host_key_close(void)
{
    if (bits_in_use != 0)
        write_register(read_register() | bits_in_use);
}

void host_key_open(void)
{
    if (bits_in_use != 0)
        write_register(read_register() & ~bits_in_use);
}

/* ---- its image in a signal frame ---- */

typedef struct image {
    char *pkru;   /* NULL: the frame has none */
    char *header; /* a bit for each component whose image counts; else it is all zero, and PKRU 0 opens all keys */
} image_t;

static image_t find_image(const ucontext_t *frame)
{
    struct {
        uint32_t magic, extended_bytes;
        uint64_t components;
        uint32_t state_bytes;
    } words;
    char *at = (char *)frame->uc_mcontext.fpregs;
    if (at == NULL || pkru_offset == 0)
        return (image_t){ NULL, NULL };
    memcpy(&words, at + SOFTWARE_WORDS, sizeof words);
    if (words.magic != SOFTWARE_MAGIC || (words.components >> PKRU_COMPONENT & 1) == 0 ||
        words.state_bytes < pkru_offset + sizeof(uint32_t))
        return (image_t){ NULL, NULL };
    return (image_t){ at + pkru_offset, at + FXSAVE_BYTES };
}

static uint32_t read_image(const image_t *image)
{
    uint64_t components;
    uint32_t value;
    memcpy(&components, image->header, sizeof components);
    memcpy(&value, image->pkru, sizeof value);
    return (components >> PKRU_COMPONENT & 1) != 0 ? value : 0;
}

static void write_image(const image_t *image, uint32_t value)
{
    uint64_t components;
    memcpy(&components, image->header, sizeof components);
    components |= UINT64_C(1) << PKRU_COMPONENT;
    memcpy(image->header, &components, sizeof components);
    memcpy(image->pkru, &value, sizeof value);
}

bool host_key_open_interrupted(const host_fault_t *fault)
{
    image_t image = find_image(fault->context);
    if (image.pkru == NULL)
        return false;
    write_image(&image, read_image(&image) & ~bits_in_use);
    return true;
}

uint32_t context_keys(const ucontext_t *frame)
{
    image_t image = find_image(frame);
    return image.pkru != NULL ? read_image(&image) : 0;
}

void context_set_keys(ucontext_t *frame, uint32_t keys)
{
    image_t image = find_image(frame);
    if (image.pkru != NULL)
        write_image(&image, keys);
}

bool context_is_by_key(const siginfo_t *info)
{
    return bits_in_use != 0 && info->si_signo == SIGSEGV && info->si_code == SEGV_PKUERR && (int)info->si_pkey == taken;
}

/* ---- pages ---- */

int host_key_cover(void *at, size_t bytes, unsigned access, bool covered)
{
    unsigned long protection =
        (access & HOST_READ ? PROT_READ : 0u) | (access & HOST_WRITE ? PROT_WRITE : 0u) | (access & HOST_EXECUTE ? PROT_EXEC : 0u);
    if (taken <= 0)
        return -ENOTSUP;
    return syscall(SYS_pkey_mprotect, at, bytes, protection, covered ? taken : 0) == 0 ? 0 : -errno;
}

#else

bool host_key_take(void) { return false; }
void host_key_use(bool used) { (void)used; }
void host_key_close(void) {}
void host_key_open(void) {}

bool host_key_open_interrupted(const host_fault_t *fault)
{
    (void)fault;
    return false;
}

int host_key_cover(void *at, size_t bytes, unsigned access, bool covered)
{
    (void)at, (void)bytes, (void)access, (void)covered;
    return -ENOTSUP;
}

bool context_is_by_key(const siginfo_t *info)
{
    (void)info;
    return false;
}

uint32_t context_keys(const ucontext_t *frame)
{
    (void)frame;
    return 0;
}

void context_set_keys(ucontext_t *frame, uint32_t keys) { (void)frame, (void)keys; }

#endif
