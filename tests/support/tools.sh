# Sourced by the scripts that run tests, in the folder of Cargo.toml: the path of the tests' tools, their installation,
# and what to do if that is not possible.

tools=$PWD/target/tools
case ":$PATH:" in
    *":$tools/bin:"*) ;;
    *) export PATH="$tools/bin:$PATH" ;;
esac

# Installs Debian packages as root, or with a sudo that needs no password. Fails otherwise.
install_packages() {
    command -v apt-get >/dev/null || return 1
    as_root=
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 1
        as_root="sudo -n"
    fi
    echo "Installing for the tests: $*"
    if [ -z "${package_lists_are_new:-}" ]; then
        $as_root apt-get update -qq || return 1
        package_lists_are_new=yes
    fi
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# `leave_out WHAT WHY`: reports tests that cannot run here, now and in the final summary. Fails with CI=true.
leave_out() {
    echo "LEFT OUT: $1 ($2)" >&2
    mkdir -p target
    echo "$1 ($2)" >>target/left-out
    [ "${CI:-}" != true ]
}

has_python() {
    python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

# Succeeds with Node 20.10 or newer, detected by an option that it introduced, and npm.
has_node() {
    node --test-concurrency=1 -e 0 2>/dev/null && command -v npm >/dev/null
}

# Prints the flag that enables WebSocket in Node; Node 22 needs none.
websocket_flag() {
    if node --experimental-websocket -e 0 2>/dev/null; then echo --experimental-websocket; fi
}

# Prints the browser of the tests: GREENROOM_CHROMIUM, or Chromium without a window system, which takes a third less
# processor time, or Chromium.
find_chromium() {
    for chromium in ${GREENROOM_CHROMIUM:-/usr/bin/chromium-headless-shell /usr/bin/chromium}; do
        if [ -x "$chromium" ]; then echo "$chromium"; return; fi
    done
    return 1
}
