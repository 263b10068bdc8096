# shellcheck shell=bash
# What is tried with the programs under Wine beside the lab; scripts/windows.sh reads this file. Each try is a
# function that ends the script by `fail` if something is not as it should be.

# A folder as users name theirs, and a port for the broker there.
desk="$home/ο φάκελός μου – my folder"
desk_port=18831

# Lays out the programs, and the helper that does what no shell can.
lay_out() {
    rm -rf "$desk"
    cp -r "$folder" "$desk"
    x86_64-w64-mingw32-gcc -Wall -municode -Os -s -o "$desk/tries.exe" "$here/scripts/windows/tries.c"
}

# Runs what stands on standard input as a .cmd file, with the folder as the current one.
typed() {
    sed 's/$/\r/' >"$desk/typed.cmd"
    (cd "$desk" && run cmd /c typed.cmd)
}

# Starts a program that is told EVENT when `tell NAME` says so. What it prints is in NAME.said.
begin() { # NAME EVENT PROGRAM [ARGUMENT ...]
    rm -f "$desk/$1.tell"
    mkfifo "$desk/$1.tell"
    : >"$desk/$1.said"
    (cd "$desk" && exec timeout 300 "$wine" tries.exe event "${@:2}") <>"$desk/$1.tell" >"$desk/$1.said" 2>&1 &
    begun[$1]=$!
}
declare -A begun=()

# Tells a program what it was begun with, and waits until it has ended; its exit code.
tell() { # NAME
    echo >"$desk/$1.tell"
    wait "${begun[$1]}"
}

# Waits for a line in a file.
await() { # FILE PATTERN
    local tries
    for ((tries = 0; tries < 1200; tries++)); do
        ! grep -qs -- "$2" "$1" || return 0
        sleep 0.1
    done
    fail "${1##*/} does not get a line with '$2', but: $(cat "$1")"
}

says() { # TEXT PATTERN
    grep -q -- "$2" <<<"$1" || fail "there is no line with '$2', but: $1"
}

# Whatever a console says ends a client with a good-bye, and the broker with all that it has to keep.
ends() {
    local event name status heard last=
    printf 'listener %s 127.0.0.1\nallow_anonymous true\npersistence true\n' "$desk_port" >"$desk/ends.conf"
    for event in '0 Ctrl-C' '1 Ctrl-Break' '2 the close button' '5 logging off' '6 shutting down'; do
        name=${event#* } event=${event%% *}
        begin broker "$event" mqtt-broker.exe -v -c ends.conf
        await "$desk/broker.said" ' running'
        if [ "$last" ]; then
            heard=$(run "$desk/mqtt-sub.exe" -h 127.0.0.1 -p "$desk_port" -t last -C 1 -W 60)
            [ "$heard" = "$last" ] || fail "after $last the broker has forgotten what it confirmed: $heard"
        fi
        begin client "$event" mqtt-sub.exe -h 127.0.0.1 -p "$desk_port" -i reader -t '#' -d \
            --will-topic will --will-payload gone
        await "$desk/client.said" 'Subscribed'
        tell client || true
        await "$desk/client.said" 'Client reader sending DISCONNECT'
        await "$desk/broker.said" 'Client reader .*disconnected'
        ! grep -q "'will'" "$desk/broker.said" || fail "after $name a will was sent"
        last=$name
        run "$desk/mqtt-pub.exe" -h 127.0.0.1 -p "$desk_port" -t last -m "$last" -q 1 -r
        tell broker || fail "after $name the broker ends with code $?: $(cat "$desk/broker.said")"
        await "$desk/broker.said" ' terminating'
        say "$name: the client says DISCONNECT, the broker ends with code 0 and keeps the message."
    done
}

# Half of a surrogate pair, which can be part of an argument and is no text, is refused.
halves() {
    local tool said status arguments
    for tool in $(tools); do
        status=0 arguments=(-h 'a�b')
        [ "$tool" != mqtt-bench ] || arguments=(box -h 'a�b')
        [ "$tool" != mqtt-broker ] || arguments=(-c 'a�b')
        [ "$tool" != mqtt-passwd ] || arguments=('a�b' anna)
        said=$(cd "$desk" && run tries.exe half "$tool.exe" "${arguments[@]}" 2>&1) || status=$?
        [[ $status != 0 && $status -lt 100 && $said == *Error* && $said != *panicked* ]] ||
            fail "half of a letter ends $tool with code $status: $said"
        say "$tool: ${said%%$'\n'*}"
    done
}

# What a program shows in a console of Windows, and whether it asked for escape sequences there.
shown() { # VARIABLE=VALUE PROGRAM [ARGUMENT ...]
    printf 'cd %q\nexport %q\n%q %s >console.said\n' "$desk" "$1" "$wine" "tries.exe console ${*:2}" >"$desk/console.sh"
    timeout 120 script -qec "bash '$desk/console.sh'" /dev/null </dev/null >/dev/null || true
    tr -d '\r' <"$desk/console.said"
}

# Colours, and --watch, in a console; text that is no ASCII arrives there as it is.
in_console() {
    local escape=$'\e' said
    said=$(shown NO_COLOR= cmd /c ver)
    says "$said" 'escapes off'
    said=$(shown NO_COLOR= mqtt-pub.exe -t Γειά –d)
    says "$said" 'escapes on'
    says "$said" "^$escape\\[33mNote:$escape\\[0m '–d' was read as '-d'"
    says "$said" "^$escape\\[1;31mError$escape\\[0m: "
    said=$(shown NO_COLOR=1 mqtt-pub.exe -t Γειά –d)
    says "$said" "^Note: '–d' was read as '-d'"
    says "$said" '^Error: '
    begin broker 0 mqtt-broker.exe -p "$desk_port"
    await "$desk/broker.said" ' running'
    run "$desk/mqtt-pub.exe" -h 127.0.0.1 -p "$desk_port" -t εργαστήριο -m 'Γειά – 𝄞' -r
    printf 'a\x01\xff' | timeout 120 "$wine" "$desk/mqtt-pub.exe" -h 127.0.0.1 -p "$desk_port" -t binary -s -r
    said=$(shown NO_COLOR= mqtt-sub.exe -h 127.0.0.1 -p "$desk_port" -t εργαστήριο --watch -C 1)
    says "$said" 'escapes on'
    says "$said" "$escape\\[2;1H$escape\\[2K.*Γειά – "
    said=$(shown NO_COLOR= mqtt-sub.exe -h 127.0.0.1 -p "$desk_port" -t binary -C 1)
    ! grep -q $'\x01' <<<"$said" || fail "a control character reaches the console: $said"
    printf 'a\x01\xff\n' >"$desk/expected"
    run "$desk/mqtt-sub.exe" -h 127.0.0.1 -p "$desk_port" -t binary -C 1 | tr -d '\r' | cmp - "$desk/expected" ||
        fail "bytes do not pass a pipe as they are"
    tell broker
    say "Colours, NO_COLOR, --watch and other letters: as they should be."
}

# A text as Windows' programs save it.
utf16() { { printf '\xff\xfe' && sed 's/$/\r/' | iconv -t UTF-16LE; } >"$desk/$1"; }
with_bom() { { printf '\xef\xbb\xbf' && sed 's/$/\r/'; } >"$desk/$1"; }

# Files of every kind as Windows' programs save them, under names with blanks; and all of them watched.
files() {
    local said
    mkdir -p "$desk/τα δικά μου" "$desk/the store"
    typed <<<'@mqtt-passwd -c -b users.txt Άννα "κωδικός 1"' || fail "no password file can be written"
    with_bom 'οι χρήστες.txt' <"$desk/users.txt"
    printf 'user Άννα\ntopic read εργαστήριο/#\n' | utf16 'τα δικαιώματα.txt'
    printf '%s\n' "listener $desk_port 127.0.0.1" 'password_file .\οι χρήστες.txt' \
        "acl_file $(windows_path "$desk")\\τα δικαιώματα.txt" 'persistence true' 'persistence_location the store\' |
        utf16 'οι ρυθμίσεις.conf.txt'
    said=$(typed <<<'@mqtt-broker -c "οι ρυθμίσεις.conf" 2>&1') || true
    says "$said" 'οι ρυθμίσεις.conf.txt'
    mv "$desk/οι ρυθμίσεις.conf.txt" "$desk/οι ρυθμίσεις.conf"

    begin broker 0 mqtt-broker.exe -v -c 'οι ρυθμίσεις.conf'
    await "$desk/broker.said" ' running'
    # A second one cannot have the store, nor the port.
    printf 'listener %s 127.0.0.1\r\npersistence true\r\npersistence_location the store\\\r\n' "$((desk_port + 1))" \
        >"$desk/second.conf"
    said=$(typed <<<'@mqtt-broker -c second.conf 2>&1') || true
    says "$said" 'another broker'
    said=$(typed <<<"@mqtt-broker -p $desk_port 2>&1") || true
    says "$said" 'Error: '

    printf '%s\n' '-h 127.0.0.1' "-p $desk_port" '-u Άννα' '-P κωδικός 1' | utf16 'τα δικά μου/mqtt-pub.conf'
    printf '%s\n' '-h 127.0.0.1' "-p $desk_port" '-u Άννα' '-P κωδικός 1' | with_bom 'τα δικά μου/mqtt-sub.conf'
    said=$(typed <<<'@set USERPROFILE=%~dp0τα δικά μου
@mqtt-pub -t εργαστήριο/α -m x -q 1 -V 5 -d 2>&1') || true
    says "$said" 'Not authorized'
    # Saving any of its files has the broker read all of them again.
    printf 'user Άννα\ntopic readwrite εργαστήριο/#\n' | utf16 'τα δικαιώματα.txt'
    await "$desk/broker.said" 'Reloading config'
    printf 'πρώτη γραμμή\nδεύτερη\n' | utf16 lines.txt
    said=$(typed <<<'@set USERPROFILE=%~dp0τα δικά μου
@set APPDATA=%~dp0τα δικά μου
@mqtt-pub -t εργαστήριο/α -l -q 1 -r <lines.txt
@mqtt-sub -t εργαστήριο/α -C 1 -W 60') || fail "the second line does not arrive: $said"
    says "$said" '^δεύτερη'
    printf 'Άννα:wrong\n' >"$desk/οι χρήστες.txt"
    await "$desk/broker.said" 'Error: the configuration was not changed'
    tell broker || fail "the broker ends with code $?: $(cat "$desk/broker.said")"
    [ "$(find "$desk/the store" -type f -size +0)" ] || fail "the store is not in its folder: $(ls -R "$desk")"
    say "Files as Windows saves them, in folders with blanks: read, watched, and kept."
}

# Installs the broker as a service, has it read its configuration again, and takes it away.
service() {
    local unpacked=$home/service broker heard
    rm -rf "$unpacked"
    cp -r "$folder" "$unpacked"
    broker=$unpacked/mqtt-broker.exe
    # Wine's services have another idea of %ProgramData% than its programs: the log is looked for.
    find "$home/prefix/drive_c" -name mqtt-broker.log -delete
    printf 'listener 18830 127.0.0.1\r\nallow_anonymous true\r\n' >"$unpacked/ρυθμίσεις.conf"
    # What a run that was cut short has left.
    run "$broker" uninstall >/dev/null 2>&1 || true
    (cd "$unpacked" && run "$broker" install -c ρυθμίσεις.conf) || fail "the service cannot be installed"
    run net start mqtt-broker || fail "the service cannot be started"
    await_service ' running$'
    run "$unpacked/mqtt-pub.exe" -h 127.0.0.1 -p 18830 -t service -m "it works" -r
    heard=$(run "$unpacked/mqtt-sub.exe" -h 127.0.0.1 -p 18830 -t service -C 1 -W 30)
    [ "$heard" = "it works" ] || fail "the service does not pass on messages, but: $heard"
    printf 'listener 18830 127.0.0.1\r\nallow_anonymous false\r\n' >"$unpacked/ρυθμίσεις.conf"
    await_service 'Reloading config'
    ! run "$unpacked/mqtt-pub.exe" -h 127.0.0.1 -p 18830 -t service -n 2>/dev/null ||
        fail "the service has not read its configuration again"
    run net stop mqtt-broker
    await_service ' terminating$'
    run "$broker" uninstall || fail "the service cannot be taken away"
    ! run "$broker" uninstall 2>"$home/said" || fail "the service is still there"
    grep -q 'it is not installed' "$home/said" || fail "$(cat "$home/said")"
    say "The service passes on Windows (Wine)."
}

# Waits for a line in the log of the service.
await_service() { # PATTERN
    local tries
    for ((tries = 0; tries < 1200; tries++)); do
        ! find "$home/prefix/drive_c" -name mqtt-broker.log -exec grep -qs -- "$1" {} \; -print | grep -q . || return 0
        sleep 0.1
    done
    fail "the service does not log '$1', but: $(find "$home/prefix/drive_c" -name mqtt-broker.log -exec tail -5 {} \;)"
}

run() { # PROGRAM [ARGUMENT ...]
    timeout 300 "$wine" "$@" </dev/null
}
