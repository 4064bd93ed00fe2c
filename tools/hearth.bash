# Completion of hearth for bash. Commands and options come from the program itself: `hearth --complete [COMMAND]` prints one
# a line, an option with what its value is ("--arith auto|f32|i8", "--file FILE", "--quiet").

_hearth()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} program=${COMP_WORDS[0]} value='' options
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$("$program" --complete 2>/dev/null) --help --version" -- "$current")
        return
    fi
    options=$("$program" --complete "${COMP_WORDS[1]}" 2>/dev/null) || return
    # --name=value arrives in three words
    if [[ $current == '=' ]]; then
        current=''
    elif [[ $previous == '=' ]]; then
        previous=${COMP_WORDS[COMP_CWORD-2]}
    fi
    if [[ $previous == --* ]]; then
        value=$(sed -n "s/^${previous//[^a-z0-9-]/} //p" <<< "$options")
    fi
    if [[ $value == *'|'* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${value//|/ }" -- "$current")
    elif [[ $current == -* && ( -z $value || $value == FILE ) ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(cut -d ' ' -f 1 <<< "$options")" -- "$current")
    elif [[ -z $value || $value == FILE || $value == IDS ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}

complete -F _hearth hearth
