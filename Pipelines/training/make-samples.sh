#!/bin/sh
# Makes what the shipped pipeline describe.yaml works on: sample clips, demonstrations from other seeds, and one sample's contact sheet.
# The same FFmpeg gives the same bytes. No seed here is one that training or evaluation uses.
set -eu
cd "$(dirname "$0")/.."
wade=${WADE:-../.build/release/wade}
"$wade" render samples --count 8 --seed 21393 --seconds 2 --fps 12 --size 192x108
"$wade" render demonstrations --count 8 --seed 33080 --seconds 2 --fps 12 --size 192x108
rm -f samples/truth.jsonl.lock demonstrations/truth.jsonl.lock
"$wade" frames samples/000006.mp4 --output pictures/sample.frames.png

# The answers, in the model's own words: from what the renderer knows to the captions and answers that training wrote.
jq -c '
    def camera: {static: "static", panleft: "pans left", panright: "pans right", tiltup: "tilts up", tiltdown: "tilts down",
        zoomin: "zooms in", zoomout: "zooms out", unclear: "unclear"}[.truth.camera];
    def clear(name): .truth[name] | if . == "unclear" then null else . end;
    def subject: [clear("colour"), clear("shape")] | map(select(.)) | join(" ");
    def caption:
        (.truth.brightness | (.[0:1] | ascii_upcase) + .[1:]) + (if .truth.film == "monochrome" then " black and white" else "" end)
        + " shot"
        + if .truth.transition == "cut" then " that cuts to another"
          else
            (if clear("shape") then ": a \(subject)" + (clear("motion") as $m | if $m == null then ""
                elif $m == "still" then " stays still" else " moves \($m)" end) else "" end)
            + (clear("background") as $b | if $b then " on a \($b) background" else "" end)
            + (clear("camera") as $c | if $c == null then "" elif $c == "static" then ", static camera"
                else ", the camera \(camera)" end)
            + ({fadeout: ", fades to black", fadein: ", fades from black"}[.truth.transition] // "")
          end + ".";
    {clip: "demonstrations/\(.file)", answers: {caption: caption, motion: .truth.motion,
        sort: (if .truth.film == "monochrome" then "keep" else "drop" end)}}
    ' demonstrations/truth.jsonl > demonstrations.jsonl
