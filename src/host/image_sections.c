/*
 * image_sections.c - the sections of the program and of its libraries, where they lie now.
 * ELF: the loader maps segments and forgets sections, so their headers are read from the file, and believed only if the file has the
 * program headers that were loaded. Mach-O: the load commands are in memory and name every section.
 *
 *     file      | header | PAGE | .text | ... | section headers | names |
 *     memory      base + sh_addr, sh_size, sh_flags
 *
 * Locks   the dynamic linker's, around each visit; the tables here are one caller's at a time.
 * Source  System V ABI, chapters 4 and 5; dl_iterate_phdr(3); OS X ABI Mach-O File Format Reference.
 */
#include "host/image_sections.h"

#include <string.h>

static host_section_t table[HOST_IMAGE_SECTIONS];

static size_t add_section(size_t count, host_section_t section)
{
    size_t at = count;
    if (count == HOST_IMAGE_SECTIONS || section.bytes == 0)
        return count;
    for (; at > 0 && table[at - 1].start > section.start; at--)
        table[at] = table[at - 1];
    table[at] = section;
    return count + 1;
}

static void copy_name(host_section_t *section, const char *name, size_t most)
{
    most = most < sizeof section->name - 1 ? most : sizeof section->name - 1;
    strncpy(section->name, name, most);
}

#ifdef __linux__
#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <unistd.h>

#define NAMES_BYTES 16384u
#define SEGMENTS 64u

static char names[NAMES_BYTES];
static ElfW(Shdr) headers[HOST_IMAGE_SECTIONS];
static ElfW(Phdr) segments[SEGMENTS];

static bool read_at(int fd, uint64_t offset, void *to, size_t bytes) { return pread(fd, to, bytes, (off_t)offset) == (ssize_t)bytes; }

static bool is_program(const struct dl_phdr_info *object) { return (uintptr_t)object->dlpi_phdr == getauxval(AT_PHDR); }

/* The program may have been started through the dynamic linker, or the file replaced: then this is not the file. */
static bool is_its_file(int fd, const struct dl_phdr_info *object, ElfW(Ehdr) * header)
{
    size_t bytes = object->dlpi_phnum * sizeof segments[0];
    return read_at(fd, 0, header, sizeof *header) && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_phnum == object->dlpi_phnum && header->e_phnum <= SEGMENTS && read_at(fd, header->e_phoff, segments, bytes) &&
           memcmp(segments, object->dlpi_phdr, bytes) == 0;
}

static bool read_headers(int fd, const struct dl_phdr_info *object, ElfW(Ehdr) * header, size_t *name_bytes)
{
    if (!is_its_file(fd, object, header) || header->e_shentsize != sizeof headers[0] || header->e_shnum > HOST_IMAGE_SECTIONS ||
        header->e_shstrndx >= header->e_shnum || !read_at(fd, header->e_shoff, headers, header->e_shnum * sizeof headers[0]))
        return false;
    const ElfW(Shdr) *strings = &headers[header->e_shstrndx];
    *name_bytes = strings->sh_size < NAMES_BYTES ? strings->sh_size : NAMES_BYTES;
    return read_at(fd, strings->sh_offset, names, *name_bytes);
}

/* Once it is relocated a library's RELRO is read only, whatever its sections ask for: .tdata, .dynamic, .got. How much of a section lies there. */
static size_t bytes_in_relro(const struct dl_phdr_info *object, const host_section_t *section)
{
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t offset = section->start - (object->dlpi_addr + segment->p_vaddr);
        if (segment->p_type == PT_GNU_RELRO && offset < segment->p_memsz)
            return segment->p_memsz - offset < section->bytes ? segment->p_memsz - offset : section->bytes;
    }
    return 0;
}

static bool is_loaders(const ElfW(Shdr) * section, const host_section_t *found)
{
    static const char *const theirs[] = { ".interp", ".eh_frame_hdr", ".eh_frame", ".gcc_except_table", ".dynamic", ".got" };
    if ((section->sh_flags & SHF_EXECINSTR) != 0)
        return false;
    for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
        if (strcmp(found->name, theirs[i]) == 0)
            return true;
    return (section->sh_type != SHT_PROGBITS && section->sh_type != SHT_NOBITS) || (section->sh_flags & SHF_TLS) != 0;
}

static size_t read_sections(int fd, const struct dl_phdr_info *object)
{
    ElfW(Ehdr) header;
    size_t count = 0, name_bytes;
    if (!read_headers(fd, object, &header, &name_bytes))
        return 0;
    for (unsigned i = 0; i < header.e_shnum; i++) {
        const ElfW(Shdr) *section = &headers[i];
        bool is_thread_local_zero = section->sh_type == SHT_NOBITS && (section->sh_flags & SHF_TLS) != 0; /* has no place of its own */
        if ((section->sh_flags & SHF_ALLOC) == 0 || is_thread_local_zero)
            continue;
        host_section_t found = { .start = object->dlpi_addr + section->sh_addr, .bytes = section->sh_size };
        found.access = HOST_READ | ((section->sh_flags & SHF_WRITE) != 0 ? HOST_WRITE : 0u) |
                       ((section->sh_flags & SHF_EXECINSTR) != 0 ? HOST_EXECUTE : 0u);
        if (section->sh_name < name_bytes)
            copy_name(&found, names + section->sh_name, name_bytes - section->sh_name);
        size_t hidden = bytes_in_relro(object, &found); /* of .got.plt some entries are, and others not */
        if (hidden != 0) {
            host_section_t part = found;
            part.bytes = hidden;
            part.is_loaders = true;
            count = add_section(count, part);
            found.start += hidden;
            found.bytes -= hidden;
        }
        found.is_loaders = is_loaders(section, &found);
        count = add_section(count, found);
    }
    return count;
}

static void find_bounds(const struct dl_phdr_info *object, uintptr_t *base, uintptr_t *end)
{
    *base = UINTPTR_MAX;
    *end = 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD)
            continue;
        *base = start < *base ? start : *base;
        *end = start + segment->p_memsz > *end ? start + segment->p_memsz : *end;
    }
}

#define OWN_NAME "libntmm."

static const ElfW(Dyn) * dynamic_of(const struct dl_phdr_info *object)
{
    for (int i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_DYNAMIC)
            return (const ElfW(Dyn) *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
    return NULL;
}

/* Some dynamic linkers put addresses into the entries, others leave what the file says. */
static bool is_client(const struct dl_phdr_info *object)
{
    const ElfW(Dyn) *first = dynamic_of(object);
    uintptr_t strings = 0;
    for (const ElfW(Dyn) *entry = first; entry != NULL && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_STRTAB)
            strings = entry->d_un.d_ptr < object->dlpi_addr ? object->dlpi_addr + entry->d_un.d_ptr : entry->d_un.d_ptr;
    for (const ElfW(Dyn) *entry = first; strings != 0 && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_NEEDED && strncmp((const char *)strings + entry->d_un.d_val, OWN_NAME, sizeof OWN_NAME - 1) == 0)
            return !is_program(object);
    return false;
}

typedef struct visitor {
    void (*visit)(const host_image_t *image, void *context);
    void *context;
} visitor_t;

static int visit_object(struct dl_phdr_info *object, size_t bytes, void *context)
{
    const visitor_t *visitor = context;
    host_image_t     image = { .path = is_program(object) ? "/proc/self/exe" : object->dlpi_name, .sections = table };
    (void)bytes;
    int fd = image.path[0] == '/' || strchr(image.path, '/') != NULL ? open(image.path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0; /* the kernel's own, which has no file; or the file is gone */
    find_bounds(object, &image.base, &image.end);
    image.section_count = read_sections(fd, object);
    image.is_client = is_client(object);
    close(fd);
    visitor->visit(&image, visitor->context);
    return 0;
}

void host_visit_images(void (*visit)(const host_image_t *image, void *context), void *context)
{
    visitor_t visitor = { visit, context };
    dl_iterate_phdr(visit_object, &visitor);
}

static int read_number(struct dl_phdr_info *object, size_t bytes, void *context)
{
    (void)bytes;
    *(uint64_t *)context = (uint64_t)object->dlpi_adds << 32 | (uint32_t)object->dlpi_subs;
    return 1;
}

uint64_t host_images_number(void)
{
    uint64_t number = 0;
    dl_iterate_phdr(read_number, &number);
    return number;
}

typedef struct sought {
    uintptr_t address, base, end;
} sought_t;

static int is_there(struct dl_phdr_info *object, size_t bytes, void *context)
{
    sought_t *sought = context;
    (void)bytes;
    find_bounds(object, &sought->base, &sought->end);
    return sought->address - sought->base < sought->end - sought->base && sought->base < sought->end;
}

bool host_image_of(uintptr_t address, uintptr_t *base, uintptr_t *end)
{
    sought_t sought = { .address = address };
    if (dl_iterate_phdr(is_there, &sought) == 0)
        return false;
    *base = sought.base;
    *end = sought.end;
    return true;
}
#elif defined(__APPLE__)
#include <mach-o/dyld.h>
#include <mach-o/loader.h>

typedef const struct mach_header_64 *macho_t;

/* Calls visit for each segment that is mapped. */
static void visit_segments(macho_t header, intptr_t                                                                      slide,
                           void (*visit)(const struct segment_command_64 *segment, intptr_t slide, void *context), void *context)
{
    const struct load_command *command = (const struct load_command *)(header + 1);
    for (uint32_t i = 0; i < header->ncmds; i++, command = (const struct load_command *)((const char *)command + command->cmdsize)) {
        const struct segment_command_64 *segment = (const struct segment_command_64 *)command;
        if (command->cmd == LC_SEGMENT_64 && segment->initprot != 0)
            visit(segment, slide, context);
    }
}

static void add_sections(const struct segment_command_64 *segment, intptr_t slide, void *context)
{
    size_t                  *count = context;
    const struct section_64 *section = (const struct section_64 *)(segment + 1);
    unsigned                 access = ((segment->initprot & VM_PROT_READ) != 0 ? HOST_READ : 0u) |
                      ((segment->initprot & VM_PROT_WRITE) != 0 ? HOST_WRITE : 0u) |
                      ((segment->initprot & VM_PROT_EXECUTE) != 0 ? HOST_EXECUTE : 0u);
    for (uint32_t i = 0; i < segment->nsects; i++) {
        host_section_t found = { .start = (uintptr_t)section[i].addr + (uintptr_t)slide, .bytes = section[i].size, .access = access };
        copy_name(&found, section[i].sectname, sizeof section[i].sectname);
        *count = add_section(*count, found);
    }
}

static void add_bounds(const struct segment_command_64 *segment, intptr_t slide, void *context)
{
    host_image_t *image = context;
    uintptr_t     start = (uintptr_t)segment->vmaddr + (uintptr_t)slide;
    if (strcmp(segment->segname, SEG_LINKEDIT) == 0)
        return;
    image->base = start < image->base ? start : image->base;
    image->end = start + segment->vmsize > image->end ? start + segment->vmsize : image->end;
}

static host_image_t bounds_of(uint32_t index)
{
    host_image_t image = { .path = _dyld_get_image_name(index), .base = UINTPTR_MAX, .sections = table };
    visit_segments((macho_t)_dyld_get_image_header(index), _dyld_get_image_vmaddr_slide(index), add_bounds, &image);
    return image;
}

void host_visit_images(void (*visit)(const host_image_t *image, void *context), void *context)
{
    for (uint32_t i = 0; i < _dyld_image_count(); i++) {
        host_image_t image = bounds_of(i);
        visit_segments((macho_t)_dyld_get_image_header(i), _dyld_get_image_vmaddr_slide(i), add_sections, &image.section_count);
        visit(&image, context);
    }
}

uint64_t host_images_number(void)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < _dyld_image_count(); i++)
        number = number * 31 + (uintptr_t)_dyld_get_image_header(i);
    return number;
}

bool host_image_of(uintptr_t address, uintptr_t *base, uintptr_t *end)
{
    for (uint32_t i = 0; i < _dyld_image_count(); i++) {
        host_image_t image = bounds_of(i);
        *base = image.base;
        *end = image.end;
        if (address >= image.base && address < image.end)
            return true;
    }
    return false;
}
#else
uint64_t host_images_number(void) { return 0; }
void     host_visit_images(void (*visit)(const host_image_t *image, void *context), void *context) { (void)visit, (void)context; }
bool     host_image_of(uintptr_t address, uintptr_t *base, uintptr_t *end)
{
    (void)address, (void)base, (void)end;
    return false;
}
#endif
