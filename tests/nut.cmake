u2k_unit(nut_lexer u2k_nut)
u2k_unit(nut_store u2k_nut)
u2k_unit(nut_server u2k_front_nut PkgConfig::CRYPT)
u2k_fuzz(nut_lexer u2k_nut)
u2k_fuzz(nut_server u2k_front_nut)

add_executable(nut_fixture integration/nut_fixture.c)
target_link_libraries(nut_fixture PRIVATE u2k_front_nut PkgConfig::CRYPT)
add_test(NAME nut_conformance
	COMMAND /usr/bin/python3 -m pytest -q -p no:cacheprovider
		${CMAKE_CURRENT_SOURCE_DIR}/integration/test_nut_conformance.py)
set_tests_properties(nut_conformance PROPERTIES TIMEOUT 600
	ENVIRONMENT "NUT_FIXTURE=$<TARGET_FILE:nut_fixture>")
