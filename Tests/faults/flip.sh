#!/bin/sh
# A stream with a changed byte, a frame lost, repeated, moved or from another stream, or with something behind
# its end is refused by every reader, and nothing is committed.
. "$(dirname "$0")/functions.sh"

requires python3
record_streams
fresh_disk third.raw 9M third
vread third.raw >s1.other
vchunk <s1.other >s2.other
vdedup -r R <s2.other >s3.other
vrestore -r R base >restored.other

# pick STREAM SALT: the number of one of its frames but the last.
pick() {
  random $(($(frames list "$1" | wc -l) - 1)) "$1 $2"
}

tries=$(often 1 10)
for stream in s1 s2 s3 restored; do
  bad=$stream.bad
  last=$(($(frames list "$stream" | wc -l) - 1))

  for try in $(seq "$tries"); do
    for part in type flags volume sequence offset length payload detail check body; do
      frame=$(pick "$stream" "$part $try")
      mask=$((1 << $(random 8 "$stream $part $try")))
      frames flip "$stream" "$frame" "$part" "$mask" >"$bad" 2>/dev/null || continue # an empty body
      refused "$bad" '4 65' "stream $stream, frame $frame, $part changed by $mask"
    done
    for part in 0 7 16 18 24 40 60; do
      frames flip "$stream" -1 "$part" "$try" >"$bad"
      refused "$bad" '4 65' "stream $stream, prelude, byte $part changed by $try"
    done
    for part in sequence payload check 48 56 64 72 76; do
      frames flip "$stream" "$last" "$part" "$try" >"$bad"
      refused "$bad" '4 65' "stream $stream, seal, $part changed by $try"
    done
    where=$(random "$(size "$stream")" "$stream $try")
    cp "$stream" "$bad"
    flip "$bad" "$where"
    refused "$bad" '4 65' "stream $stream, byte $where changed"

    one=$(pick "$stream" "one $try")
    two=$(pick "$stream" "two $try")
    [ "$one" != "$two" ] || two=$(((one + 1) % last))
    for action in "drop $one" "repeat $one" "swap $one $two" "move $one $two" "drop $last" "repeat $last" \
      "swap $last $((last - 1))"; do
      # shellcheck disable=SC2086
      set -- $action
      frames "$1" "$stream" "$2" ${3:+"$3"} >"$bad"
      refused "$bad" '4 65' "stream $stream, $action"
    done
    other=$(pick "$stream.other" "$try")
    for place in "1 1" "$last $(($(frames list "$stream.other" | wc -l) - 1))" "$one $other"; do
      frames splice "$stream" "${place% *}" "$stream.other" "${place#* }" >"$bad"
      refused "$bad" '4 65' "stream $stream up to frame ${place% *}, then $stream.other from ${place#* } on"
    done
  done

  { cat "$stream" && printf x; } >"$bad"
  refused "$bad" 4 "stream $stream, one more byte"
  { cat "$stream" && head -c 1048576 /dev/zero; } >"$bad"
  refused "$bad" 4 "stream $stream, many more bytes"
  frames append "$stream" "$stream.other" >"$bad"
  refused "$bad" 4 "stream $stream, another one behind it"
  tr '\n' ' ' <"$stream" >"$bad"
  refused "$bad" '4 65' "stream $stream, as text"
done

# References to chunks that the repository does not have.
new_repository empty
status=0
vstore put -r empty --name dangling <s3 >id 2>stderr || status=$?
no_crash "$status" 'references to missing chunks'
[ "$status" -ne 0 ] || fail 'a stream with references to missing chunks is taken'
is "$(point_ids empty)" ''

restores R base base.raw
is_clean R --read-data
