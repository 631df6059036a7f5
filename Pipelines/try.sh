#!/bin/sh
# The README's second command: a tiny random model and three made clips, annotated with the shipped caption pipeline.
set -eu
cd "$(dirname "$0")/.."
wade=${WADE:-.build/release/wade}
model=Tests/Fixtures/openflamingo-mpt/mpt1b-every2
mkdir -p Outputs/try/clips
for picture in testsrc smptebars mandelbrot; do
    [ -e "Outputs/try/clips/$picture.mp4" ] ||
        ffmpeg -v error -f lavfi -i "$picture=size=96x64:rate=12" -t 2 -pix_fmt yuv420p "Outputs/try/clips/$picture.mp4"
done
[ -e Outputs/try/model ] ||
    "$wade" model import "$model/checkpoint" --language "$model/lm" --vision "$model/vision" --output Outputs/try/model
"$wade" annotate Outputs/try/clips --pipeline Pipelines/caption.yaml --model Outputs/try/model --output Outputs/try/captions.jsonl
"$wade" check Outputs/try/captions.jsonl
jq -c '{file: .video.path, text: .output.text, times: .frames.pts_s, status}' Outputs/try/captions.jsonl
