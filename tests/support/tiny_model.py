"""Writes a tiny random language model, so that tests have a real sampler and a real wire."""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import numpy as np

WORDS = (
    "red green blue stone river cloud night morning bread salt iron paper winter summer road house "
    "light water horse bird leaf seed hand eye voice song bell door table lamp"
).split()
SPECIAL = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")
WIDTH, HEADS, BLOCKS, FEED_FORWARD, CONTEXT = 32, 4, 1, 64, 4096
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def write_tiny_model(path: Path, seed: int = 7) -> Path:
    """Write a one-block llama of random weights as GGUF (about 0.1 MB); the same for a `seed`.

    It answers with meaningless words of WORDS and never ends by itself: limit its tokens. Any text
    can be its input. Its embeddings have WIDTH dimensions, its context CONTEXT tokens.
    """
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny random model")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_vocabulary(writer)
    _add_tensors(writer, np.random.default_rng(seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    octets = [f"<0x{octet:02X}>" for octet in range(256)]
    words = ["\u2581" + word for word in WORDS]
    kinds = gguf.TokenType
    control = [kinds.UNKNOWN] + [kinds.CONTROL] * (len(SPECIAL) - 1)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*SPECIAL, *octets, *words])
    writer.add_token_scores([0.0] * (len(SPECIAL) + len(octets) + len(words)))
    writer.add_token_types([*control, *[kinds.BYTE] * len(octets), *[kinds.NORMAL] * len(words)])
    writer.add_bos_token_id(SPECIAL.index("<s>"))
    writer.add_eos_token_id(SPECIAL.index("<|im_end|>"))
    writer.add_unk_token_id(SPECIAL.index("<unk>"))
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _add_tensors(writer: gguf.GGUFWriter, random: np.random.Generator) -> None:
    def matrix(rows: int, columns: int) -> np.ndarray:
        return random.normal(0.0, 1.0, (rows, columns)).astype(np.float32)

    silent = len(SPECIAL) + 256
    output = matrix(silent + len(WORDS), WIDTH)
    output[:silent] = 0.0  # a word always scores above zero, so nothing else is sampled
    writer.add_tensor("token_embd.weight", matrix(silent + len(WORDS), WIDTH))
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for block in range(BLOCKS):
        prefix = f"blk.{block}"
        writer.add_tensor(f"{prefix}.attn_norm.weight", np.ones(WIDTH, np.float32))
        writer.add_tensor(f"{prefix}.ffn_norm.weight", np.ones(WIDTH, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{prefix}.{name}.weight", matrix(WIDTH, WIDTH))
        writer.add_tensor(f"{prefix}.ffn_gate.weight", matrix(FEED_FORWARD, WIDTH))
        writer.add_tensor(f"{prefix}.ffn_up.weight", matrix(FEED_FORWARD, WIDTH))
        writer.add_tensor(f"{prefix}.ffn_down.weight", matrix(WIDTH, FEED_FORWARD))


if __name__ == "__main__":
    write_tiny_model(Path(sys.argv[1]))
