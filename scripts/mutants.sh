#!/usr/bin/env bash
# Breaks core's state machines in every way cargo-mutants knows, and wants 90% of the
# breaks caught by their tests. Takes hours; `make campaign` runs it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${STANDPIPE_CACHE:-$HOME/.cache/standpipe}
out=$cache/mutants
machines="cursor dispatcher router group"
wanted=90

files=()
for machine in $machines; do files+=(--file "core/src/$machine/**" --file "core/src/$machine.rs"); done

mkdir -p "$out"
# Status 2 and 3 say that mutants were missed or hung, which is judged below.
PATH="$cache/cargo/bin:$PATH" cargo mutants --package standpipe-core --output "$out" --no-shuffle \
  --minimum-test-timeout 60 --jobs "${MUTANTS_JOBS:-2}" "${files[@]}" "$@" || [ $? -le 3 ]

jq -er --argjson wanted $wanted '
  (.caught + .timeout) as $caught | ($caught + .missed) as $all
  | if $all == 0 then error("no mutant was made") else . end
  | (100 * $caught / $all) as $percent
  | "mutants: \($caught) of \($all) caught, \($percent | floor)% (wanted \($wanted)%)",
    (if $percent < $wanted then error("too many mutants missed") else empty end)
' "$out/mutants.out/outcomes.json"
