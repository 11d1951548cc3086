# What "cmake --install" puts where. Components, as the Debian packages: main (daemon and command
# line), sim, nut (beside NUT's drivers), dev (the library).
set(SYSTEMD_DIR lib/systemd CACHE STRING "where systemd looks for units and shutdown hooks")
set(UDEV_DIR lib/udev CACHE STRING "where udev looks for rules")
set(SYSUSERS_DIR lib/sysusers.d CACHE STRING "where systemd-sysusers looks; empty: not there")

set(sbin ${CMAKE_INSTALL_FULL_SBINDIR})
set(libexec ${CMAKE_INSTALL_FULL_LIBEXECDIR}/ups2000)
set(man ${CMAKE_INSTALL_MANDIR})

install(TARGETS ups2000d DESTINATION ${CMAKE_INSTALL_SBINDIR} COMPONENT main)
install(TARGETS ups2000 DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT main)
install(TARGETS ups2000-host DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/ups2000 COMPONENT main)
install(PROGRAMS $<TARGET_FILE:ups2000-late> DESTINATION ${SYSTEMD_DIR}/system-shutdown
	RENAME ups2000 COMPONENT main)

# The units name the programs where Debian has them; elsewhere they are another place.
file(GLOB units systemd/*.service systemd/*.path)
foreach(unit ${units})
	get_filename_component(name ${unit} NAME)
	file(READ ${unit} text)
	string(REPLACE /usr/sbin/ups2000d ${sbin}/ups2000d text "${text}")
	string(REPLACE /usr/libexec/ups2000/ ${libexec}/ text "${text}")
	file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/systemd/${name} CONTENT "${text}" @ONLY)
	install(FILES ${PROJECT_BINARY_DIR}/systemd/${name} DESTINATION ${SYSTEMD_DIR}/system
		COMPONENT main)
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${unit})
endforeach()
install(FILES udev/60-ups2000.rules DESTINATION ${UDEV_DIR}/rules.d COMPONENT main)
if(SYSUSERS_DIR)
	install(FILES sysusers/ups2000.conf DESTINATION ${SYSUSERS_DIR} COMPONENT main)
endif()

# The sample is all comments: it does nothing until it is edited; then it is kept.
set(CONF_DIR /etc/ups2000 CACHE PATH "where the sample configuration goes; the daemon looks there")
install(CODE "
	if(NOT EXISTS \"\$ENV{DESTDIR}${CONF_DIR}/ups2000.conf\")
		file(INSTALL ${PROJECT_SOURCE_DIR}/docs/ups2000.conf DESTINATION ${CONF_DIR}
			PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
	endif()" COMPONENT main)

file(GLOB pages docs/man/*.[1-8])
foreach(page ${pages})
	get_filename_component(name ${page} NAME)
	string(REGEX REPLACE ".*\\." "man" section ${name})
	set(component main)
	if(name MATCHES "-(sim|nut)\\.")
		set(component ${CMAKE_MATCH_1})
	endif()
	install(FILES ${page} DESTINATION ${man}/${section} COMPONENT ${component})
endforeach()
file(GLOB texts docs/*.md)
install(FILES ${texts} README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT main)

install(TARGETS ups2000-sim DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT sim)

# A real file of that name: NUT 2.8.3+ compares it with the running program's.
if(NUT_DRIVER_DIR)
	install(PROGRAMS $<TARGET_FILE:ups2000-nut> DESTINATION ${NUT_DRIVER_DIR} RENAME ups2000
		COMPONENT nut)
else()
	message(STATUS "NUT is not installed: the driver is not put among NUT's (set NUT_DRIVER_DIR)")
endif()

install(FILES ${PROJECT_BINARY_DIR}/lib/libups2000.a DESTINATION ${CMAKE_INSTALL_LIBDIR}
	COMPONENT dev)
install(FILES ${PROJECT_BINARY_DIR}/lib/ups2000.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
	COMPONENT dev)
install(DIRECTORY include/ups2000 DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libups2000-dev COMPONENT dev)
