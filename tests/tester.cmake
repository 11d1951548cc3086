u2k_unit(capture u2k_capture)
u2k_fuzz(capture u2k_capture)

# Captured traffic in, expected snapshot out: replay/NAME.capture and replay/NAME.expected.
add_executable(replay replay/replay.c)
target_link_libraries(replay PRIVATE u2k_capture u2k_ups u2k_options)
file(GLOB captures CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/replay/*.capture)
foreach(capture ${captures})
	get_filename_component(name ${capture} NAME_WE)
	add_test(NAME replay_${name} COMMAND replay ${capture}
		${CMAKE_CURRENT_SOURCE_DIR}/replay/${name}.expected)
	set_tests_properties(replay_${name} PROPERTIES TIMEOUT 60)
endforeach()
