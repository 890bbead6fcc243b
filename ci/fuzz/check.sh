#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What `make test` runs of a fuzzer: nothing is found from the committed sequences on in a few
# seconds, and from nothing on a planted fault is.
#
#   check.sh FUZZER CORPUS FOLDER MUTATION WORDS [SECONDS]
#
# WORDS: what the fuzzer says of the mutation; SECONDS: for what is committed, 5

fuzzer=$1 corpus=$2 folder=$3 mutation=$4 words=$5 seconds=${6:-5}
limits='-max_len=600 -timeout=10'

rm -rf "$folder" && mkdir -p "$folder/found" "$folder/planted" || exit 1
"$fuzzer" $limits -max_total_time="$seconds" -artifact_prefix="$folder/" "$folder/found" "$corpus" \
	>"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
grep '^Done' "$folder/log"

FUZZ_BROKEN=$mutation timeout 30 "$fuzzer" $limits -seed=1 -max_total_time=20 \
	-artifact_prefix="$folder/" "$folder/planted" >"$folder/planted.log" 2>&1
grep "$words" "$folder/planted.log" || { echo "$mutation was not found"; exit 1; }
