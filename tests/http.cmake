u2k_unit(http_openapi u2k_front_http)
u2k_fuzz(http_headers u2k_front_http)
u2k_fuzz(http_front u2k_front_http)
target_include_directories(fuzz_http_front PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
