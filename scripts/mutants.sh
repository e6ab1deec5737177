#!/usr/bin/env bash
# Breaks core's state machines in every way cargo-mutants knows, and wants 90% of the
# breaks caught by their own unit tests. Takes an hour; `make campaign` runs it.
#
#   scripts/mutants.sh                all of it
#   scripts/mutants.sh --shard 0/8    an eighth of all mutants; other arguments are passed on too
#   MACHINES=router scripts/mutants.sh    one machine, by its own tests alone
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${STANDPIPE_CACHE:-$HOME/.cache/standpipe}
out=$cache/mutants
alone=$cache/machines
all="cursor dispatcher router group disuse"
machines=${MACHINES:-$all}
wanted=90

# The machines are pure: of core they need these modules only, and build four times as fast without the rest.
# One that comes to need another says so: "unresolved import".
needed="checksum codec entry error id message native partitioner wire"
kept=$(tr -s ' ' '|' <<< "$all $needed")
rm -rf "$alone"
mkdir -p "$alone/core"
cp Cargo.lock "$alone"
cp -r core/Cargo.toml core/src "$alone/core"
sed -e 's/^members = .*/members = ["core"]/' -e '/^default-members/d' Cargo.toml > "$alone/Cargo.toml"
sed -i -E "/^pub mod ($kept);/!{/^pub mod /d}" "$alone/core/src/lib.rs"
cd "$alone"

files=() tests=()
for machine in $machines; do
  files+=(--file "core/src/$machine/**")
  tests+=("$machine::")
done

mkdir -p "$out"
# Status 2 and 3 say that mutants were missed or hung, which is judged below.
# Only the unit tests are built, without debug symbols; they take 2 s, and what runs ten times as long
# hangs (a busy machine is given longer).
# That a property fails is enough: nobody reads the smallest example, nor where it panicked.
export PROPTEST_MAX_SHRINK_ITERS=0 RUST_BACKTRACE=0
export CARGO_MUTANTS_MINIMUM_TEST_TIMEOUT=${CARGO_MUTANTS_MINIMUM_TEST_TIMEOUT:-20}
PATH="$cache/cargo/bin:$PATH" cargo mutants --package standpipe-core --output "$out" --no-shuffle \
  --profile mutants --jobs "${MUTANTS_JOBS:-2}" "${files[@]}" "$@" \
  --cargo-arg=--lib -- -- "${tests[@]}" || [ $? -le 3 ]

jq -er --argjson wanted $wanted '
  (.caught + .timeout) as $caught | ($caught + .missed) as $all
  | if $all == 0 then error("no mutant was made") else . end
  | (100 * $caught / $all) as $percent
  | "mutants: \($caught) of \($all) caught, \($percent | floor)% (wanted \($wanted)%)",
    (if $percent < $wanted then error("too many mutants missed") else empty end)
' "$out/mutants.out/outcomes.json"
