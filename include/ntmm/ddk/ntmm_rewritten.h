/*
 * ntmm_rewritten.h - what copies of a driver's files say that ntmm_rewrite.awk has made: the first thing that such a copy includes.
 *
 *     NTMM_ALLOC_TEXT_("PAGE", f)     stands for #pragma alloc_text(PAGE, f): between f's declaration and its definition, as there
 *     NTMM_IN_SECTION_("PAGE")        before a function's definition, for #pragma code_seg("PAGE")
 *     NTMM_ADDRESS_OF_CAST_(T, x)     &((T)(x)): x is a variable, and T another type of its size
 *     NTMM_OWN_PAGES_("PAGEVIDE")     a section of which the linker script knows nothing begins and ends on a page, in each object file
 *
 * A function is where it says only if it is called, and not inlined, or cloned, or called for something else.
 * Mach-O has other and shorter names of sections, and they share pages: there functions stay where they are (docs/fidelity.md).
 */
#ifndef NTMM_DDK_REWRITTEN_H
#define NTMM_DDK_REWRITTEN_H

#if __has_attribute(noipa) /* gcc: no copies of it for certain arguments, and no assumptions about what it does */
#define NTMM_KEPT_WHOLE_ __attribute__((noinline, noipa))
#else
#define NTMM_KEPT_WHOLE_ __attribute__((noinline))
#endif

#ifdef __ELF__
#define NTMM_IN_SECTION_(name) __attribute__((section(name))) NTMM_KEPT_WHOLE_
/* Subsection 1 follows all that the compiler puts into the section. 16384 is a multiple of every page that ntmm can have. */
#define NTMM_OWN_PAGES_(name) \
    __asm__(".pushsection " name ",\"ax\",%progbits\n.balign 16384\n.popsection\n" \
            ".pushsection " name ",1,\"ax\",%progbits\n.balign 16384\n.popsection\n");
#else
#define NTMM_IN_SECTION_(name) NTMM_KEPT_WHOLE_
#define NTMM_OWN_PAGES_(name)
#endif
#define NTMM_ALLOC_TEXT_(name, function) __typeof__(function) function NTMM_IN_SECTION_(name);

/* As an array of -1 elements does not compile, neither does a cast to another size. */
#define NTMM_ADDRESS_OF_CAST_(type, object) ((type *)&(object) + 0 * sizeof(char[sizeof(type) == sizeof(object) ? 1 : -1]))

#endif
