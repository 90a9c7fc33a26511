#!/bin/sh
# Installs what the tests need and runs them all: types, lint, then every suite on Bun. The last line is the count.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1

case ${1-} in -h | --help)
  cat <<'HELP'
Run the tests of Attacca.

  npm test                           types, lint and every suite (up to 6 minutes on two cores)
  npm run test:long                  the same suites at their full sizes
  npm test -- test/cli -t "exit"     only some tests, without types and lint; arguments are those of vitest run

The last line says how many passed and failed; the exit code is 0 only when none failed and at least one ran.
HELP
  exit 0 ;;
esac

. "$root/scripts/install.sh"
cd "$root" || exit 1
if [ "${1-}" = --long ]; then
  export ATTACCA_TEST_LONG=1
  shift
fi
find_bun
install_packages all

export BUN_CONFIG_MAX_HTTP_REQUESTS="${BUN_CONFIG_MAX_HTTP_REQUESTS:-65535}"
export ATTACCA_TEST_COUNTS="${TMPDIR:-/tmp}/attacca-test-counts.$$"
rm -f "$ATTACCA_TEST_COUNTS"
trap 'rm -f "$ATTACCA_TEST_COUNTS"' EXIT

passed=0
failed=0
if [ $# -eq 0 ]; then
  for step in types lint; do
    if sh "$root/scripts/check.sh" "$step"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  done
fi

"$bun" --bun x vitest run --reporter=default --reporter=./scripts/reporter.ts "$@"
rc=$?
suite_passed=0
if read -r suite_passed suite_failed _ 2>/dev/null < "$ATTACCA_TEST_COUNTS"; then
  passed=$((passed + suite_passed))
  failed=$((failed + suite_failed))
else
  say "the test run ended before it could count (exit code $rc)"
  failed=$((failed + 1))
fi
if [ "$suite_passed" -eq 0 ] && [ "$failed" -eq 0 ]; then say "no test ran"; failed=1; fi
if [ "$rc" -ne 0 ] && [ "$failed" -eq 0 ]; then say "vitest ended with $rc"; failed=1; fi
[ -z "${ATTACCA_TEST_TOTALS-}" ] || echo "$passed $failed" >> "$ATTACCA_TEST_TOTALS"

printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
