"""Stand-alone, for the main environment: token ids of texts by transformers, ONNX Runtime GenAI and OpenVINO.

Arguments: Hugging Face folder, GenAI folder, OpenVINO folder. Reads a JSON list of texts from standard input; writes
one JSON object per tokenizer library: the ids of each text, what decoding them gives, and a chat in the template.
"""

from __future__ import annotations

import json
import sys

import onnxruntime_genai as genai
import openvino_genai
from transformers import AutoTokenizer

CHAT = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "What is the capital of France?"},
    {"role": "assistant", "content": " Paris.\n"},
    {"role": "user", "content": "And “Italy”'s?"},
]


def main() -> None:
    folder, genai_folder, openvino_folder = sys.argv[1:]
    texts = json.load(sys.stdin)
    reference = AutoTokenizer.from_pretrained(folder)
    ort = genai.Tokenizer(genai.Model(genai_folder))
    openvino = openvino_genai.Tokenizer(openvino_folder)

    def openvino_ids(text: str) -> list[int]:
        return openvino.encode(text, add_special_tokens=False).input_ids.data[0].tolist()

    ids = {
        "transformers": [reference(text)["input_ids"] for text in texts],
        "onnxruntime-genai": [[int(i) for i in ort.encode(text)] for text in texts],
        "openvino": [openvino_ids(text) for text in texts],
    }
    decoded = {
        "transformers": [reference.decode(i, skip_special_tokens=False) for i in ids["transformers"]],
        "onnxruntime-genai": [ort.decode(i) for i in ids["transformers"]],
        "openvino": [openvino.decode(i, skip_special_tokens=False) for i in ids["transformers"]],
    }
    chat = {
        "transformers": reference.apply_chat_template(CHAT, add_generation_prompt=True, tokenize=False),
        "onnxruntime-genai": ort.apply_chat_template(json.dumps(CHAT), add_generation_prompt=True),
        "openvino": openvino.apply_chat_template(CHAT, add_generation_prompt=True),
    }
    json.dump({"ids": ids, "decoded": decoded, "size": len(reference), "chat": chat}, sys.stdout)


if __name__ == "__main__":
    main()
