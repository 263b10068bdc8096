#!/usr/bin/env bash
# Builds the three programs and plays the lab of docs/lab.md with them, on this computer alone.
#
# The text is the script. In it, a block that begins with ```console 2 is what stands in window 2:
#   > command     is typed there (or into the program, if that reads lines: -l),
#   ^C            is Ctrl-C,
#   Killed        is a program that is ended by force, as a shell reports it,
#   all else      is what the program must print, save times, ports and generated client ids.
# <!-- lab: fresh broker --> ends all windows and starts a broker that is not shown.
#
#   scripts/lab.sh [FILE]      FILE is docs/lab.md if not given
#   LAB_PROFILE=dev            builds this profile instead of release
#   LAB_BIN=FOLDER             takes the programs from there, and builds nothing
#   LAB_PORT=N                 uses this port instead of 1883; 0: any free one
#   LAB_PATIENCE=N             waits so many seconds for a line before it fails (20)
#   LAB_WINE=PROGRAM           the programs are Windows': each command is typed into a .cmd file that
#                              Windows' own shell reads, under this Wine (scripts/windows.sh sets it)
#
# Exit code: 0 if every line is as the text says, 1 if not.
set -u
shopt -s extglob

here=$(cd "$(dirname "$0")/.." && pwd)
text=${1:-$here/docs/lab.md}
patience=${LAB_PATIENCE:-20}
# The address that stands in the text for the neighbour's, and the one that plays it.
neighbour_in_text=192.168.1.23
neighbour=127.0.0.2

declare -A out=() in=() pid=() running=() reads_lines=() client=()
folder= line_number=0

say() { printf '%s\n' "$*" >&2; }

# --- Screen -----------------------------------------------------------------------------------

colour() { # CODE TEXT
    if [[ -t 1 && -z ${NO_COLOR-} ]]; then printf '\e[%sm%s\e[0m' "$1" "$2"; else printf '%s' "$2"; fi
}

show() { # WINDOW TEXT
    colour "3$((($1 + 1) % 6 + 1))" "window $1 │"
    printf ' %s\n' "$2"
}

heading() { # MARKDOWN
    printf '\n'
    colour 1 "${1##+(#) }"
    printf '\n'
}

# --- Programs and ports -----------------------------------------------------------------------

build() {
    local profile=${LAB_PROFILE:-release} target
    say "Building the programs (profile $profile) ..."
    (cd "$here" && cargo build --quiet --profile "$profile" -p mqtt-broker -p mqtt-pub -p mqtt-sub) || exit 1
    target=$(cd "$here" && cargo metadata --no-deps --format-version 1 |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/') || exit 1
    [[ $profile == dev ]] && profile=debug
    LAB_BIN=$target/$profile
}

is_free() { # PORT
    local address
    for address in 127.0.0.1 "$neighbour" ::1; do
        ! (exec 3<>"/dev/tcp/$address/$1") 2>/dev/null || return 1
    done
}

choose_port() {
    port=${LAB_PORT:-1883}
    if [[ $port != 0 ]] && is_free "$port"; then return; fi
    [[ $port == 0 ]] || say "Port $port is taken on this computer; every command gets -p with another port."
    # Below the ports that the system itself hands out.
    until port=$((10000 + RANDOM % 20000)) && is_free "$port"; do :; done
}

# --- Windows ----------------------------------------------------------------------------------

# Prints what was expected and what came, and ends the run.
fail() { # WINDOW EXPECTED GOT
    printf '\n%s:%s: window %s is not as the text says.\n  expected: %s\n  got:      %s\n' \
        "$text" "$line_number" "$1" "$2" "$3" >&2
    exit 1
}

# The command as it is typed on this computer.
translated() { # COMMAND
    local command=${1//$neighbour_in_text/$neighbour}
    [[ $port == 1883 || $command == *' -c test.conf' ]] || command+=" -p $port"
    printf '%s' "$command"
}

# Runs COMMAND in a window, in a folder of its own that holds test.conf.
start() { # WINDOW COMMAND
    local window=$1 command fd output input=/dev/null
    command=$(translated "$2")
    show "$window" "> $command"
    mkdir -p "$folder/$window"
    # The hand-out's file opens all interfaces; here the neighbour keeps to one address.
    sed "s/^listener 1883.*/listener $port $neighbour/" "$here/examples/test.conf" >"$folder/$window/test.conf"
    reads_lines[$window]=
    if [[ $command == *' -l'* ]]; then
        reads_lines[$window]=yes
        input=$folder/$window/keyboard
        rm -f "$input" && mkfifo "$input"
    fi
    exec {output}< <(
        for fd in "${out[@]}" "${in[@]}"; do exec {fd}>&-; done
        cd "$folder/$window" && run "$command" <"$input" 2>&1
    )
    pid[$window]=$! out[$window]=$output running[$window]=$command
    if [[ ${reads_lines[$window]} ]]; then
        exec {fd}>"$input"
        in[$window]=$fd
    fi
    await_client "$window" "$command"
}

# Becomes the program that a line starts, in the current folder.
run() { # COMMAND
    [[ ${LAB_WINE-} ]] || eval "exec $1"
    # In a .cmd file a percent sign is written twice.
    printf '@%s\r\n' "${1//%/%%}" >typed.cmd
    exec "$LAB_WINE" cmd /c typed.cmd
}

# The program that was started in a folder by PROCESS. Under Wine that is the shell, and the program
# another process, which is known by its folder.
program_of() { # FOLDER PROCESS
    local place
    [[ ${LAB_WINE-} ]] || { printf '%s' "$2"; return; }
    for place in /proc/[0-9]*; do
        [[ $(readlink "$place/cwd") == "$1" && $(tr '\0' ' ' <"$place/cmdline") == *mqtt-* ]] || continue
        printf '%s' "${place#/proc/}"
        return
    done 2>/dev/null
}

# Reads the next line of a window into $line; fails at its end, or when none comes.
next_line() { # WINDOW
    local status
    while true; do
        IFS= read -r -t "$patience" -u "${out[$1]}" line
        status=$?
        ((status == 0)) || return "$status"
        is_everywhere "$line" || continue
        line=${line%$'\r'}
        show "$1" "$line"
        return 0
    done
}

expect() { # WINDOW LINE
    local line= status
    is_everywhere "$2" || return 0
    [[ ${out[$1]-} ]] || fail "$1" "$2" "nothing: no command was typed there"
    next_line "$1"
    status=$?
    ((status <= 128)) || fail "$1" "$2" "nothing within $patience seconds"
    ((status == 0)) || fail "$1" "$2" "the end of the program"
    [[ $(masked "$line") == "$(masked "$2")" ]] || fail "$1" "$2" "$line"
}

# Waits for the end of the program in a window; it may not print anything more.
finish() { # WINDOW
    local line= status fd
    [[ ${out[$1]-} ]] || return 0
    next_line "$1"
    status=$?
    ((status != 0)) || fail "$1" "no more lines" "$line"
    ((status <= 128)) || fail "$1" "the end of the program" "it still runs after $patience seconds"
    fd=${out[$1]}
    exec {fd}<&-
    if [[ ${in[$1]-} ]]; then
        fd=${in[$1]}
        exec {fd}>&-
    fi
    unset "out[$1]" "in[$1]" "pid[$1]" "running[$1]"
}

# Sends a signal to the program in a window. The lines up to its end are yet to be read.
end_by() { # WINDOW SIGNAL SHOWN
    [[ ${running[$1]-} ]] || fail "$1" "a running program" "none"
    show "$1" "$3"
    kill -s "$2" "$(program_of "$folder/$1" "${pid[$1]}")" || fail "$1" "a running program" "none"
    running[$1]=
    [[ ! $broker ]] || wait_for_broker "Client ${client[$1]} .* disconnected"
}

# Ends all windows. A broker may still run and have more to say, the others must be done.
finish_all() {
    local window line
    for window in "${!out[@]}"; do
        if [[ ${running[$window]} == @(mqtt-broker|mosquitto\ )* ]]; then
            kill -s INT "$(program_of "$folder/$window" "${pid[$window]}")"
            while IFS= read -r -t "$patience" -u "${out[$window]}" line; do :; done
        fi
        finish "$window"
    done
}

# --- A broker that is not shown ---------------------------------------------------------------

broker=
broker_log=

fresh_broker() {
    end_broker
    mkdir -p "$folder/broker"
    exec {broker_log}< <(cd "$folder/broker" && run "mqtt-broker -v -p $port" </dev/null 2>&1)
    broker=$!
    wait_for_broker ' running$'
}

end_broker() {
    [[ $broker ]] || return 0
    kill -s INT "$(program_of "$folder/broker" "$broker")" && exec {broker_log}<&-
    wait "$broker" 2>/dev/null
    broker=
}

# Waits until the hidden broker knows the client of a window, and has its subscriptions.
await_client() { # WINDOW COMMAND
    [[ $broker ]] || return 0
    wait_for_broker 'New client connected from .* as (.*) \(p[345],'
    client[$1]=${BASH_REMATCH[1]}
    [[ $2 != @(mqtt-|mosquitto_)sub* ]] || wait_for_broker "Sending SUBACK to ${client[$1]}"
}

# Reads the log of the hidden broker up to a line that fits.
wait_for_broker() { # PATTERN
    local line=
    while IFS= read -r -t "$patience" -u "$broker_log" line; do
        [[ $line != *'Error: '* ]] || fail broker "$1" "$line"
        [[ ! $line =~ $1 ]] || return 0
    done
    fail broker "$1" "nothing within $patience seconds"
}

# --- Lines ------------------------------------------------------------------------------------

# Whether a line is there on every computer: not so for its user, its addresses and IPv6.
is_everywhere() { # LINE
    [[ ! $1 =~ 'Info: running mqtt-broker as user:'|'a broker needs no rights of root'|'Opening ipv6 listen socket'|'Other computers can use:'|'netsh advfirewall' ]]
}

# A line without what differs from run to run.
masked() { # LINE
    local line=$1 id='auto-[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}'
    local peer='(([0-9]+\.){3}[0-9]+|[0-9a-f:]*::[0-9a-f:]*):[0-9]{4,5}'
    if [[ $line =~ ^([0-9]{9,}|[0-9]{2}:[0-9]{2}:[0-9]{2}):\ (.*)$ ]]; then line="TIME: ${BASH_REMATCH[2]}"; fi
    while [[ $line =~ $id ]]; do line=${line/"${BASH_REMATCH[0]}"/auto-ID}; done
    line=${line// -p $port/}
    line=${line//port $port/port 1883}
    line=${line//$neighbour/$neighbour_in_text}
    while [[ $line =~ $peer ]]; do line=${line/"${BASH_REMATCH[0]}"/ADDRESS}; done
    if [[ $line =~ (mqtt-broker version )[0-9.]+(.*) ]]; then
        line=${line/"${BASH_REMATCH[0]}"/"${BASH_REMATCH[1]}VERSION${BASH_REMATCH[2]}"}
    fi
    printf '%s' "$line"
}

# --- The text ---------------------------------------------------------------------------------

play_line() { # WINDOW LINE
    case $2 in
        '> '*)
            finish "$1"
            start "$1" "${2#> }"
            ;;
        '^C') end_by "$1" INT "$2" ;;
        Killed) end_by "$1" KILL "$2" ;;
        *)
            if [[ ${reads_lines[$1]-} && ${running[$1]-} ]]; then
                show "$1" "$2"
                printf '%s\n' "$2" >&"${in[$1]}"
                # A person waits that long too before the next key.
                [[ ! $broker ]] || wait_for_broker "Received PUBLISH from ${client[$1]} "
            else
                expect "$1" "$2"
            fi
            ;;
    esac
}

play() {
    local line window=
    while IFS= read -r line || [[ $line ]]; do
        ((++line_number))
        if [[ $line =~ ^'```console '([1-9])$ ]]; then
            window=${BASH_REMATCH[1]}
        elif [[ $line == '```' ]]; then
            window=
        elif [[ $window ]]; then
            play_line "$window" "$line"
        elif [[ $line == '<!-- lab: fresh broker -->' ]]; then
            finish_all
            fresh_broker
        elif [[ $line =~ ^##+' ' ]]; then
            heading "$line"
        fi
    done
    finish_all
}

clean_up() {
    local one
    for one in "${!pid[@]}"; do
        kill -s KILL "${pid[$one]}" "$(program_of "$folder/$one" "${pid[$one]}")" 2>/dev/null
    done
    [[ ! $broker ]] || kill -s KILL "$broker" "$(program_of "$folder/broker" "$broker")" 2>/dev/null
    rm -rf "$folder"
}

[[ ${LAB_BIN-} ]] || build
PATH=$LAB_BIN:$PATH
folder=$(mktemp -d) || exit 1
trap clean_up EXIT
trap 'exit 130' INT
choose_port
play <"$text" || exit 1
printf '\nEvery line is as %s says.\n' "${text#"$here/"}"
