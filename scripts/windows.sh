#!/usr/bin/env bash
# Builds the tools for Windows, packs them into one zip, and tries them here under Wine.
#
# Nothing of this needs Windows: Debian has a cross linker (MinGW-w64), a compiler with the sources
# of its standard library (rustc-web), and Wine. What is missing of them is installed.
#
#   scripts/windows.sh              everything: build, zip, lab, tests
#   scripts/windows.sh build        the tools, in target/windows/mqtt-tools-windows/
#   scripts/windows.sh zip          the same, and target/windows/mqtt-tools-windows.zip
#   scripts/windows.sh lab [FILE]   the zip's programs play docs/lab.md (or FILE) under Wine
#   scripts/windows.sh tries [TRY ...]
#                                   the ends of programs, half letters, the console, files and the service, under
#                                   Wine; TRY is one of ends, halves, in_console, files, service
#   scripts/windows.sh test [PACKAGE [ARGUMENT ...]]
#                                   the test suites under Wine; ARGUMENTs go to the test programs
#   scripts/windows.sh wine PROGRAM [ARGUMENT ...]
#                                   one program under Wine, such as mqtt-pub
#
#   WINDOWS_HOME=FOLDER             where all this lies instead of target/windows (2 GB)
#   WINDOWS_PROFILE=dev             the programs are built as the tests are, not optimised: sooner, for a
#                                   check and not for people
#
# Exit code: 0 if all is well. What is known about Windows, and what Wine cannot show: docs/windows.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=${WINDOWS_HOME:-$here/target/windows}
mkdir -p "$home"
home=$(cd "$home" && pwd)
target=x86_64-pc-windows-gnu
folder=$home/mqtt-tools-windows
zip=$home/mqtt-tools-windows.zip
wine=$home/wine
profile=${WINDOWS_PROFILE:-release}

say() { printf '%s\n' "$*"; }
step() { printf '\n-- %s\n' "$*"; }
fail() {
    printf 'Error: %s\n' "$*" >&2
    exit 1
}

# --- What Debian brings -----------------------------------------------------------------------

install_packages() {
    local package missing=() sudo=()
    for package in rustc-web cargo-web rust-web-src gcc-mingw-w64-x86-64-posix wine64 zip cmark-gfm; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    say "Installing ${missing[*]} ..."
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -qq -y --no-install-recommends \
        -o Acquire::Retries=3 "${missing[@]}" >/dev/null
}

# Debian's compiler, and cargo as it calls it for Windows. Its standard library for Windows is made from
# its sources, once for each of its versions.
prepare_compiler() {
    unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_TARGET_DIR
    # Half of the disk, and tests tell where they fail without it.
    export CARGO_PROFILE_DEV_DEBUG=none
    export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
    local version sysroot libraries source
    version=$("$RUSTC" --version | cut -d' ' -f2)
    sysroot=$home/rust-$version
    if ! [ -e "$sysroot/complete" ]; then
        step "The standard library of Rust $version for Windows"
        libraries=$sysroot/lib/rustlib/$target/lib
        source=$home/empty
        rm -rf "$sysroot" "$source"
        mkdir -p "$libraries" "$source/src"
        : >"$source/src/lib.rs"
        printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n' >"$source/Cargo.toml"
        (cd "$source" && RUSTC_BOOTSTRAP=1 /usr/bin/cargo build --quiet --release --target "$target" \
            -Z build-std=std,panic_abort,test)
        cp "$source/target/$target/release/deps/"*.rlib "$libraries"
        rm -rf "$libraries"/libempty* "$source"
        : >"$sysroot/complete"
    fi
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS="--sysroot $sysroot"
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER="$home/run-tests"
}

cross() { # COMMAND [ARGUMENT ...]
    (cd "$here" && /usr/bin/cargo "$1" --target "$target" --target-dir "$home/target" "${@:2}")
}

# --- Wine -------------------------------------------------------------------------------------

# A Windows folder of our own, with the one library that Wine 8 lacks.
prepare_wine() {
    export WINEPREFIX=$home/prefix WINEDEBUG=${WINEDEBUG:--all}
    export WINEDLLOVERRIDES='mscoree=;mshtml=;winemenubuilder.exe=d'
    # Wine breaks every letter that is not ASCII unless the locale is a UTF-8 one, and it reads .cmd files
    # as UTF-8 (as Windows does after `chcp 65001`) only in a language that never had another code page.
    mkdir -p "$home/locale"
    [ -e "$home/locale/hi_IN.utf8" ] || cp -r /usr/lib/locale/C.utf8 "$home/locale/hi_IN.utf8"
    printf '#!/bin/sh\nLOCPATH=%q LC_ALL=hi_IN.UTF-8 exec /usr/lib/wine/wine64 "$@"\n' "$home/locale" >"$wine"
    chmod +x "$wine"
    local library=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
    [ ! -e "$library" ] || return 0
    step "A Windows folder for Wine"
    timeout 300 "$wine" wineboot -i </dev/null >/dev/null 2>&1 || fail "wineboot does not end well"
    # What has made the folder goes on for some time, with a manager of services of its own: two of them know
    # nothing of each other's services. So all of it ends before anything else starts.
    end_wine
    cat >"$home/bcryptprimitives.c" <<'C'
/* Rust takes its random numbers from ProcessPrng, which Windows has had since version 8. */
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID bytes, ULONG count);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count)
{
    return SystemFunction036(bytes, (ULONG)count);
}
C
    x86_64-w64-mingw32-gcc -shared -Os -s -o "$library" "$home/bcryptprimitives.c" -ladvapi32
}

# What cargo runs the test programs with. Now and then Wine ends instead of the program, and says so; then the
# program is run once more. A failed test is never: it comes with the suite's own report.
prepare_runner() {
    cat >"$home/run-tests" <<SH
#!/usr/bin/env bash
for try in 1 2; do
    timeout 1200 $(printf %q "$wine") "\$@" 2>&1 | tee "$home/run-tests.said"
    status=\${PIPESTATUS[0]}
    [ "\$status" != 0 ] || exit 0
    ! grep -q '^test result: ' "$home/run-tests.said" || exit "\$status"
    grep -qE 'wine client error|wineserver crashed' "$home/run-tests.said" || exit "\$status"
    printf 'Wine has ended, with code %s, before the tests did.\n' "\$status"
done
exit "\$status"
SH
    chmod +x "$home/run-tests"
}

# When the last program ends, so do Wine's services, and one that starts just then fails. So one waits for a
# line that never comes.
stay_on() {
    local keyboard
    rm -f "$home/keyboard"
    mkfifo "$home/keyboard"
    exec {keyboard}<>"$home/keyboard"
    "$wine" cmd <&"$keyboard" >/dev/null 2>&1 &
}

# Ends what still runs in our Windows folder, and nothing else.
end_wine() {
    [ ! -d "$home/prefix" ] || WINEPREFIX=$home/prefix timeout 30 /usr/lib/wine/wineserver -k 2>/dev/null || true
}

# A folder as a program under Wine names it.
windows_path() { # FOLDER
    local path=Z:$1
    printf '%s' "${path//\//\\}"
}

# --- The zip ----------------------------------------------------------------------------------

# All programs that people are meant to run.
tools() {
    local main
    for main in "$here"/crates/*/src/main.rs; do
        main=${main%/src/main.rs}
        printf '%s\n' "${main##*/}"
    done
}

# The name of Mosquitto's program that does the same; nothing if it has none.
model_of() { # TOOL
    case $1 in
        mqtt-broker) echo mosquitto ;;
        mqtt-pub | mqtt-sub | mqtt-rr | mqtt-passwd) echo "mosquitto_${1#mqtt-}" ;;
    esac
}

build() {
    step "The tools for Windows"
    local tool model built packages=()
    case $profile in
        release)
            built=$home/target/$target/release
            for tool in $(tools); do packages+=(-p "$tool" --bin "$tool"); done
            cross build --quiet --release "${packages[@]}"
            ;;
        dev)
            built=$home/target/$target/debug
            build_tests "${tested[@]}"
            ;;
        *) fail "WINDOWS_PROFILE is release or dev, and not '$profile'" ;;
    esac
    rm -rf "$folder"
    mkdir -p "$folder"
    for tool in $(tools); do
        x86_64-w64-mingw32-strip -o "$folder/$tool.exe" "$built/$tool.exe"
        check_libraries "$folder/$tool.exe"
        model=$(model_of "$tool")
        [ -n "$model" ] || continue
        # The program learns its name from the variable, and answers as Mosquitto's would.
        printf '%s\r\n' "@setlocal" "@set MQTT_CALLED_AS=$model" "@\"%~dp0$tool.exe\" %*" >"$folder/$model.cmd"
    done
    # Notepad of Windows before 10 wants to see the end of a line as Windows writes it.
    sed 's/$/\r/' "$here/examples/test.conf" >"$folder/test.conf"
    page lab.md lab.html en "The lab"
    page lab.el.md lab.el.html el "Το εργαστήριο"
    page windows.md windows.html en "On Windows"
    (cd "$folder" && ls -l)
}

# A page of docs/ that a double click opens.
page() { # MARKDOWN HTML LANGUAGE TITLE
    {
        printf '<!DOCTYPE html>\n<html lang="%s">\n<meta charset="utf-8">\n<title>%s</title>\n' "$3" "$4"
        printf '<style>body { max-width: 60em; margin: auto; padding: 1em; font-family: sans-serif; line-height: 1.5 }\n'
        printf 'pre { background: #eee; padding: .6em; overflow-x: auto } td, th { text-align: left; padding: .2em .8em; vertical-align: top }</style>\n'
        # Links to files of the source have nothing to point to in the folder.
        sed -E 's/\[([^]]*)\]\(\.\.\/[^)]*\)/\1/g; s/\((lab|lab\.el|windows)\.md\)/(\1.html)/g' "$here/docs/$1" |
            cmark-gfm -e table
    } >"$folder/$2"
}

# Everything that a program needs from others must be part of every Windows.
check_libraries() { # PROGRAM
    local library
    for library in $(x86_64-w64-mingw32-objdump -p "$1" | sed -n 's/^\s*DLL Name: //p'); do
        case ${library,,} in
            advapi32.dll | bcrypt.dll | bcryptprimitives.dll | combase.dll | crypt32.dll | iphlpapi.dll | kernel32.dll | msvcrt.dll) ;;
            ncrypt.dll | ntdll.dll | ole32.dll | oleaut32.dll | psapi.dll | rpcrt4.dll | secur32.dll) ;;
            userenv.dll | ws2_32.dll | api-ms-win-*) ;;
            # Windows does not tell a program with one of these when it shuts down.
            user32.dll | gdi32.dll | shell32.dll) fail "${1##*/} needs $library, and would be ended without a word" ;;
            *) fail "${1##*/} needs $library, which is no part of Windows" ;;
        esac
    done
}

pack() {
    step "The zip"
    rm -f "$zip"
    local level=9
    [ "$profile" = release ] || level=1
    (cd "$home" && zip -qr"$level" "$zip" "${folder##*/}")
    say "$(du -h "$zip" | cut -f1) $zip"
    (cd "$home" && sha256sum "${zip##*/}" | tee "$zip.sha256")
}

# --- Tries ------------------------------------------------------------------------------------

# Plays pages with the programs of the zip, typed into .cmd files.
lab() { # [FILE ...]
    local page pages=("$@") unpacked=$home/unpacked
    [ $# -gt 0 ] || pages=("$here/docs/lab.md" "$here/docs/windows.md")
    rm -rf "$unpacked"
    cp -r "$folder" "$unpacked"
    for page in "${pages[@]}"; do
        step "$(basename "$page") on Windows (Wine)"
        LAB_WINE=$wine LAB_BIN=$unpacked WINEPATH=$(windows_path "$unpacked") LAB_PATIENCE=60 \
            timeout 900 "$here/scripts/lab.sh" "$page" || fail "the lab does not pass on Windows (Wine)"
    done
    say "The lab passes on Windows (Wine)."
}

# Beside the lab: how programs end, their arguments, their console, their files, the service.
# shellcheck source=scripts/windows/tries.sh
. "$here/scripts/windows/tries.sh"

tries() { # [TRY ...]
    local try
    [ $# -gt 0 ] || set -- ends halves in_console files service
    lay_out
    for try; do
        step "Tries on Windows (Wine): ${try/_/ }"
        "$try"
    done
}

# What is tested under Wine: everything but what needs other people's programs from Linux.
tested=(mqtt-proto mqtt-net mqtt-common mqtt-passwd mqtt-pub mqtt-sub mqtt-rr mqtt-bench mqtt-broker)

# Tests that are not run under Wine, each with its reason.
left_out=(
    # Wine's table of connections names no processes.
    port_owner::tests::our_own_port_is_found
    # Now and then the connection of a killed program does not end: the program is gone, and Wine's server keeps
    # its socket.
    lines_wait_for_the_broker_that_takes_the_place_of_a_killed_one
    a_device_that_vanishes_leaves_its_will
)
# These have no files and no connections, so nothing of Windows either, and take long. They are run if their
# package is named.
pure=(engine_ fuzz_ tidiness)

# What of packages is tested; cargo wants no word of a library where there is none.
parts_of() { # PACKAGE ...
    local package
    for package; do
        [ ! -e "$here/crates/$package/src/lib.rs" ] || { echo --lib && break; }
    done
    printf '%s\n' "${@/#/--package=}" --bins --tests
}

# The tests of those packages, and all programs, which the tests start.
build_tests() { # PACKAGE ...
    local parts
    mapfile -t parts < <(parts_of "$@")
    cross test --quiet --no-run "${parts[@]}"
    # Tests would have cargo build a program again that is older than any source, though nothing of it changed.
    touch "$home/target/$target/debug/"*.exe
}

tests() { # [PACKAGE [ARGUMENT ...]]
    local packages=("${tested[@]}") parts skipped=("${left_out[@]}" "${pure[@]}")
    if [ $# -gt 0 ]; then
        packages=("$1") skipped=("${left_out[@]}")
        shift
        # Some tests start it.
        cross build --quiet -p mqtt-broker --bins
    fi
    step "The tests on Windows (Wine)"
    build_tests "${packages[@]}"
    mapfile -t parts < <(parts_of "${packages[@]}")
    cross test --no-fail-fast "${parts[@]}" -- "${skipped[@]/#/--skip=}" "$@"
}

main() {
    local task=${1:-all}
    [ $# -eq 0 ] || shift
    install_packages
    prepare_compiler
    prepare_wine
    prepare_runner
    trap end_wine EXIT
    stay_on
    case $task in
        all)
            build
            pack
            lab
            tries
            tests
            step "$zip is ready (profile $profile)"
            say "the lab passes on Windows (Wine)"
            ;;
        build) build ;;
        zip)
            build
            pack
            ;;
        lab)
            [ -d "$folder" ] || build
            lab "$@"
            ;;
        tries)
            [ -d "$folder" ] || build
            tries "$@"
            ;;
        test) tests "$@" ;;
        wine)
            local program=$folder/${1:?a program}.exe
            shift
            "$wine" "$program" "$@"
            ;;
        *) fail "there is no task '$task'. The tasks stand at the top of $0" ;;
    esac
}

# Nothing runs if the script is read by another one.
[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
