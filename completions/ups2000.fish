# Completion of ups2000 and its programs for fish. What may stand next, `ups2000 _complete` knows.

function __ups2000_next
	set -l words (commandline -opc) (commandline -ct)
	set -l found ($words[1] _complete -- $words[2..-1] 2>/dev/null)
	if test "$found" = :files
		__fish_complete_path (commandline -ct)
	else
		printf '%s\n' $found
	end
end

function __ups2000_options
	set -l words (commandline -opc)
	$words[1] --help 2>/dev/null | grep -o -- '--[a-z][a-z-]*' | sort -u
end

complete -c ups2000 -f -a '(__ups2000_next)'
complete -c ups2000d -a '(__ups2000_options)'
complete -c ups2000-sim -a '(__ups2000_options)'
