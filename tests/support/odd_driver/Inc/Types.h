/* Types.h - found beside public.h, where only the directory of the includer is searched. */
/* clang-format off */
#ifndef ODD_TYPES_H
#define ODD_TYPES_H
#define WIDE_(x) L#x
#define WIDE(x) WIDE_(x)
#define JOINED(text) "odd: " ## text ## "\n"
#define NUMBER 7i32
#endif
