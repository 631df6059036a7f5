"""Scores captions with pycocoevalcap (PyPI), which needs Java for its tokenizer: the oracle of the caption metrics.

Reads {"items": [{"candidate": str, "references": [str]}]} from standard input and writes the same items with what the original
makes of them: tokenised texts, CIDEr-D per item and over all, BLEU-1 to 4 over all.
"""
import contextlib
import json
import sys

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

items = json.load(sys.stdin)["items"]
with contextlib.redirect_stdout(sys.stderr):
    tokenizer = PTBTokenizer()
    references = tokenizer.tokenize(
        {i: [{"caption": text} for text in item["references"]] for i, item in enumerate(items)})
    candidates = tokenizer.tokenize(
        {i: [{"caption": item["candidate"]}] for i, item in enumerate(items)})
    cider, each = Cider().compute_score(references, candidates)
    bleu, _ = Bleu(4).compute_score(references, candidates, verbose=0)
for i, item in enumerate(items):
    item["tokenized_candidate"] = candidates[i][0]
    item["tokenized_references"] = references[i]
    item["cider"] = float(each[i])
json.dump(
    {"items": items, "cider": float(cider), "bleu": [float(value) for value in bleu]},
    sys.stdout, indent=1, ensure_ascii=False)
