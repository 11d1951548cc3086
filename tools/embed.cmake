# Makes a C table of files to serve:
# cmake -DDIR=folder [-DMORE=folder] [-DAPI=folder] -DOUT=file.c -P embed.cmake
#
# Of DIR its pages (*.html) and what is in DIR/assets; the files in MORE count as in DIR/assets.
# API/NAME.json is served as /api/v1/NAME.json.
# DIR/NAME is served as /NAME, with an ETag. DIR/assets/NAME is served as /assets/HASH/NAME for ever,
# where HASH is that of all assets: they may name each other relative to themselves. In HTML the
# text "assets/ stands for "assets/HASH/. Each file is kept as it is and, if that is shorter, packed.

set(types
	html "text/html charset=utf-8"
	css "text/css charset=utf-8"
	js "text/javascript charset=utf-8"
	mjs "text/javascript charset=utf-8"
	json "application/json"
	svg "image/svg+xml"
	png "image/png"
	ico "image/x-icon"
	woff2 "font/woff2"
	txt "text/plain charset=utf-8"
	webmanifest "application/manifest+json")

function(type_of path out)
	string(REGEX REPLACE "^.*\\." "" ending "${path}")
	list(FIND types "${ending}" at)
	if(at LESS 0)
		message(FATAL_ERROR "${path}: embed.cmake knows no content type for .${ending}")
	endif()
	math(EXPR at "${at} + 1")
	list(GET types ${at} type)
	string(REPLACE " charset" "; charset" type "${type}") # a list splits at ;
	set(${out} "${type}" PARENT_SCOPE)
endfunction()

function(bytes file name)
	file(READ "${file}" hex HEX)
	string(REGEX REPLACE "(..)" "0x\\1," hex "${hex}")
	string(REGEX REPLACE "(.......................................................................\
.........)" "\\1\n\t" hex "${hex}")
	file(APPEND "${OUT}" "static const unsigned char ${name}[] = {\n\t${hex}0\n};\n")
endfunction()

file(GLOB_RECURSE files RELATIVE "${DIR}" "${DIR}/assets/*")
file(GLOB pages RELATIVE "${DIR}" "${DIR}/*.html")
list(APPEND files ${pages})
foreach(path IN LISTS files)
	set("at_${path}" "${DIR}/${path}")
endforeach()
if(MORE)
	file(GLOB more RELATIVE "${MORE}" "${MORE}/*.*")
	foreach(name IN LISTS more)
		list(APPEND files "assets/${name}")
		set("at_assets/${name}" "${MORE}/${name}")
	endforeach()
endif()
if(API)
	file(GLOB documents RELATIVE "${API}" "${API}/*.json")
	foreach(name IN LISTS documents)
		list(APPEND files "api/v1/${name}")
		set("at_api/v1/${name}" "${API}/${name}")
	endforeach()
endif()
list(SORT files)
set(hashes "")
foreach(path IN LISTS files)
	if(path MATCHES "^assets/")
		file(SHA256 "${at_${path}}" hash)
		string(APPEND hashes "${path} ${hash}\n")
	endif()
endforeach()
string(SHA256 all "${hashes}")
string(SUBSTRING "${all}" 0 12 all)

file(WRITE "${OUT}" "/* Made by tools/embed.cmake. */\n#include \"front/http/asset.h\"\n\n")
set(rows "")
set(n 0)
foreach(path IN LISTS files)
	type_of("${path}" type)
	set(source "${OUT}.plain")
	if(path MATCHES "\\.html$")
		file(READ "${at_${path}}" text)
		string(REPLACE "\"assets/" "\"assets/${all}/" text "${text}")
		file(WRITE "${source}" "${text}")
	else()
		configure_file("${at_${path}}" "${source}" COPYONLY)
	endif()
	execute_process(COMMAND gzip -9 -n -c INPUT_FILE "${source}" OUTPUT_FILE "${OUT}.gz"
		RESULT_VARIABLE failed)
	if(failed)
		message(FATAL_ERROR "gzip: ${failed}")
	endif()
	file(SHA256 "${source}" etag)
	string(SUBSTRING "${etag}" 0 16 etag)
	file(SIZE "${source}" plain_len)
	file(SIZE "${OUT}.gz" packed_len)
	bytes("${source}" "plain_${n}")
	set(packed "NULL, 0")
	if(packed_len LESS plain_len)
		bytes("${OUT}.gz" "packed_${n}")
		set(packed "packed_${n}, ${packed_len}")
	endif()
	string(REGEX REPLACE "^assets/" "assets/${all}/" served "${path}")
	set(immutable "false")
	if(path MATCHES "^assets/")
		set(immutable "true")
	endif()
	string(APPEND rows "\t{ \"/${served}\", \"${type}\", \"\\\"${etag}\\\"\", ${immutable},"
		" plain_${n}, ${plain_len}, ${packed} },\n")
	math(EXPR n "${n} + 1")
endforeach()
file(REMOVE "${OUT}.plain" "${OUT}.gz")
file(APPEND "${OUT}" "\nconst struct asset assets[] = {\n${rows}};\nconst size_t n_assets = ${n};\n")
