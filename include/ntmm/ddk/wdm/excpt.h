/*
 * excpt.h - structured exception handling: __try, __except, __finally, __leave, and what may be asked inside of them.
 *
 *     __try {                                              __try {
 *         ProbeForRead(...); ...                               ...  if (...) __leave;  ...
 *     } __except (filter) {                                } __finally {
 *         status = GetExceptionCode();                         if (AbnormalTermination()) ...
 *     }                                                    }
 *
 * They are macros: neither gcc nor clang knows structured exceptions on Linux or macOS. `__try` is a call that returns several times, like
 * setjmp(): once to look where the statement's body ends, once to run the body, once more for each evaluation of the filter, and to run
 * the handler. So a filter runs before anything is unwound, on the stack of whoever raised, with this function's own variables.
 *
 * Functions that contain a `__try` must not be optimised: their variables have to be where a fault finds them. A file that is compiled with
 * optimisation has to say so: define NTMM_USES_TRY (-DNTMM_USES_TRY; ntmm_add_driver() does it by itself), and this header switches the
 * optimiser off for the rest of the file. Without it the first `__try` of an optimised file is a compile error.
 *
 * A body may be left by return, break, continue or goto. Whether the block of a `__finally` runs then, as it does on Windows, depends:
 *     gcc      yes: with NTMM_TRY_GUARDED 1, the default in C, a variable declared in front of the statement sees to it. A goto within the
 *              block that contains the `__try` runs it late, when that block is left. The declaration does not fit under an `if` without
 *              braces.
 *     clang    no: a message on stderr says that it did not. clang refuses a goto over such a variable, so NTMM_TRY_GUARDED is 0.
 *
 * Source  Windows reference: Structured Exception Handling, try-except statement, try-finally statement; WDK reference: Handling Exceptions.
 */
#ifndef NTMM_DDK_WDM_EXCPT_H
#define NTMM_DDK_WDM_EXCPT_H

#if defined(__SANITIZE_THREAD__)
#define NTMM_TRY_BUFFERED_ 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NTMM_TRY_BUFFERED_ 1
#endif
#endif
#ifdef NTMM_TRY_BUFFERED_
#include <setjmp.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define EXCEPTION_EXECUTE_HANDLER 1
#define EXCEPTION_CONTINUE_SEARCH 0
#define EXCEPTION_CONTINUE_EXECUTION (-1)

/* Disposition of an exception, as debuggers and old headers name it. */
typedef enum _EXCEPTION_DISPOSITION {
    ExceptionContinueExecution,
    ExceptionContinueSearch,
    ExceptionNestedException,
    ExceptionCollidedUnwind
} EXCEPTION_DISPOSITION;

/* ---- what the macros call; nobody else does ---- */

extern NTMM_PUBLIC const volatile SIZE_T ntmm_try_never; /* 0 */
NTMM_PUBLIC PVOID                        ntmm_try_push(PVOID frame, PVOID guard, PVOID buffered);
#ifdef NTMM_TRY_BUFFERED_
NTMM_PUBLIC sigjmp_buf *ntmm_try_buffer(PVOID frame, PVOID guard, int enters);
#endif
NTMM_PUBLIC int                 ntmm_try_save(PVOID place) __attribute__((returns_twice));
NTMM_PUBLIC int                 ntmm_try_except(PVOID frame);
NTMM_PUBLIC int                 ntmm_try_filtered(int disposition);
NTMM_PUBLIC int                 ntmm_try_finally(PVOID frame);
NTMM_PUBLIC int                 ntmm_try_finally_done(PVOID frame, int termination);
NTMM_PUBLIC NTMM_NORETURN void  ntmm_try_leave(PVOID frame);
NTMM_PUBLIC void                ntmm_try_drop(PVOID guard);
NTMM_PUBLIC NTSTATUS            ntmm_try_code(PVOID frame);
NTMM_PUBLIC PEXCEPTION_POINTERS ntmm_try_information(PVOID frame);

#ifdef __cplusplus
}
#endif

/* ---- the optimiser ---- */

#if defined(NTMM_USES_TRY) && defined(__clang__)
#pragma clang optimize off
#elif defined(NTMM_USES_TRY)
#pragma GCC optimize("O0")
#endif

/* ---- the words ---- */

#ifndef NTMM_TRY_GUARDED
#if defined(__clang__) || defined(__cplusplus)
#define NTMM_TRY_GUARDED 0
#else
#define NTMM_TRY_GUARDED 1
#endif
#endif

#define NTMM_TRY_FRAME_ __builtin_frame_address(0)
/* The alloca() is never called. That it might be makes the compiler find this function's variables without its stack pointer. */
#ifdef NTMM_TRY_BUFFERED_ /* ThreadSanitizer must see how the handler is reached. By that it forgets this frame, and is told of it again */
#define NTMM_TRY_BUFFER_ (ntmm_try_never != 0 ? __builtin_alloca(ntmm_try_never) : NTMM_TRY_FRAME_)
#define NTMM_TRY_ENTER_(guard) \
    (sigsetjmp(*ntmm_try_buffer(NTMM_TRY_FRAME_, guard, 1), 0) != 0 \
         ? 2 + 0 * sigsetjmp(*ntmm_try_buffer(NTMM_TRY_FRAME_, guard, 0), 0) \
         : ntmm_try_save(ntmm_try_push(NTMM_TRY_FRAME_, guard, NTMM_TRY_BUFFER_)))
#else
#define NTMM_TRY_BUFFER_ (ntmm_try_never != 0 ? __builtin_alloca(ntmm_try_never) : NULL)
#define NTMM_TRY_ENTER_(guard) ntmm_try_save(ntmm_try_push(NTMM_TRY_FRAME_, guard, NTMM_TRY_BUFFER_))
#endif
#define NTMM_TRY_(guard) if (NTMM_TRY_ENTER_(guard) == 1)
#define NTMM_TRY_GUARD_(number) \
    char __attribute__((cleanup(ntmm_try_drop), unused)) ntmm_try_guard_##number; \
    NTMM_TRY_(&ntmm_try_guard_##number)
#define NTMM_TRY_NUMBERED_(number) NTMM_TRY_GUARD_(number)
#define NTMM_TRY_NOT_OPTIMISED_ "a function with __try must not be optimised: define NTMM_USES_TRY for this file (see wdm/excpt.h)"

/* In C++ the standard library has a __try of its own: there these words exist only where they are asked for. */
#if !defined(__cplusplus) || defined(NTMM_USES_TRY)

#undef __try
#undef __except
#undef __finally
#undef __leave
#if defined(__OPTIMIZE__) && !defined(NTMM_USES_TRY)
#define __try \
    NTMM_LAYOUT(0, NTMM_TRY_NOT_OPTIMISED_); \
    NTMM_TRY_(NULL)
#elif NTMM_TRY_GUARDED
#define __try NTMM_TRY_NUMBERED_(__COUNTER__)
#else
#define __try NTMM_TRY_(NULL)
#endif
/* clang-format off */
#define __except(...) \
    if (__extension__({ \
            int ntmm_arrived_ = ntmm_try_except(NTMM_TRY_FRAME_); \
            ntmm_arrived_ == 1 ? ntmm_try_filtered((__VA_ARGS__)) : ntmm_arrived_; \
        }))
/* clang-format on */
#define __finally \
    for (int ntmm_termination_ = ntmm_try_finally(NTMM_TRY_FRAME_); ntmm_termination_ != 0; \
         ntmm_termination_ = ntmm_try_finally_done(NTMM_TRY_FRAME_, ntmm_termination_))
#define __leave ntmm_try_leave(NTMM_TRY_FRAME_)

#define _try __try
#define _except __except
#define _finally __finally
#define _leave __leave

/* As the WDK has it, in C only. The library's own sources do without them. */
#if !defined(__cplusplus) && !defined(NTMM_BUILDING)
#define try __try
#define except __except
#define finally __finally
#define leave __leave
#endif

#endif

/**
 * Which exception it is. In a filter expression, and in the block of an `__except`.
 * @models   after another exception was handled within the block, in the same function, it is that one's code (choice)
 * @source   Windows reference: GetExceptionCode
 */
#define GetExceptionCode() ntmm_try_code(NTMM_TRY_FRAME_)
#define _exception_code() ntmm_try_code(NTMM_TRY_FRAME_)
#define exception_code() ntmm_try_code(NTMM_TRY_FRAME_)
/**
 * The record and the context of the exception. In a filter expression only; elsewhere NULL. What is written to the context takes effect when the
 * filter's value is EXCEPTION_CONTINUE_EXECUTION.
 * @source   Windows reference: GetExceptionInformation
 */
#define GetExceptionInformation() ntmm_try_information(NTMM_TRY_FRAME_)
#define _exception_info() ntmm_try_information(NTMM_TRY_FRAME_)
#define exception_info() ntmm_try_information(NTMM_TRY_FRAME_)
/**
 * In the block of a `__finally`: was the body left otherwise than by its end or `__leave`?
 * @source   Windows reference: AbnormalTermination
 */
#define AbnormalTermination() (ntmm_termination_ == 2)
#define _abnormal_termination() (ntmm_termination_ == 2)
#define abnormal_termination() (ntmm_termination_ == 2)

#endif
