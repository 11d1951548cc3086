# Completion of ups2000 and its programs for bash. What may stand next, `ups2000 _complete` knows.

_ups2000()
{
	local IFS=$'\n' words=("${COMP_WORDS[@]:1:COMP_CWORD}") found

	found=$("${COMP_WORDS[0]}" _complete -- "${words[@]}" 2>/dev/null)
	if [ "$found" = :files ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
		compopt -o filenames 2>/dev/null
	else
		mapfile -t COMPREPLY < <(printf '%s' "$found")
	fi
}

# The others: options from their own --help, else files.
_ups2000_options()
{
	local word=${COMP_WORDS[COMP_CWORD]}

	if [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$("${COMP_WORDS[0]}" --help 2>/dev/null | grep -o -- '--[a-z][a-z-]*' | sort -u)" \
			-- "$word")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames 2>/dev/null
	fi
}

complete -F _ups2000 ups2000
complete -F _ups2000_options ups2000d ups2000-sim
