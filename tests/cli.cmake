u2k_unit(http_route u2k_front_http)
u2k_unit(http_query u2k_front_http)
u2k_unit(http_api u2k_front_http)
u2k_unit(http_server u2k_front_http)
u2k_unit(cli_response u2k_cli)
u2k_unit(cli_view u2k_cli)
u2k_fuzz(http u2k_front_http u2k_cli)

# A hub filled by hand behind a socket, for integration/test_cli.py.
add_executable(http_fixture integration/http_fixture.c)
target_link_libraries(http_fixture PRIVATE u2k_front_http)

foreach(target test_http_api test_http_server fuzz_http http_fixture)
	target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
endforeach()
