# Shared by the scripts beside it: where things are, how to speak, how to install a Debian package.
# Source it; it changes to the project's directory.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# A fresh rustup is not on the PATH of a shell that was open before it.
export PATH="$HOME/.cargo/bin:$PATH"

# No package may hold what is in the environment of the machine that builds: a test searches them for this.
export SECRET_OF_THE_BUILDING_MACHINE=planted-8d21c4f0a6e93b75d0e4429f61

# The oldest compiler that does.
rust_wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() {
  printf '\033[1m==> cannot go on:\033[0m %s\n' "$*" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# version_at_least 1.95 1.100.2 → true
version_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# Runs a command as root, and never asks for a password.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_install() {
  has apt-get && { [ "$(id -u)" = 0 ] || { has sudo && sudo -n true 2>/dev/null; }; }
}

# apt_install "why" package...
apt_install() {
  local why=$1
  shift
  if ! can_install; then
    say "$why needs: $* (install them yourself: this machine has no apt, or no root and no password-less sudo)"
    return 1
  fi
  say "$why: installing $*"
  # The package lists of a fresh machine are empty, those of an old one point at files that are gone.
  apt_quietly install "$@" || { apt_quietly update && apt_quietly install "$@"; }
}

apt_quietly() {
  local verb=$1 log
  shift
  log=$(mktemp)
  local options=(-qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2)
  [ "$verb" = install ] && options+=(-y --no-install-recommends)
  if as_root env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" "$verb" "$@" </dev/null >"$log" 2>&1; then
    rm -f "$log"
  else
    tail -n 5 "$log" >&2
    rm -f "$log"
    return 1
  fi
}
