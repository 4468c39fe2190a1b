target_sources(ntmm PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/ansi_string.c
  ${CMAKE_CURRENT_LIST_DIR}/case.c
  ${CMAKE_CURRENT_LIST_DIR}/code_page.c
  ${CMAKE_CURRENT_LIST_DIR}/format.c
  ${CMAKE_CURRENT_LIST_DIR}/memory.c
  ${CMAKE_CURRENT_LIST_DIR}/number_text.c
  ${CMAKE_CURRENT_LIST_DIR}/pair.c
  ${CMAKE_CURRENT_LIST_DIR}/runs.c
  ${CMAKE_CURRENT_LIST_DIR}/runs_summary.c
  ${CMAKE_CURRENT_LIST_DIR}/runs_find.c
  ${CMAKE_CURRENT_LIST_DIR}/policy_indexed.c
  ${CMAKE_CURRENT_LIST_DIR}/policy_linear.c
  ${CMAKE_CURRENT_LIST_DIR}/policy_buddy.c
  ${CMAKE_CURRENT_LIST_DIR}/strsafe.c
  ${CMAKE_CURRENT_LIST_DIR}/strsafe_unicode.c
  ${CMAKE_CURRENT_LIST_DIR}/unicode_string.c
  ${CMAKE_CURRENT_LIST_DIR}/utf8.c)
