/*
 * assembly.h - how a function is written in assembly language, for ELF and for Mach-O: FUNCTION("name") instructions END("name").
 */
#ifndef NTMM_HOST_ASSEMBLY_H
#define NTMM_HOST_ASSEMBLY_H

#if defined(__APPLE__)
#define FUNCTION(name) ".balign 16\n.globl _" name "\n.private_extern _" name "\n_" name ":\n"
#define SECOND_NAME(name) ".globl _" name "\n.alt_entry _" name "\n_" name ":\n"
#define END(name) ""
#else
#define FUNCTION(name) ".balign 16\n.globl " name "\n.hidden " name "\n.type " name ", %function\n" name ":\n"
#define SECOND_NAME(name) ".globl " name "\n.type " name ", %function\n" name ":\n"
#define END(name) ".size " name ", .-" name "\n"
#endif

#endif
