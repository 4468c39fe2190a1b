/*
 * sanitizer.h - by which sanitizer this program is watched. Tests play fewer rounds then: each access, lock and fault costs several times more.
 * gcc tells by macros, clang by __has_feature.
 */
#ifndef NTMM_TESTS_SANITIZER_H
#define NTMM_TESTS_SANITIZER_H

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define WATCHED_BY_ASAN 1
#else
#define WATCHED_BY_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define WATCHED_BY_TSAN 1
#else
#define WATCHED_BY_TSAN 0
#endif

#define SANITIZED (WATCHED_BY_ASAN || WATCHED_BY_TSAN)

#endif
