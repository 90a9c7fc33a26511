#!/bin/sh
# Types, lint and the tidy rules of the code base. Each step may be named alone: check.sh types | lint | tidy.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
cd "$root" || exit 1
. "$root/scripts/install.sh"
find_bun
install_packages all

[ $# -gt 0 ] || set -- types lint tidy
failed=''
for step do
  case $step in
    types) "$bun" --bun x tsc --noEmit ;;
    lint) "$bun" --bun x oxlint --deny-warnings ;;
    tidy) "$bun" --bun x vitest run --reporter=dot test/tidy.test.ts ;;
    *) fail "check.sh knows types, lint and tidy, not \"$step\"" ;;
  esac || failed="$failed $step"
done
if [ -n "$failed" ]; then printf 'check failed:%s\n' "$failed" >&2; exit 1; fi
