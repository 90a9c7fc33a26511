# Brings Bun and the packages of the lock file to this machine. Sourced by start.sh, test.sh, check.sh and cli.sh, which
# set `root` (absolute) first. When everything is there it costs one `cmp` and starts no other program.
# Bun comes by npm with its install scripts off: the binary inside @oven/bun-* runs as it is, whatever npm's policy on scripts.

BUN_VERSION=1.4.5
tools=$root/.tools

fail() { printf 'attacca: %s\n' "$1" >&2; exit 1; }
say() { printf 'attacca: %s\n' "$1" >&2; }

# The reason hidden in a package manager's output, as a few words.
reason_in() {
  if grep -qE 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET|ConnectionRefused|ConnectionClosed|FailedToOpenSocket|Timeout|DNS' "$1" 2>/dev/null; then
    printf 'the package registry cannot be reached; check the network or the proxy settings'
  elif grep -qiE 'ENOSPC|no space left|NoSpaceLeft' "$1" 2>/dev/null; then printf 'the disk is full'
  elif grep -qiE 'EACCES|EPERM|EROFS|permission denied|AccessDenied|ReadOnlyFileSystem' "$1" 2>/dev/null; then printf 'the folder %s cannot be written' "$root"
  elif grep -qi 'lockfile had changes' "$1" 2>/dev/null; then printf 'bun.lock does not fit package.json; run "bun install" and commit the lock file'
  else printf 'it ended with an error'; fi
}

# One install at a time in this checkout; a lock left by a dead process is taken over.
lock() {
  mkdir -p "$tools" 2>/dev/null || fail "cannot write to $tools: the folder of the checkout must be writable for the first start"
  waited=0
  until mkdir "$tools/lock" 2>/dev/null; do
    holder=$(cat "$tools/lock/pid" 2>/dev/null || true)
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then rm -rf "$tools/lock"; continue; fi
    [ "$waited" -ne 0 ] || say "another start is installing; waiting for it"
    waited=$((waited + 1))
    [ "$waited" -lt 300 ] || fail "another install has held $tools/lock for 5 minutes; remove that folder if nothing is installing"
    sleep 1
  done
  echo $$ > "$tools/lock/pid"
  trap 'rm -rf "$tools/lock"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}
unlock() { rm -rf "$tools/lock"; trap - EXIT INT TERM; }

# The pinned version, or a later patch of the same minor.
fits() {
  have=$("$1" --version 2>/dev/null) || return 1
  [ "${have%.*}" = "${BUN_VERSION%.*}" ] || return 1
  patch=${have##*.}
  case $patch in '' | *[!0-9]*) return 1 ;; esac
  [ "$patch" -ge "${BUN_VERSION##*.}" ]
}

installed_bun() {
  for candidate in "$tools/bun-$BUN_VERSION"/node_modules/@oven/bun-*/bin/bun; do
    if [ -x "$candidate" ]; then bun=$candidate; return 0; fi
  done
  return 1
}

# Sets `bun` to an absolute path.
find_bun() {
  if installed_bun; then return; fi
  bun=$(command -v bun 2>/dev/null || true)
  case $bun in "$root"/node_modules/*) bun='' ;; esac
  if [ -n "$bun" ] && fits "$bun"; then return; fi
  command -v npm >/dev/null 2>&1 || fail "neither Bun $BUN_VERSION nor npm was found; install Node.js 20 or newer with npm (https://nodejs.org), then try again"
  lock
  if ! installed_bun; then
    say "installing Bun $BUN_VERSION by npm into .tools (once, about 110 MB)"
    into=$tools/bun-$BUN_VERSION
    rm -rf "$into" "$into.part"
    mkdir -p "$into.part"
    if ! npm install --prefix "$into.part" --no-audit --no-fund --no-save --ignore-scripts --loglevel=error \
      --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=3000 "bun@$BUN_VERSION" > "$tools/install.log" 2>&1; then
      fail "could not install Bun $BUN_VERSION by npm: $(reason_in "$tools/install.log") (details: $tools/install.log)"
    fi
    # On Linux both C libraries may have been brought; keep what runs here.
    for candidate in "$into.part"/node_modules/@oven/bun-*/bin/bun; do
      fits "$candidate" || rm -rf "${candidate%/bin/bun}"
    done
    mv "$into.part" "$into" || fail "could not write $into"
    installed_bun || fail "npm brought no Bun $BUN_VERSION that runs on this machine ($(uname -sm)); install Bun from https://bun.com and put it on the PATH"
  fi
  unlock
}

stamps=$root/node_modules/.attacca
has_packages() {
  cmp -s "$root/bun.lock" "$stamps/all.lock" || { [ "$1" = production ] && cmp -s "$root/bun.lock" "$stamps/production.lock"; }
}

# $1: `production` (what a node needs) or `all` (what the tests need too). The stamp is a copy of the lock file, so that a
# change of the lock file installs again and nothing else does.
install_packages() {
  if has_packages "$1"; then return; fi
  lock
  if has_packages "$1"; then unlock; return; fi
  flag=''
  if [ "$1" = production ]; then
    flag=--production
    say "installing packages from bun.lock"
  else
    say "installing packages from bun.lock, those of the tests included"
  fi
  if ! (cd "$root" && "$bun" install --frozen-lockfile $flag) > "$tools/install.log" 2>&1; then
    fail "could not install the packages of bun.lock: $(reason_in "$tools/install.log") (details: $tools/install.log)"
  fi
  mkdir -p "$stamps" "$root/node_modules/.bin" && cp "$root/bun.lock" "$stamps/$1.lock" || fail "could not write to $root/node_modules"
  # npm puts node_modules/.bin on the PATH of its scripts: with this link `npm run task` works where no other Bun is.
  case $bun in "$tools"/*) ln -sf "../../${bun#"$root"/}" "$root/node_modules/.bin/bun" ;; esac
  unlock
}

# Sets `entry` to what a start runs: the sources in one file, which loads in half the time, made anew when one of them is
# newer. Where that cannot be made the sources themselves are run. Packages with native parts or loaded late stay outside.
bundle_node() {
  entry=$stamps/node.js
  if [ -f "$entry" ] && [ -z "$(find "$root/src" "$root/package.json" "$root/bun.lock" -newer "$entry" -print 2>/dev/null | head -n 1)" ]; then return; fi
  if mkdir -p "$tools" 2>/dev/null && "$bun" build "$root/src/main.ts" --target=bun --outfile="$entry.$$" --minify-syntax --minify-whitespace --external libsql \
    --external @libsql/client --external openai --external prom-client --external ajv --external jsonrepair --external re2js > "$tools/bundle.log" 2>&1 \
    && mv -f "$entry.$$" "$entry" 2>/dev/null; then return; fi
  rm -f "$entry.$$"
  entry=$root/src/main.ts
}
