# Sourced by the scripts that run tests, in the folder of Cargo.toml: where the tests' own tools are, how missing ones are
# installed, and what to do where that is not possible.

tools=$PWD/target/tools
case ":$PATH:" in
    *":$tools/bin:"*) ;;
    *) export PATH="$tools/bin:$PATH" ;;
esac

# Installs Debian packages: as root, or with a sudo that asks for no password. Fails elsewhere.
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

# `leave_out WHAT WHY`: names tests that cannot run here, for the summary at the end too. A failure with CI=true.
leave_out() {
    echo "LEFT OUT: $1 ($2)" >&2
    mkdir -p target
    echo "$1 ($2)" >>target/left-out
    [ "${CI:-}" != true ]
}

has_python() {
    python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

# Node 20.10 or newer, by an option that came with it, and npm.
has_node() {
    node --test-concurrency=1 -e 0 2>/dev/null && command -v npm >/dev/null
}

# Names the flag without which Node has no WebSocket; Node 22 needs none.
websocket_flag() {
    if node --experimental-websocket -e 0 2>/dev/null; then echo --experimental-websocket; fi
}
