#!/bin/sh
# Installs the programs, their manual pages, and what lets shells complete their options.
#
#   scripts/install.sh [--prefix FOLDER] [--with-mosquitto-names] [--from FOLDER]
#
#   --prefix FOLDER          below this folder (default: /usr/local); DESTDIR in the environment is
#                            put in front of it, for packages
#   --with-mosquitto-names   also as mosquitto, mosquitto_pub, mosquitto_sub, mosquitto_rr and
#                            mosquitto_passwd; a program that is there already is left alone
#   --from FOLDER            takes built programs from there (default: builds them, target/release)
#   --uninstall              removes what it has installed
#
# Exit code: 0 if everything is in its place, 1 if not.
set -eu

programs="mqtt-broker mqtt-pub mqtt-sub mqtt-rr mqtt-passwd mqtt-bench"
prefix=/usr/local
from=
with_names=no
uninstall=no

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "Error: $*"
    exit 1
}

# The name of Mosquitto's program that does the same; nothing if it has none.
model_of() {
    case $1 in
    mqtt-bench) ;;
    mqtt-broker) echo mosquitto ;;
    *) echo "mosquitto_${1#mqtt-}" ;;
    esac
}

# Where a program called $1 has its manual page, and its completions.
places_of() {
    echo "$share/man/man1/$1.1"
    echo "$share/bash-completion/completions/$1"
    echo "$share/zsh/site-functions/_$1"
    echo "$share/fish/vendor_completions.d/$1.fish"
}

# Whether $1 is a link that this script has made to the program $2.
is_ours() { [ -L "$1" ] && [ "$(readlink "$1")" = "$2" ]; }

# Writes what the command in $2 and the following prints to the file $1; nothing if it fails.
keep() {
    target=$1
    shift
    if "$@" >"$scratch" 2>/dev/null && [ -s "$scratch" ]; then
        mkdir -p "$(dirname "$target")"
        cp "$scratch" "$target"
        chmod 644 "$target"
    fi
}

# Manual page and completions of the program $1, which lies at $2.
install_helpers() {
    keep "$share/man/man1/$1.1" "$2" --man
    keep "$share/bash-completion/completions/$1" "$2" --completion bash
    keep "$share/zsh/site-functions/_$1" "$2" --completion zsh
    keep "$share/fish/vendor_completions.d/$1.fish" "$2" --completion fish
}

install_one() {
    mkdir -p "$bin"
    # A running program cannot be written over, but its name can be given to another file.
    cp "$from/$1" "$bin/.$1.new"
    chmod 755 "$bin/.$1.new"
    mv -f "$bin/.$1.new" "$bin/$1"
    install_helpers "$1" "$bin/$1"
    say "installed $bin/$1"
}

install_name() {
    name=$(model_of "$1")
    [ -n "$name" ] || return 0
    link=$bin/$name
    if [ -e "$link" ] || [ -L "$link" ]; then
        if ! is_ours "$link" "$1"; then
            say "left alone: $link is there already, and is not ours"
            return
        fi
    fi
    ln -sf "$1" "$link"
    # Called by this name, the program writes completions for this name.
    install_helpers "$name" "$link"
    say "installed $link -> $1"
}

remove_one() {
    name=$(model_of "$1")
    if [ -n "$name" ] && is_ours "$bin/$name" "$1"; then
        rm -f "$bin/$name"
        places_of "$name" | while read -r place; do rm -f "$place"; done
        say "removed $bin/$name"
    fi
    if [ -e "$bin/$1" ]; then
        rm -f "$bin/$1"
        places_of "$1" | while read -r place; do rm -f "$place"; done
        say "removed $bin/$1"
    fi
}

while [ $# -gt 0 ]; do
    case $1 in
    --prefix | --from)
        [ $# -gt 1 ] || fail "$1 needs a folder behind it: $1 \$HOME/.local"
        if [ "$1" = --prefix ]; then prefix=$2; else from=$2; fi
        shift
        ;;
    --prefix=*) prefix=${1#*=} ;;
    --from=*) from=${1#*=} ;;
    --with-mosquitto-names) with_names=yes ;;
    --uninstall) uninstall=yes ;;
    -h | --help)
        sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"
        exit 0
        ;;
    *) fail "there is no option '$1'. All options: $0 --help" ;;
    esac
    shift
done

case $prefix in
/*) ;;
*) prefix=$PWD/$prefix ;;
esac
bin=${DESTDIR-}$prefix/bin
share=${DESTDIR-}$prefix/share

if [ "$uninstall" = yes ]; then
    for program in $programs; do remove_one "$program"; done
    exit 0
fi

if [ -z "$from" ]; then
    here=$(cd "$(dirname "$0")/.." && pwd)
    command -v cargo >/dev/null || fail "cargo is not there to build with; see https://rustup.rs, or name built programs with --from FOLDER"
    packages=
    for program in $programs; do packages="$packages -p $program"; done
    # shellcheck disable=SC2086
    (cd "$here" && cargo build --release --locked $packages)
    from=${CARGO_TARGET_DIR:-$here/target}/release
fi
for program in $programs; do
    [ -x "$from/$program" ] || fail "there is no $program in $from"
done
mkdir -p "$bin" 2>/dev/null && [ -w "$bin" ] ||
    fail "$bin cannot be written to. Try: sudo $0, or for yourself alone: $0 --prefix \$HOME/.local"

scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
for program in $programs; do install_one "$program"; done
if [ "$with_names" = yes ]; then
    for program in $programs; do install_name "$program"; done
fi
case :$PATH: in
*:"$prefix/bin":*) ;;
*) say "note: $prefix/bin is not in your PATH; shells look for programs only there" ;;
esac
