# uPlot, the library that draws the page's charts. Sets charts_dir, empty if the page has none.
#
# A source archive carries its three files in page/vendor. Elsewhere npm fetches what the lock file
# names (npm checks its hash), once for each build folder.

set(U2K_CHARTS "AUTO" CACHE STRING "charts in the page: AUTO, ON (an error without), OFF")
set_property(CACHE U2K_CHARTS PROPERTY STRINGS AUTO ON OFF)

function(find_charts out)
	set(carried ${CMAKE_CURRENT_SOURCE_DIR}/page/vendor)
	set(fetched ${CMAKE_CURRENT_BINARY_DIR}/vendor)
	set(lock ${CMAKE_CURRENT_SOURCE_DIR}/page/package-lock.json)
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${lock})
	set(${out} "" PARENT_SCOPE)
	if(U2K_CHARTS STREQUAL "OFF")
		return()
	endif()
	if(EXISTS ${carried}/uPlot.iife.min.js)
		set(${out} ${carried} PARENT_SCOPE)
		return()
	endif()
	file(SHA256 ${lock} hash)
	if(EXISTS ${fetched}/${hash})
		set(${out} ${fetched} PARENT_SCOPE)
		return()
	endif()

	set(why "there is no npm (Debian package npm)")
	find_program(NPM npm)
	if(NPM)
		message(STATUS "Fetching uPlot for the page's charts (npm ci)")
		set(work ${CMAKE_CURRENT_BINARY_DIR}/npm)
		configure_file(page/package.json ${work}/package.json COPYONLY)
		configure_file(page/package-lock.json ${work}/package-lock.json COPYONLY)
		# Nothing outside the build folder: the home directory may not be ours, or not exist.
		execute_process(COMMAND ${CMAKE_COMMAND} -E env npm_config_cache=${work}/cache
				npm_config_update_notifier=false
				${NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
			WORKING_DIRECTORY ${work} RESULT_VARIABLE failed OUTPUT_QUIET
			ERROR_VARIABLE said TIMEOUT 180)
		set(got ${work}/node_modules/uplot)
		if(NOT failed AND EXISTS ${got}/dist/uPlot.iife.min.js)
			file(MAKE_DIRECTORY ${fetched})
			configure_file(${got}/dist/uPlot.iife.min.js ${fetched}/uPlot.iife.min.js COPYONLY)
			configure_file(${got}/dist/uPlot.min.css ${fetched}/uPlot.min.css COPYONLY)
			configure_file(${got}/LICENSE ${fetched}/uPlot.LICENSE.txt COPYONLY)
			file(WRITE ${fetched}/${hash} "")
			set(${out} ${fetched} PARENT_SCOPE)
			return()
		endif()
		set(why "npm could not fetch it: ${said}")
	endif()

	set(cure "Make npm work, put uPlot.iife.min.js, uPlot.min.css and uPlot.LICENSE.txt into \
src/front/http/page/vendor, or configure with -DU2K_CHARTS=OFF")
	if(U2K_CHARTS STREQUAL "ON")
		message(FATAL_ERROR "No uPlot for the page's charts: ${why}\n${cure}.")
	endif()
	message(WARNING "The page is built WITHOUT CHARTS (its history is a table): ${why}\n${cure}.")
endfunction()

find_charts(charts_dir)
