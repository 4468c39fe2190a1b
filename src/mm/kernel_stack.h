/*
 * kernel_stack.h - for the boot: ke learns where kernel stacks come from (ke/stack.h).
 */
#ifndef NTMM_MM_KERNEL_STACK_H
#define NTMM_MM_KERNEL_STACK_H

void mm_kernel_stacks_boot(void);

#endif
